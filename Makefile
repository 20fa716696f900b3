# `make` alone says what there is.  Each target sets up what it needs first: a fresh Debian 12 is enough.
SHELL := /bin/bash
BIN := .venv/bin
PYTEST := $(BIN)/pytest -q
SUDO := $(if $(filter 0,$(shell id -u)),,sudo --preserve-env=PATH,HOME,XDG_CACHE_HOME)

.PHONY: help demo demo-clean test check lint test-unit test-flows test-clients test-contracts test-guests setup setup-packages setup-test-packages setup-venv lock

help:  ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 18

demo: setup  ## boot a real VM through the OpenStack API and log in to it; KEEP=1 leaves the cloud running
	@$(SUDO) $(BIN)/python -m nephele.demo $(if $(KEEP),--keep)

demo-clean:  ## remove all that demos have kept: a running cloud, images, caches
	@[ ! -x $(BIN)/python ] || $(SUDO) $(BIN)/python -m nephele.demo --clean

test: setup setup-test-packages lint  ## every check and every test, with real guests
	$(PYTEST) -n 4 --dist worksteal -m 'not guests' tests
	$(PYTEST) -n 2 --dist loadfile -m guests tests

check: setup-venv lint test-unit  ## what to run before each commit: under a minute, no root

lint: setup-venv
	$(BIN)/ruff format --check src tests
	$(BIN)/ruff check src tests
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

test-unit: setup-venv  ## parts by themselves
	$(PYTEST) -n 2 --dist worksteal tests/unit

test-flows: setup-venv setup-test-packages  ## whole clouds on simulated hypervisors, over HTTP
	$(PYTEST) -n 4 --dist worksteal tests/flows tests/soak

test-clients: setup-venv  ## the real OpenStack clients
	$(PYTEST) tests/clients

test-contracts: setup  ## what every driver must do, on each of them
	$(PYTEST) tests/contracts

test-guests: setup  ## real guests on libvirt (root)
	$(PYTEST) tests/guests

setup: setup-packages setup-venv  ## install what is missing

setup-packages:  ## Debian packages
	@scripts/setup packages

setup-test-packages:  ## Debian packages that only tests use
	@scripts/setup test-packages

setup-venv: setup-packages  ## .venv with pinned versions
	@scripts/setup venv

lock:  ## pin the newest versions
	scripts/lock
