"""Placement over HTTP: what is asked as text, and how it is answered at each microversion."""
