"""The HTTP edge: routing, microversions, paging, faults, authentication."""
