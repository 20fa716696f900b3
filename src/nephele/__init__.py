"""Nephele: a cloud that speaks the OpenStack API, as one process or as many hosts."""

__version__ = "0.1.0"
