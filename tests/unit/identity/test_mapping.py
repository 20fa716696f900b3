"""The rule language of mappings, and what is kept of who vouches for people."""

from typing import Any

import pytest
from tests.unit.identity.conftest import Cloud, on_project

from nephele.identity.federated import assertion_of
from nephele.identity.mapping import GroupRef, MappedProject, Place, RoleRef, apply, read_rules
from nephele.kernel.errors import Refused

ANN = {"name": ["ann"], "mail": ["ann@x"], "groups": ["dev", "ops", "all"], "kind": ["staff"]}
DEFAULT = {"name": "Default"}


def mapped(*rules: dict[str, Any], assertion: dict[str, list[str]] = ANN) -> Any:
    return apply(read_rules(list(rules)), assertion)


def rule(remote: list[dict[str, Any]], *local: dict[str, Any]) -> dict[str, Any]:
    return {"remote": remote, "local": list(local)}


NAME = {"type": "name"}
USER = {"user": {"name": "{0}"}}


def test_values_are_filled_in_by_their_place() -> None:
    found = mapped(rule([NAME, {"type": "mail"}], {"user": {"name": "{0} of {1}", "email": "{1}", "id": "u-{0}"}}))
    assert (found.user.name, found.user.email, found.user.id) == ("ann of ann@x", "ann@x", "u-ann")
    assert found.user.type == "ephemeral"


@pytest.mark.parametrize(
    ("condition", "applies"),
    [
        ({"any_one_of": ["staff"]}, True),
        ({"any_one_of": ["guest"]}, False),
        ({"any_one_of": ["^st"], "regex": True}, True),
        ({"any_one_of": ["^st"]}, False),
        ({"not_any_of": ["guest"]}, True),
        ({"not_any_of": ["staff"]}, False),
        ({"not_any_of": ["aff$"], "regex": True}, False),
    ],
)
def test_conditions(condition: dict[str, Any], applies: bool) -> None:
    rules = [rule([NAME, {"type": "kind", **condition}], USER)]
    if applies:
        assert mapped(*rules).user.name == "ann"
    else:
        with pytest.raises(Refused) as refused:
            mapped(*rules)
        assert refused.value.status == 401


def test_conditions_take_no_place() -> None:
    found = mapped(rule([{"type": "kind", "any_one_of": ["staff"]}, NAME], USER))
    assert found.user.name == "ann"


@pytest.mark.parametrize(
    ("choice", "names"),
    [
        ({}, ["dev", "ops", "all"]),
        ({"whitelist": ["ops", "dev", "x"]}, ["dev", "ops"]),
        ({"blacklist": ["all"]}, ["dev", "ops"]),
        ({"whitelist": ["ops"]}, ["ops"]),
        ({"whitelist": ["x"]}, []),
        ({"blacklist": ["^a"], "regex": True}, ["dev", "ops"]),
    ],
)
def test_groups_from_values(choice: dict[str, Any], names: list[str]) -> None:
    found = mapped(rule([NAME, {"type": "groups", **choice}], {**USER, "groups": "{1}", "domain": DEFAULT}))
    assert found.groups == tuple(GroupRef(name=name, domain=Place(name="Default")) for name in names)


def test_all_rules_that_apply_count_and_the_first_user() -> None:
    found = mapped(
        rule([NAME], USER, {"group": {"id": "g1"}}),
        rule([{"type": "kind", "any_one_of": ["staff"]}, {"type": "mail"}], {"user": {"name": "{0}"}}),
        rule([{"type": "groups"}], {"group_ids": "{0}"}),
        rule([{"type": "absent"}], {"group": {"id": "never"}}),
    )
    assert found.user.name == "ann"
    assert [group.id for group in found.groups] == ["g1", "dev", "ops", "all"]


def test_projects_with_roles() -> None:
    wanted = {"projects": [{"name": "of {0}", "roles": [{"name": "member"}]}]}
    found = mapped(rule([NAME], USER, wanted))
    assert found.projects == (MappedProject("of ann", (RoleRef("member"),)),)


def test_without_a_name_it_is_the_remote_user() -> None:
    found = mapped(rule([NAME], {"group": {"id": "g"}}), assertion={**ANN, "REMOTE_USER": ["ann@corp"]})
    assert found.user.name == "ann@corp"


