"""Glance over HTTP: handlers and views."""
