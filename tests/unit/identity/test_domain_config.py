"""The configuration of domains: set, read in parts, removed; passwords in it are never shown."""

import pytest
from tests.unit.identity.conftest import Cloud, on_project

CONFIG = {"identity": {"driver": "ldap"}, "ldap": {"url": "ldap://x", "password": "s3cret", "suffix": "dc=x"}}
SHOWN = {"identity": {"driver": "ldap"}, "ldap": {"url": "ldap://x", "suffix": "dc=x"}}


@pytest.fixture
def at(cloud: Cloud) -> str:
    """The address of a domain's configuration."""
    return f"/v3/domains/{cloud.made('domains', name='north')['id']}/config"


def test_it_is_set_and_read_in_parts(cloud: Cloud, at: str) -> None:
    assert cloud("GET", at).status_code == 404
    made = cloud("PUT", at, json={"config": CONFIG})
    assert (made.status_code, made.json()) == (201, {"config": SHOWN})
    assert cloud("PUT", at, json={"config": CONFIG}).status_code == 200
    assert cloud("GET", at).json() == {"config": SHOWN}
    assert cloud("GET", f"{at}/ldap").json() == {"config": {"ldap": SHOWN["ldap"]}}
    assert cloud("GET", f"{at}/ldap/url").json() == {"config": {"url": "ldap://x"}}
    assert cloud("GET", f"{at}/ldap/password").status_code == 404
    assert cloud("GET", f"{at}/ldap/user").status_code == 404


def test_parts_are_changed(cloud: Cloud, at: str) -> None:
    cloud("PUT", at, json={"config": CONFIG})
    changed = cloud("PATCH", at, json={"config": {"ldap": {"url": "ldap://y"}}})
    assert changed.json()["config"]["ldap"] == {"url": "ldap://y", "suffix": "dc=x"}
    assert cloud("PATCH", f"{at}/ldap/url", json={"config": {"url": "ldap://z"}}).json() == {
        "config": {"url": "ldap://z"}
    }
    assert cloud("PATCH", f"{at}/ldap", json={"config": {"ldap": {"user": "cn=a"}}}).status_code == 200
    for path, body, status in (
        ("/ldap", {"identity": {"driver": "sql"}}, 403),
        ("/ldap/url", {"user": "x"}, 403),
        ("/ldap/query_scope", {"query_scope": "sub"}, 404),
        ("", {"ldap": {"nonsense": 1}}, 403),
        ("", {"token": {"provider": "x"}}, 403),
        ("", {}, 403),
        ("", {"ldap": {}}, 403),
    ):
        assert cloud("PATCH", at + path, json={"config": body}).status_code == status, (path, body)


def test_parts_are_removed(cloud: Cloud, at: str) -> None:
    cloud("PUT", at, json={"config": CONFIG})
    assert cloud("DELETE", f"{at}/ldap/url").status_code == 204
    assert cloud("GET", f"{at}/ldap/url").status_code == 404
    assert cloud("DELETE", f"{at}/ldap").status_code == 204
    assert cloud("DELETE", f"{at}/ldap").status_code == 404
    assert cloud("DELETE", at).status_code == 204
    assert cloud("GET", at).status_code == 404


def test_defaults(cloud: Cloud) -> None:
    at = "/v3/domains/config/default"
    assert cloud("GET", f"{at}/ldap/user_objectclass").json() == {"config": {"user_objectclass": "inetOrgPerson"}}
    assert cloud("GET", f"{at}/identity").json() == {"config": {"identity": {"driver": "sql", "list_limit": None}}}
    assert set(cloud("GET", at).json()["config"]) == {"identity", "ldap"}
    assert cloud("GET", f"{at}/ldap/password").status_code == 403


def test_anyone_may_read_what_is_demanded_of_passwords(cloud: Cloud, at: str) -> None:
    demo = cloud.token("demo", "demo-secret", on_project("demo"))
    told = cloud("GET", "/v3/domains/default/config/security_compliance", token=demo)
    assert told.json() == {
        "config": {"security_compliance": {"password_regex": None, "password_regex_description": None}}
    }
    one = cloud("GET", "/v3/domains/default/config/security_compliance/password_regex", token=demo)
    assert one.json() == {"config": {"password_regex": None}}
    assert cloud("GET", f"{at}/security_compliance", token=demo).status_code == 403
    assert cloud("GET", "/v3/domains/default/config/security_compliance/lockout_duration").status_code == 403
    assert cloud("GET", at, token=demo).status_code == 403


def test_it_goes_with_the_domain(cloud: Cloud, at: str) -> None:
    cloud("PUT", at, json={"config": CONFIG})
    domain = at.removesuffix("/config")
    cloud("PATCH", domain, json={"domain": {"enabled": False}})
    assert cloud("DELETE", domain).status_code == 204
    assert cloud.identity.domain_config.read(domain.rsplit("/", 1)[1], secrets=True) == {}


@pytest.mark.parametrize("path", ["/v3/OS-OAUTH1/consumers", "/v3/OS-FEDERATION/service_providers"])
def test_what_is_not_supported_is_said_to_be(cloud: Cloud, path: str) -> None:
    answer = cloud("GET", path)
    assert (answer.status_code, answer.json()["error"]["title"]) == (501, "Not Implemented")
