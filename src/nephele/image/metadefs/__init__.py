"""Metadata definitions: which properties images, flavors, volumes and servers may have, and what they mean."""
