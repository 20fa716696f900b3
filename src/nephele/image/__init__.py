"""Glance: images and their data."""
