"""A domain whose users are a real directory's: signing in, groups, listings; read only."""

import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import Http

from nephele.identity.login import DomainRef, Login, PasswordProof, ProjectRef, Proofs, Scope, UserRef
from nephele.identity.model import Actor, Assignment, Project, Target
from nephele.identity.passwords import Passwords
from nephele.identity.routes import api
from nephele.identity.service import Identity
from nephele.kernel.clock import FakeClock
from nephele.kernel.errors import Refused
from nephele.kernel.ids import Ids
from nephele.kernel.store import Store

SLAPD = shutil.which("slapd", path="/usr/sbin:/usr/local/sbin:/usr/bin")
CONFIG = """
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
pidfile {folder}/pid
modulepath /usr/lib/ldap
moduleload back_mdb
database mdb
suffix "dc=corp"
rootdn "cn=admin,dc=corp"
rootpw admin-secret
directory {folder}/data
access to attrs=userPassword by anonymous auth by * none
access to * by dn.exact="cn=admin,dc=corp" write by * none
"""
PERSON = """
dn: cn={name},ou=people,dc=corp
objectClass: inetOrgPerson
cn: {name}
sn: {name}
mail: {name}@corp
employeeType: {enabled}
userPassword: {name}-secret
"""
TREE = """
dn: dc=corp
objectClass: dcObject
objectClass: organization
dc: corp
o: Corp

dn: ou=people,dc=corp
objectClass: organizationalUnit
ou: people

dn: ou=groups,dc=corp
objectClass: organizationalUnit
ou: groups
{people}
dn: cn=ops,ou=groups,dc=corp
objectClass: groupOfNames
cn: ops
member: cn=ann,ou=people,dc=corp
"""


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a running slapd with three people in it."""
    assert SLAPD, "slapd is not installed: `scripts/setup test-packages`"
    folder = tmp_path_factory.mktemp("slapd")
    (folder / "data").mkdir()
    (folder / "slapd.conf").write_text(CONFIG.format(folder=folder))
    people = "".join(PERSON.format(name=name, enabled=name != "old") for name in ("ann", "bob", "old"))
    tree = folder / "tree.ldif"
    tree.write_text(TREE.format(people=people).lstrip())
    subprocess.run([str(Path(SLAPD).with_name("slapadd")), "-f", folder / "slapd.conf", "-l", tree], check=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"ldap://127.0.0.1:{port}"
    process = subprocess.Popen([SLAPD, "-f", folder / "slapd.conf", "-h", address, "-d", "0"])
    try:
        deadline = time.monotonic() + 20
        while socket.socket().connect_ex(("127.0.0.1", port)):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield address
    finally:
        process.terminate()
        process.wait(10)


@pytest.fixture
def identity(store: Store, clock: FakeClock, ids: Ids) -> Identity:
    identity = Identity(store, clock, ids, passwords=Passwords(memory_kib=64, passes=1))
    identity.start()
    identity.seed("admin-secret", "demo-secret")
    return identity


@pytest.fixture
def corp(identity: Identity, directory: str) -> str:
    """The id of the directory's domain."""
    domain = identity.projects.create(Project("", "corp", "", "", True, True, "", {}, {}))
    ldap: dict[str, object] = {
        "url": directory,
        "user": "cn=admin,dc=corp",
        "password": "admin-secret",
        "suffix": "dc=corp",
        "user_tree_dn": "ou=people,dc=corp",
        "user_name_attribute": "cn",
        "user_enabled_attribute": "employeeType",
        "group_tree_dn": "ou=groups,dc=corp",
        "group_name_attribute": "cn",
    }
    identity.domain_config.replace(domain.id, {"identity": {"driver": "ldap"}, "ldap": ldap})
    return domain.id


def login(name: str, password: str, project: str = "") -> Login:
    proof = PasswordProof(UserRef(name=name, domain=DomainRef(name="corp"), password=password))
    scope = Scope(project=ProjectRef(name=project, domain=DomainRef(id="default"))) if project else None
    return Login(Proofs(methods=("password",), password=proof), scope)


def test_the_directory_says_whose_password_is_right(identity: Identity, corp: str) -> None:
    claims = identity.issue(login("ann", "ann-secret"))[1]
    assert (claims.user_name, claims.user_domain_id) == ("ann", corp)
    assert identity.issue(login("ann", "ann-secret"))[1].user_id == claims.user_id, "the same user each time"
    assert identity.users.get(claims.user_id).extra == {"email": "ann@corp"}
    for name, password in (("ann", "wrong"), ("ann", ""), ("nobody", "x"), ("old", "old-secret"), ("a*", "ann-secret")):
        with pytest.raises(Refused) as refused:
            identity.issue(login(name, password))
        assert refused.value.status == 401, name


def test_its_groups_give_roles(identity: Identity, corp: str, clock: FakeClock) -> None:
    identity.directories.refresh(corp)
    ops = identity.groups.find([("domain_id", corp)])
    assert [group.name for group in ops] == ["ops"]
    demo = identity.projects.named("demo", "default")
    assert demo is not None
    member = identity.roles.graph().ids_by_name["member"]
    identity.assignments.grant(Assignment(Actor.GROUP, ops[0].id, Target.PROJECT, demo.id, member))
    token, claims = identity.issue(login("ann", "ann-secret", "demo"))
    assert claims.roles == ("member", "reader")
    assert identity.verify(token).project_id == demo.id
    with pytest.raises(Refused):
        identity.issue(login("bob", "bob-secret", "demo"))


def test_listings_show_it_and_nothing_writes_to_it(identity: Identity, corp: str, http: Callable[..., Http]) -> None:
    client = http(api(identity))

    def call(method: str, path: str, **options: Any) -> Any:
        return client(method, f"/identity/v3/{path}", as_="admin", **options)

    users = call("GET", f"users?domain_id={corp}").json()["users"]
    assert {user["name"]: user["enabled"] for user in users} == {"ann": True, "bob": True, "old": False}
    assert [group["name"] for group in call("GET", f"groups?domain_id={corp}").json()["groups"]] == ["ops"]
    group = call("GET", f"groups?domain_id={corp}").json()["groups"][0]["id"]
    one = f"users/{users[0]['id']}"
    assert call("POST", "users", json={"user": {"name": "eve", "domain_id": corp}}).status_code == 403
    assert call("PATCH", one, json={"user": {"password": "x"}}).status_code == 403
    assert call("DELETE", one).status_code == 403
    assert call("POST", "groups", json={"group": {"name": "new", "domain_id": corp}}).status_code == 403
    assert call("PUT", f"groups/{group}/{one}").status_code == 403


def test_a_directory_that_is_away_is_said_to_be(identity: Identity, corp: str) -> None:
    identity.domain_config.merge(corp, {"ldap": {"url": "ldap://127.0.0.1:1"}}, "", "")
    with pytest.raises(Refused) as refused:
        identity.issue(login("ann", "ann-secret"))
    assert refused.value.status == 503
