"""Cinder's HTTP face: bodies in, views out."""
