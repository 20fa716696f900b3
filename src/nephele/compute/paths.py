"""Where servers are in Nova's API, and how its rules are called."""

SERVER = "/v2.1/servers/{server_id}"
ACTION = f"{SERVER}/action"


def rule(name: str) -> str:
    """A rule's whole name."""
    return f"os_compute_api:{name}"
