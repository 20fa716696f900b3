"""The HTTP face of the identity service."""
