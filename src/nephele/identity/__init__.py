"""Keystone: users, projects, domains, roles, tokens, catalog."""
