"""RBAC policies: how a project lets others use what it owns, and what that makes visible."""

from collections.abc import Sequence

import sqlalchemy as sa

from nephele.kernel.errors import Error
from nephele.kernel.statements import Statement
from nephele.network import errors, tables
from nephele.network.model import RbacPolicy
from nephele.network.quotas import take_quota
from nephele.network.records import ME, Records, born
from nephele.network.work import Work

SHARED, EXTERNAL = "access_as_shared", "access_as_external"
EVERYONE = "*"
_rbac = tables.rbac_policies

RBAC: Records[RbacPolicy] = Records(
    _rbac,
    RbacPolicy,
    errors.RBAC_NOT_FOUND,
    sa.or_(_rbac.c.project_id == ME, _rbac.c.target_tenant.in_((ME, EVERYONE))),
)

SHAREABLE: dict[str, tuple[sa.Table, Error, tuple[str, ...]]] = {
    "network": (tables.networks, errors.NETWORK_NOT_FOUND, (SHARED, EXTERNAL)),
    "security_group": (tables.security_groups, errors.GROUP_NOT_FOUND, (SHARED,)),
    "address_scope": (tables.address_scopes, errors.SCOPE_NOT_FOUND, (SHARED,)),
    "subnetpool": (tables.subnet_pools, errors.POOL_NOT_FOUND, (SHARED,)),
    "qos_policy": (tables.qos_policies, errors.QOS_POLICY_NOT_FOUND, (SHARED,)),
    "address_group": (tables.address_groups, errors.ADDRESS_GROUP_NOT_FOUND, (SHARED,)),
}
"""What can be shared: its table, the refusal where it is not there, and the actions."""


def granted(kind: str, *actions: str) -> sa.Select[tuple[str]]:
    """Ids of what others let the caller (`ME`) use; with any action where none is named."""
    found = sa.select(_rbac.c.object_id).where(_rbac.c.object_type == kind, _rbac.c.target_tenant.in_((ME, EVERYONE)))
    return found.where(_rbac.c.action.in_(actions)) if actions else found


_SHARED = Statement(
    sa.select(_rbac.c.object_id).where(
        _rbac.c.action == SHARED,
        _rbac.c.target_tenant.in_((ME, EVERYONE)),
        _rbac.c.object_id.in_(sa.bindparam("ids", expanding=True)),
    )
)


def shared_among(work: Work, ids: Sequence[str]) -> set[str]:
    """Which of these are shared with the caller, as its `shared` attributes show it."""
    return set(_SHARED.scalars(work.db, me=work.me, ids=ids))


def share(work: Work, kind: str, object_id: str, owner: str, action: str = SHARED, target: str = EVERYONE) -> None:
    """Let `target` use it; does nothing where it may already."""
    if not _policies(work, object_id, action, target):
        draft = RbacPolicy("", owner, "", (), 0, 0, 0, kind, object_id, action, target)
        RBAC.insert(work, born(work, draft))


def unshare(work: Work, object_id: str, action: str = SHARED, target: str = EVERYONE) -> None:
    """Take that back."""
    for policy in _policies(work, object_id, action, target):
        RBAC.delete(work, policy.id)


def forget_shares(work: Work, object_id: str) -> None:
    """The thing itself is going away."""
    work.db.execute(sa.delete(_rbac).where(_rbac.c.object_id == object_id))


def _policies(work: Work, object_id: str, action: str, target: str) -> list[RbacPolicy]:
    return RBAC.where(work, _rbac.c.object_id == object_id, _rbac.c.action == action, _rbac.c.target_tenant == target)


