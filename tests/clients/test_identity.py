"""The `openstack` command's identity part."""

from collections.abc import Callable
from typing import Any

import pytest
from tests.clients.conftest import CliError

pytestmark = pytest.mark.clients

Command = Callable[..., Any]


def names(found: list[dict[str, Any]]) -> set[str]:
    return {row["Name"] for row in found}


def test_a_token_is_issued_and_revoked(demo: Command) -> None:
    token = demo("token", "issue")
    assert set(token) == {"expires", "id", "project_id", "user_id"}
    demo("token", "revoke", token["id"], parse=False)
    with pytest.raises(CliError):
        demo("token", "revoke", token["id"], parse=False)


def test_the_catalog(demo: Command) -> None:
    catalog = {row["Type"]: row for row in demo("catalog", "list")}
    assert {"identity", "compute", "placement", "image", "network", "block-storage"} <= set(catalog)
    shown = demo("catalog", "show", "compute")
    assert all(endpoint["url"].endswith("/compute/v2.1") for endpoint in shown["endpoints"])


def test_projects(admin: Command) -> None:
    made = admin("project", "create", "web", "--description", "shop", "--tag", "blue", "--property", "owner=bob")
    assert made["description"] == "shop"
    assert "web" in names(admin("project", "list"))
    admin("project", "set", "web", "--disable", parse=False)
    shown = admin("project", "show", "web")
    assert (shown["enabled"], shown["owner"], shown["tags"]) == (False, "bob", ["blue"])
    below = admin("project", "create", "low", "--parent", "demo")
    assert below["parent_id"] == admin("project", "show", "demo")["id"]
    admin("project", "delete", "web", "low", parse=False)
    assert "web" not in names(admin("project", "list"))


def test_users_groups_and_roles(admin: Command) -> None:
    user = admin("user", "create", "bob", "--password", "secret", "--email", "bob@example.org", "--project", "demo")
    assert user["email"] == "bob@example.org"
    assert "bob" in names(admin("user", "list"))
    admin("user", "set", "bob", "--name", "rob", parse=False)
    assert admin("user", "show", "rob")["id"] == user["id"]
    admin("group", "create", "ops")
    admin("group", "add", "user", "ops", "rob", parse=False)
    assert "in group" in admin("group", "contains", "user", "ops", "rob", parse=False)
    assert names(admin("user", "list", "--group", "ops")) == {"rob"}
    admin("role", "add", "--user", "rob", "--project", "demo", "member", parse=False)
    admin("role", "add", "--group", "ops", "--domain", "default", "reader", parse=False)
    admin("role", "add", "--user", "rob", "--system", "all", "reader", parse=False)
    given = admin("role", "assignment", "list", "--user", "rob", "--names")
    assert {(row["Role"], row["Project"], row["System"]) for row in given} == {
        ("member", "demo@Default", ""),
        ("reader", "", "all"),
    }
    effective = admin("role", "assignment", "list", "--user", "rob", "--effective", "--names")
    assert {row["Role"] for row in effective} == {"member", "reader"}
    admin("role", "remove", "--user", "rob", "--project", "demo", "member", parse=False)
    admin("group", "delete", "ops", parse=False)
    admin("user", "delete", "rob", parse=False)
    assert "rob" not in names(admin("user", "list"))


def test_roles_and_what_they_imply(admin: Command) -> None:
    admin("role", "create", "auditor")
    assert "auditor" in names(admin("role", "list"))
    assert admin("role", "show", "auditor")["name"] == "auditor"
    admin("implied", "role", "create", "auditor", "--implied-role", "reader")
    implied = {(row["Prior Role Name"], row["Implied Role Name"]) for row in admin("implied", "role", "list")}
    assert ("auditor", "reader") in implied
    assert ("admin", "manager") in implied
    admin("role", "delete", "auditor", parse=False)
    assert "auditor" not in names(admin("role", "list"))


def test_domains(admin: Command) -> None:
    admin("domain", "create", "acme", "--description", "theirs")
    admin("user", "create", "alice", "--domain", "acme")
    assert names(admin("domain", "list")) == {"Default", "acme"}
    with pytest.raises(CliError, match="disable it first"):
        admin("domain", "delete", "acme", parse=False)
    admin("domain", "set", "acme", "--disable", parse=False)
    admin("domain", "delete", "acme", parse=False)
    assert names(admin("domain", "list")) == {"Default"}


def test_services_regions_and_endpoints(admin: Command) -> None:
    admin("region", "create", "south", "--description", "warm")
    admin("service", "create", "object-store", "--name", "swift")
    url = "http://127.0.0.1:8080/v1/AUTH_%(project_id)s"
    made = admin("endpoint", "create", "swift", "public", url, "--region", "south")
    assert (made["url"], made["region"], made["service_type"]) == (url, "south", "object-store")
    listed = admin("endpoint", "list", "--service", "swift")
    assert [row["URL"] for row in listed] == [url]
    admin("endpoint", "delete", made["id"], parse=False)
    admin("service", "delete", "swift", parse=False)
    admin("region", "delete", "south", parse=False)


def test_application_credentials_and_ec2_keys(demo: Command) -> None:
    made = demo("application", "credential", "create", "ci", "--role", "reader")
    assert made["Secret"]
    assert "ci" in names(demo("application", "credential", "list"))
    demo("application", "credential", "delete", "ci", parse=False)
    keys = demo("ec2", "credentials", "create")
    assert demo("ec2", "credentials", "show", keys["access"])["secret"] == keys["secret"]
    demo("ec2", "credentials", "delete", keys["access"], parse=False)


def test_a_member_may_not_administer(demo: Command) -> None:
    for words in (("user", "list"), ("project", "create", "mine"), ("role", "list"), ("service", "list")):
        with pytest.raises(CliError, match="403"):
            demo(*words)
