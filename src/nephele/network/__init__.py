"""Neutron: networks, ports, routers, security groups."""
