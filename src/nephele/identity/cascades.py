"""What goes with a user or a project when it goes."""

from collections.abc import Collection

import sqlalchemy as sa

from nephele.identity.model import Actor
from nephele.identity.tables import (
    access_rules,
    app_credentials,
    assignments,
    credentials,
    domain_options,
    limits,
    memberships,
    old_passwords,
    project_endpoint_groups,
    project_endpoints,
    project_tags,
    remote_users,
    trusts,
    users,
)


def forget_users(db: sa.Connection, user_ids: Collection[str]) -> None:
    """Remove users with their roles, memberships, credentials and trusts."""
    roles = assignments.c
    db.execute(assignments.delete().where(roles.actor_type == Actor.USER, roles.actor_id.in_(user_ids)))
    db.execute(trusts.delete().where(trusts.c.trustor_user_id.in_(user_ids) | trusts.c.trustee_user_id.in_(user_ids)))
    for table in (memberships, app_credentials, access_rules, credentials, old_passwords, remote_users):
        db.execute(table.delete().where(table.c.user_id.in_(user_ids)))
    db.execute(users.delete().where(users.c.id.in_(user_ids)))


def trusts_of(db: sa.Connection, user_ids: Collection[str]) -> list[str]:
    """The ids of all trusts that users gave or got: their tokens may be in the name of either side."""
    row = trusts.c
    select = sa.select(row.id).where(row.trustor_user_id.in_(user_ids) | row.trustee_user_id.in_(user_ids))
    return list(db.execute(select).scalars().all())


def trustees_of(db: sa.Connection, user_id: str) -> set[str]:
    """The users that a user trusts."""
    return set(
        db.execute(sa.select(trusts.c.trustee_user_id).where(trusts.c.trustor_user_id == user_id)).scalars().all()
    )


def forget_project_parts(db: sa.Connection, project_ids: Collection[str]) -> None:
    """Remove the roles on projects (or domains), their tags, limits, and the credentials and trusts for them."""
    db.execute(assignments.delete().where(assignments.c.target_id.in_(project_ids)))
    for table in (project_tags, app_credentials, credentials, trusts, project_endpoints, project_endpoint_groups):
        db.execute(table.delete().where(table.c.project_id.in_(project_ids)))
    db.execute(limits.delete().where(limits.c.project_id.in_(project_ids) | limits.c.domain_id.in_(project_ids)))
    db.execute(domain_options.delete().where(domain_options.c.domain_id.in_(project_ids)))
    db.execute(users.update().where(users.c.default_project_id.in_(project_ids)).values(default_project_id=""))


def forget_credentials(db: sa.Connection, user_id: str, project_id: str) -> None:
    """Remove a user's application credentials for a project: it has lost a role there."""
    row = app_credentials.c
    db.execute(app_credentials.delete().where(row.user_id == user_id, row.project_id == project_id))
