"""Nova: servers and their life."""
