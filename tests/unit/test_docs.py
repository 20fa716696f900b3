"""What the pages under docs/ say of the code is so."""

import argparse
import importlib.util
import re
import textwrap
from pathlib import Path

import pytest

from nephele.cli import up
from nephele.config import read_settings

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "docs").rglob("*.md"))
CODE = re.compile(r"`([^`\n]+)`")
FILE = re.compile(r"(?:src/nephele/|tests/|scripts/|benchmarks/|\w+/)?[\w/]*\w\.(?:py|toml|md|txt)")
PLACES = ("", "src/nephele/", "src/nephele/compute/", "src/nephele/network/", "src/nephele/volume/backends/")


def find_file(name: str, page: Path) -> Path | None:
    """The file that a page names: from the project's root, below the package, or beside the page."""
    found = (folder / name for folder in (*(ROOT / place for place in PLACES), page.parent))
    return next((path for path in found if path.is_file()), None)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text())
    assert [link for link in links if "://" not in link and not (page.parent / link).exists()] == []


def test_the_functions_that_the_tour_names_are_there() -> None:
    """In a row of the table, what follows a file's name is in that file."""
    rows = [line for line in (ROOT / "docs/tour.md").read_text().splitlines() if re.match(r"\| \d", line)]
    assert len(rows) == 15, "seventeen steps, three of them in one row"
    for row in rows:
        source = ""
        for name in CODE.findall(row.split(" | ")[-1]):
            if FILE.fullmatch(name):
                path = find_file(name, ROOT / "docs/tour.md")
                assert path is not None, name
                source = path.read_text()
            else:
                for part in name.split("."):
                    assert re.search(rf"\b(def|class) {part}\b|^{part}\b", source, re.MULTILINE), f"{name} in {row}"


def test_the_pages_name_files_that_exist() -> None:
    pages = [page for page in PAGES if page.name in ("tour.md", "operate.md", "clients.md", "states.md")]
    named = {(name, page) for page in pages for name in CODE.findall(page.read_text()) if name.endswith(".py")}
    own = ("tables.py", "model.py", "errors.py", "messages.py", "service.py", "routes.py", "policy.py")
    assert {name for name, page in named if name not in own and find_file(name, page) is None} == set()


def test_the_settings_of_the_example_are_settings(tmp_path: Path) -> None:
    page = (ROOT / "docs/operate.md").read_text()
    example = page.split("An example:")[1].split("\n## ")[0]
    (tmp_path / "settings.toml").write_text(textwrap.dedent(example))
    settings = read_settings(tmp_path / "settings.toml")
    assert settings.quotas.instances == 50
    assert settings.provider_networks["public"].interface == "eth1"
    ways = page.split("Three ways:")[1].split("With `interface`")[0]
    for way in ways.split("[provider_networks.public]")[1:]:
        (tmp_path / "way.toml").write_text("[provider_networks.public]\n" + textwrap.dedent(way.lstrip("\n")))
        assert read_settings(tmp_path / "way.toml").provider_networks.keys() == {"public"}


def test_every_option_of_up_is_told() -> None:
    parser = argparse.ArgumentParser()
    up.arguments(parser)
    page = (ROOT / "docs/operate.md").read_text()
    options = [word for action in parser._actions for word in action.option_strings if word not in ("-h", "--help")]
    assert [option for option in options if f"`{option} " not in page] == []


@pytest.mark.parametrize("page", ["states", "microversions"])
def test_printed_pages_are_what_the_code_says(page: str) -> None:
    spec = importlib.util.spec_from_file_location(page, ROOT / f"scripts/{page}.py")
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    told = (ROOT / f"docs/{page}.md").read_text()
    assert told == script.page(), f"run `python scripts/{page}.py > docs/{page}.md`"
