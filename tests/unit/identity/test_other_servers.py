"""What takes rights away on one server holds on every other within a second."""

from collections.abc import Callable

import pytest
from tests.unit.identity.conftest import QUICK

from nephele.identity.login import DomainRef, Login, PasswordProof, ProjectRef, Proofs, Scope, UserRef
from nephele.identity.model import Actor, Assignment, Target, User
from nephele.identity.projects import ProjectChange
from nephele.identity.service import Identity
from nephele.identity.users import UserChange
from nephele.kernel.clock import FakeClock
from nephele.kernel.errors import Refused
from nephele.kernel.ids import Ids
from nephele.kernel.store import Store

Deed = Callable[[Identity, str, str, str], None]
DEEDS: dict[str, Deed] = {
    "the user is disabled": lambda it, user, _project, _role: _done(it.users.update(user, UserChange(enabled=False))),
    "its password is reset": lambda it, user, _project, _role: _done(it.users.update(user, UserChange(password="x"))),
    "it changes its password": lambda it, user, _project, _role: it.users.passwords.change(user, "pw", "other"),
    "it is deleted": lambda it, user, _project, _role: it.users.delete(user),
    "its last role is taken": lambda it, user, project, role: it.assignments.revoke(
        Assignment(Actor.USER, user, Target.PROJECT, project, role)
    ),
    "the project is disabled": lambda it, _user, project, _role: _done(
        it.projects.update(project, ProjectChange(enabled=False))
    ),
    "the project is deleted": lambda it, _user, project, _role: it.projects.delete(project),
    "the role is deleted": lambda it, _user, _project, role: it.roles.delete(role),
}


def _done(_changed: object) -> None:
    pass


@pytest.mark.parametrize("deed", DEEDS)
def test_a_token_ends_on_every_server(deed: str, identity: Identity, store: Store, clock: FakeClock, ids: Ids) -> None:
    other_store = Store(store.url.render_as_string())
    other = Identity(other_store, clock, ids, passwords=QUICK)
    other.start()
    try:
        user = identity.users.create(User("", "bob", "default", True, "", None, {}, {}), "pw").id
        role = identity.roles.create("painter").id
        demo = identity.projects.named("demo", "default")
        assert demo is not None
        identity.assignments.grant(Assignment(Actor.USER, user, Target.PROJECT, demo.id, role))
        proof = PasswordProof(UserRef(id=user, domain=DomainRef(), password="pw"))
        token = identity.issue(Login(Proofs(("password",), password=proof), Scope(project=ProjectRef(id=demo.id))))[0]
        clock.advance(1)
        assert other.verify(token).roles == frozenset({"painter"})
        DEEDS[deed](identity, user, demo.id, role)
        with pytest.raises(Refused):
            identity.verify(token)
        clock.advance(1)
        with pytest.raises(Refused):
            other.verify(token)
    finally:
        other_store.close()
