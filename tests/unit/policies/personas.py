"""The personas of secure RBAC, as `upstream.tsv` has them, and a target that has every attribute."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from nephele.kernel.context import Context

TABLE = Path(__file__).with_name("upstream.tsv")
ADMIN, MANAGER, MEMBER, READER = (
    ("admin", "manager", "member", "reader"),
    ("manager", "member", "reader"),
    ("member", "reader"),
    ("reader",),
)


class Expected(NamedTuple):
    """A line of the table: who may, where all is their own and where all is somebody else's."""

    service: str
    rule: str
    scopes: frozenset[str]
    mine: dict[str, bool]
    others: dict[str, bool]


def expectations() -> Iterator[Expected]:
    names: list[str] = []
    for line in TABLE.read_text().splitlines():
        if line.startswith("#"):
            names = line[2:].split()
            continue
        service, rule, scopes, mine, others = line.split("\t")
        yield Expected(
            service,
            rule,
            frozenset(scopes.split(",")) - {"-"},
            {name: bit == "1" for name, bit in zip(names, mine, strict=True)},
            {name: bit == "1" for name, bit in zip(names, others, strict=True)},
        )


def caller(scope: str, *roles: str) -> Context:
    """Somebody whose user, project and domain begin with `my`."""
    return Context(
        request_id="",
        user_id="my-user",
        user_domain_id="my-domain",
        project_id="my-project" if scope == "project" else "",
        project_domain_id="my-domain" if scope == "project" else "",
        domain_id="my-domain" if scope == "domain" else "",
        system_scope="all" if scope == "system" else "",
        roles=frozenset(roles),
    )


PERSONAS = {
    "system_admin": caller("system", *ADMIN),
    "system_reader": caller("system", *READER),
    "domain_admin": caller("domain", *ADMIN),
    "domain_manager": caller("domain", *MANAGER),
    "domain_member": caller("domain", *MEMBER),
    "domain_reader": caller("domain", *READER),
    "project_admin": caller("project", *ADMIN),
    "project_manager": caller("project", *MANAGER),
    "project_member": caller("project", *MEMBER),
    "project_reader": caller("project", *READER),
    "service": caller("project", "service"),
}


class Everything(dict[str, Any]):
    """A target whose projects, domains and users are `whose`, all else empty."""

    def __init__(self, whose: str) -> None:
        super().__init__()
        self.whose = whose

    def get(self, name: str, default: object = None) -> Any:
        if name.endswith(("domain_id", "domain.id")):
            return f"{self.whose}-domain"
        if name.endswith(("project_id", "tenant_id", "project.id", "owner", "member_id")):
            return f"{self.whose}-project"
        if name.endswith(("user_id", "user.id")):
            return f"{self.whose}-user"
        return ""
