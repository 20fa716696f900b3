"""Placement: resource providers, inventories, allocations, candidates."""
