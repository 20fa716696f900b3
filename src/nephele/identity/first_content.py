"""What a new cloud begins with: the default domain, roles, the first projects and users, and the catalog."""

from typing import TYPE_CHECKING

from nephele.identity.assignments import on_system
from nephele.identity.catalog import PUBLIC_URL
from nephele.identity.model import Actor, Assignment, Endpoint, Interface, Project, Region, Service, Target, User

if TYPE_CHECKING:
    from nephele.identity.service import Identity

DEFAULT_DOMAIN = "default"
REGION = "RegionOne"
ROLES = ("admin", "manager", "member", "reader", "service")
IMPLIED = (("admin", "manager"), ("manager", "member"), ("member", "reader"))
PROJECTS = {
    "admin": "The cloud's administrators.",
    "demo": "A project to begin with.",
    "service": "The cloud's own services.",
}
# Names and types as DevStack's catalog has them; `volumev3` is what older clients look for.
SERVICES = (
    ("identity", "keystone", "/identity"),
    ("compute", "nova", "/compute/v2.1"),
    ("placement", "placement", "/placement"),
    ("image", "glance", "/image"),
    ("network", "neutron", "/network"),
    ("block-storage", "cinder", "/volume/v3"),
    ("volumev3", "cinderv3", "/volume/v3"),
)


def seed(identity: "Identity", admin_password: str, demo_password: str) -> None:
    """Make what is missing.  What is there is left alone: passwords are set for new users only."""
    hashed_users = {"admin": admin_password, "demo": demo_password}
    with identity.store.write():
        _make_domain(identity)
        roles = _make_roles(identity)
        projects = {name: _make_project(identity, name, text) for name, text in PROJECTS.items()}
        _make_catalog(identity)
        users = {name: _make_user(identity, name, password) for name, password in hashed_users.items()}
        grants = identity.assignments
        grants.grant(Assignment(Actor.USER, users["admin"], Target.PROJECT, projects["admin"], roles["admin"]))
        grants.grant(on_system(Actor.USER, users["admin"], roles["admin"]))
        grants.grant(Assignment(Actor.USER, users["demo"], Target.PROJECT, projects["demo"], roles["member"]))


def _make_domain(identity: "Identity") -> None:
    if identity.projects.named("Default", "") is None:
        identity.projects.create(Project(DEFAULT_DOMAIN, "Default", "", "", True, True, "The default domain", {}, {}))


def _make_roles(identity: "Identity") -> dict[str, str]:
    have = {role.name: role.id for role in identity.roles.find([])}
    made = {name: identity.roles.create(name).id for name in ROLES if name not in have}
    if made:
        for prior, implied in IMPLIED:
            identity.roles.imply((have | made)[prior], (have | made)[implied])
    return have | made


def _make_project(identity: "Identity", name: str, description: str) -> str:
    found = identity.projects.named(name, DEFAULT_DOMAIN)
    return (
        found or identity.projects.create(Project("", name, DEFAULT_DOMAIN, "", False, True, description, {}, {}))
    ).id


def _make_user(identity: "Identity", name: str, password: str) -> str:
    found = identity.users.named(name, DEFAULT_DOMAIN)
    return (found or identity.users.create(User("", name, DEFAULT_DOMAIN, True, "", None, {}, {}), password)).id


def _make_catalog(identity: "Identity") -> None:
    catalog = identity.catalog
    if not any(region.id == REGION for region in catalog.regions([])):
        catalog.create_region(Region(REGION, "", "", {}))
    have = {service.type for service in catalog.services([])}
    for kind, name, path in SERVICES:
        if kind not in have:
            service = catalog.create_service(Service("", kind, name, True, None, {}))
            for interface in Interface:
                catalog.create_endpoint(Endpoint("", service.id, REGION, interface, PUBLIC_URL + path, True, {}))