@pytest.mark.parametrize(
    "rules",
    [
        [],
        [{"local": [USER]}],
        [{"remote": [NAME], "local": []}],
        [{"remote": [NAME], "local": [{"user": {"name": "{1}"}}]}],
        [{"remote": [{"type": "x", "any_one_of": ["a"], "whitelist": ["b"]}], "local": [USER]}],
        [{"remote": [{"type": "x", "any_one_of": ["("], "regex": True}], "local": [{"group": {"id": "g"}}]}],
        [{"remote": [{"any_one_of": ["a"]}], "local": [USER]}],
        [{"remote": [NAME], "local": [{"usr": {}}]}],
        [{"remote": [NAME], "local": [USER], "more": 1}],
    ],
)
def test_bad_rules_are_refused(rules: list[dict[str, Any]]) -> None:
    with pytest.raises(Refused) as refused:
        read_rules(rules)
    assert refused.value.status == 400


def test_claims_have_the_names_that_mappings_use() -> None:
    found = assertion_of({"sub": "ann", "groups": ["a", "b;c"], "email_verified": True, "address": {"x": "y"}})
    assert found["REMOTE_USER"] == found["HTTP_OIDC_SUB"] == found["OIDC-sub"] == found["OIDC_CLAIM_sub"] == ["ann"]
    assert found["OIDC-groups"] == ["a", "b", "c"]
    assert found["OIDC-email_verified"] == ["true"]
    assert "OIDC-address" not in found


AT = "/v3/OS-FEDERATION"


def test_providers_protocols_and_mappings_are_kept(cloud: Cloud) -> None:
    mapping = {"mapping": {"rules": [rule([NAME], USER)]}}
    assert cloud("PUT", f"{AT}/mappings/m", json=mapping).json()["mapping"]["schema_version"] == "1.0"
    provider = {"identity_provider": {"enabled": True, "remote_ids": ["https://a"], "description": "x"}}
    made = cloud("PUT", f"{AT}/identity_providers/corp", json=provider)
    assert made.status_code == 201
    assert made.json()["identity_provider"]["domain_id"], "it gets a domain of its own"
    taken = cloud("PUT", f"{AT}/identity_providers/other", json=provider)
    assert taken.status_code == 409
    protocol = {"protocol": {"mapping_id": "m"}}
    one = f"{AT}/identity_providers/corp/protocols/openid"
    assert cloud("PUT", one, json={"protocol": {"mapping_id": "nowhere"}}).status_code == 400
    assert cloud("PUT", one, json=protocol).status_code == 201
    assert cloud("GET", one).json()["protocol"]["mapping_id"] == "m"
    assert cloud("PATCH", one, json=protocol).status_code == 200
    changed = cloud("PATCH", f"{AT}/identity_providers/corp", json={"identity_provider": {"enabled": False}})
    assert changed.json()["identity_provider"]["enabled"] is False
    assert [it["id"] for it in cloud("GET", f"{AT}/identity_providers").json()["identity_providers"]] == ["corp"]
    assert [it["id"] for it in cloud("GET", f"{AT}/mappings").json()["mappings"]] == ["m"]
    demo = cloud.token("demo", "demo-secret", on_project("demo"))
    assert cloud("GET", f"{AT}/identity_providers", token=demo).status_code == 403
    assert cloud("DELETE", f"{AT}/identity_providers/corp").status_code == 204
    assert cloud("GET", one).status_code == 404
    assert cloud("DELETE", f"{AT}/mappings/m").status_code == 204


def test_memberships_by_mapping_end(cloud: Cloud, clock: Any) -> None:
    group, bob = cloud.made("groups", name="ops"), cloud.made("users", name="bob", password="pw")
    member = cloud.id_of("roles", "member")
    demo = cloud.id_of("projects", "demo")
    cloud("PUT", f"/v3/projects/{demo}/groups/{group['id']}/roles/{member}")
    now = clock.now()
    cloud.identity.groups.lend(bob["id"], [group["id"]], now + 60_000_000)
    assert cloud.token("bob", "pw", on_project("demo"))
    clock.advance(61)
    body = {"auth": {"identity": {"methods": ["password"], "password": {"user": {"id": bob["id"], "password": "pw"}}}}}
    body["auth"]["scope"] = on_project("demo")
    assert cloud("POST", "/v3/auth/tokens", token="", json=body).status_code == 401