def create_rbac_policy(work: Work, draft: RbacPolicy) -> RbacPolicy:
    """Share something the caller owns."""
    if draft.object_type not in SHAREABLE:
        raise errors.BAD_ATTRIBUTE(attribute="object_type", reason=f"'{draft.object_type}' is not in {list(SHAREABLE)}")
    table, missing, actions = SHAREABLE[draft.object_type]
    if draft.action not in actions:
        raise errors.BAD_ATTRIBUTE(attribute="action", reason=f"'{draft.action}' is not in {list(actions)}")
    owned = sa.select(table.c.id).where(table.c.id == draft.object_id)
    if not work.everything:
        owned = owned.where(table.c.project_id == work.me)
    if work.db.execute(owned).first() is None:
        raise missing(id=draft.object_id)
    _enforce_target(work, "create", draft)
    take_quota(work, "rbac_policy", draft.project_id)
    if _policies(work, draft.object_id, draft.action, draft.target_tenant):
        raise errors.RBAC_EXISTS()
    policy = born(work, draft)
    RBAC.insert(work, policy)
    if policy.action == EXTERNAL:
        _mark_external(work, policy.object_id, external=True)
    return policy


def change_rbac_policy(work: Work, old: RbacPolicy, new: RbacPolicy) -> RbacPolicy:
    """Share it with another project instead."""
    if new.target_tenant == old.target_tenant:
        return old
    _enforce_target(work, "update", new)
    if _policies(work, old.object_id, old.action, new.target_tenant):
        raise errors.RBAC_EXISTS()
    _refuse_if_used(work, old)
    return RBAC.save(work, old, new)


def _enforce_target(work: Work, verb: str, policy: RbacPolicy) -> None:
    """Sharing with everyone has a rule of its own."""
    target = {"project_id": policy.project_id, "target_tenant": policy.target_tenant}
    work.enforce(f"{verb}_rbac_policy:target_tenant", target)


def delete_rbac_policy(work: Work, policy: RbacPolicy) -> None:
    """Stop sharing; refused while the other project uses it."""
    _refuse_if_used(work, policy)
    RBAC.delete(work, policy.id)
    if policy.action == EXTERNAL and not RBAC.where(
        work, _rbac.c.object_id == policy.object_id, _rbac.c.action == EXTERNAL
    ):
        _mark_external(work, policy.object_id, external=False)


def _mark_external(work: Work, network_id: str, *, external: bool) -> None:
    networks = tables.networks
    work.db.execute(sa.update(networks).where(networks.c.id == network_id).values(external=external))


def _refuse_if_used(work: Work, policy: RbacPolicy) -> None:
    """A network or security group on which another project has ports that only this policy allows."""
    if policy.object_type not in ("network", "security_group") or policy.action != SHARED:
        return
    used = users(work, policy.object_type, policy.object_id) - {policy.project_id, ""}
    others = RBAC.where(work, _rbac.c.object_id == policy.object_id, _rbac.c.action == SHARED, _rbac.c.id != policy.id)
    targets = {other.target_tenant for other in others}
    concerned = used if policy.target_tenant == EVERYONE else used & {policy.target_tenant}
    if EVERYONE not in targets and concerned - targets:
        raise errors.RBAC_IN_USE(id=policy.object_id, reason="There are ports of other projects on it.")


def users(work: Work, kind: str, object_id: str) -> set[str]:
    """Projects with ports on a network or in a security group."""
    ports, bound = tables.ports, tables.port_groups
    found = sa.select(ports.c.project_id).distinct()
    if kind == "network":
        found = found.where(ports.c.network_id == object_id)
    else:
        found = found.join(bound, bound.c.port_id == ports.c.id).where(bound.c.group_id == object_id)
    return set(work.db.execute(found).scalars())


def apply_shared(work: Work, kind: str, object_id: str, owner: str, *, shared: bool) -> None:
    """Set the `shared` attribute of something: a policy for everyone, or none."""
    if shared:
        share(work, kind, object_id, owner)
    else:
        for policy in _policies(work, object_id, SHARED, EVERYONE):
            if policy.object_type == "network" and users(work, kind, object_id) - {owner, ""}:
                raise errors.NETWORK_SHARED(id=object_id)
            RBAC.delete(work, policy.id)
