"""Allocations in the database: what each consumer holds, and the one place where that changes."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from msgspec import UNSET, Struct, UnsetType

from nephele.kernel.clock import Instant
from nephele.kernel.statements import Statement
from nephele.placement.changes import next_revision, show_anew, touch
from nephele.placement.errors import (
    ALLOCATED_PROVIDER_NOT_FOUND,
    BAD_AMOUNT,
    CONSUMER_CHANGED,
    NOTHING_TO_ALLOCATE,
    OVER_CAPACITY,
)
from nephele.placement.model import Allocation, Allocations, Consumer, Inventory, Provider, Room
from nephele.placement.providers import find_providers
from nephele.placement.snapshot import room_of
from nephele.placement.tables import allocations, consumers, inventories, providers


class Claim(Struct, frozen=True, kw_only=True):
    """All that one consumer shall hold from now on; nothing: it goes.

    Args:
        consumer_uuid: who.
        allocations: amounts by provider uuid and class.
        project_id: whose.
        user_id: of that project.
        consumer_type: what kind of consumer; UNSET leaves it as it is.
        generation: the consumer's generation as the asker knows it; None: it must not exist; UNSET: not asked.
    """

    consumer_uuid: str
    allocations: Allocations
    project_id: str
    user_id: str
    consumer_type: str | UnsetType | None = UNSET
    generation: int | UnsetType | None = UNSET


_Key = tuple[int, str]
_CONSUMER_COLUMNS = tuple(consumers.c[name] for name in Consumer.__struct_fields__)
_CONSUMERS = Statement(sa.select(*_CONSUMER_COLUMNS).where(consumers.c.uuid.in_(sa.bindparam("uuids", expanding=True))))
_PROVIDER_IDS: sa.BindParameter[Any] = sa.bindparam("ids", expanding=True)
_CONSUMER_UUIDS: sa.BindParameter[Any] = sa.bindparam("uuids", expanding=True)
_HELD = Statement(
    sa.select(
        allocations.c.consumer_uuid, allocations.c.provider_id, allocations.c.resource_class, allocations.c.used
    ).where(allocations.c.consumer_uuid.in_(_CONSUMER_UUIDS))
)
_USED = Statement(
    sa.select(allocations.c.provider_id, allocations.c.resource_class, sa.func.sum(allocations.c.used))
    .where(allocations.c.provider_id.in_(_PROVIDER_IDS))
    .group_by(allocations.c.provider_id, allocations.c.resource_class)
)
_INVENTORIES = Statement(
    sa.select(
        inventories.c.provider_id,
        inventories.c.resource_class,
        inventories.c.total,
        inventories.c.reserved,
        inventories.c.min_unit,
        inventories.c.max_unit,
        inventories.c.step_size,
        inventories.c.allocation_ratio,
    ).where(inventories.c.provider_id.in_(_PROVIDER_IDS))
)
_FREE = Statement(sa.delete(allocations).where(allocations.c.consumer_uuid.in_(_CONSUMER_UUIDS)))
_FORGET = Statement(sa.delete(consumers).where(consumers.c.uuid.in_(_CONSUMER_UUIDS)))
_RENEW = Statement(
    sa.update(consumers)
    .where(consumers.c.uuid == sa.bindparam("consumer"))
    .values(
        project_id=sa.bindparam("project"),
        user_id=sa.bindparam("user"),
        consumer_type=sa.bindparam("kind"),
        generation=consumers.c.generation + 1,
        updated_at=sa.bindparam("now"),
    )
)
_NEW_ALLOCATIONS = Statement(allocations.insert())
_NEW_CONSUMERS = Statement(consumers.insert())
_OF_CONSUMER = Statement(
    sa.select(providers.c.uuid, allocations.c.resource_class, allocations.c.used)
    .join(providers, providers.c.id == allocations.c.provider_id)
    .where(allocations.c.consumer_uuid == sa.bindparam("uuid"))
    .order_by(allocations.c.provider_id, allocations.c.resource_class)
)


def find_consumers(db: sa.Connection, uuids: Iterable[str]) -> dict[str, Consumer]:
    """Those of the consumers that exist, by uuid."""
    found = {}
    for row in _CONSUMERS.rows(db, uuids=list(uuids)):
        found[row[0]] = Consumer(**dict(zip(Consumer.__struct_fields__, row, strict=True)))
    return found


def held_by(db: sa.Connection, consumer_uuid: str) -> list[Allocation]:
    """What a consumer holds."""
    return [Allocation(*row) for row in _OF_CONSUMER.rows(db, uuid=consumer_uuid)]


def held_on(db: sa.Connection, provider: Provider) -> list[tuple[str, int, str, int, Instant]]:
    """What is held on a provider: (consumer, its generation, class, amount, since)."""
    query = (
        sa.select(
            allocations.c.consumer_uuid,
            consumers.c.generation,
            allocations.c.resource_class,
            allocations.c.used,
            allocations.c.created_at,
        )
        .join(consumers, consumers.c.uuid == allocations.c.consumer_uuid)
        .where(allocations.c.provider_id == provider.id)
        .order_by(allocations.c.consumer_uuid, allocations.c.resource_class)
    )
    return [tuple(row) for row in db.execute(query)]


def count_consumers(db: sa.Connection, project_id: str, user_id: str = "") -> list[tuple[str | None, int]]:
    """(type, number) of a project's consumers, or of one user's of it."""
    query = sa.select(consumers.c.consumer_type, sa.func.count()).where(_owned(project_id, user_id))
    return [(kind, int(count)) for kind, count in db.execute(query.group_by(consumers.c.consumer_type))]


def used_by_type(db: sa.Connection, project_id: str, user_id: str = "") -> list[tuple[str | None, str, int]]:
    """(type of consumer, class, amount) that a project holds, or one user of it."""
    query = (
        sa.select(consumers.c.consumer_type, allocations.c.resource_class, sa.func.sum(allocations.c.used))
        .join(consumers, consumers.c.uuid == allocations.c.consumer_uuid)
        .where(_owned(project_id, user_id))
        .group_by(consumers.c.consumer_type, allocations.c.resource_class)
    )
    return [(kind, name, int(used)) for kind, name, used in db.execute(query)]


def _owned(project_id: str, user_id: str) -> sa.ColumnElement[bool]:
    owned = consumers.c.project_id == project_id
    return sa.and_(owned, consumers.c.user_id == user_id) if user_id else owned


def replace_allocations(db: sa.Connection, claims: Sequence[Claim], now: Instant, *, unless_held: bool = False) -> None:
    """Give each consumer what its claim says instead of what it holds: all of them or none.

    With `unless_held` nothing at all changes where they hold exactly that already.

    Raises:
        CONSUMER_CHANGED: a generation that is not the consumer's.
        ALLOCATED_PROVIDER_NOT_FOUND: a provider that does not exist.
        NOTHING_TO_ALLOCATE: no inventory of the class.
        BAD_AMOUNT: an amount outside the inventory's units.
        OVER_CAPACITY: more than is free, unless less is taken than before.
    """
    revision = next_revision(db)
    uuids = [claim.consumer_uuid for claim in claims]
    present = find_consumers(db, uuids)
    _check_generations(claims, present)
    known = _providers_of(db, claims)
    wanted = [
        (claim.consumer_uuid, known[uuid].id, name, amount)
        for claim in claims
        for uuid, amounts in claim.allocations.items()
        for name, amount in amounts.items()
    ]
    held = _HELD.rows(db, uuids=uuids) if present else []
    if unless_held and held and sorted(held) == sorted(wanted):
        return
    _check_capacity(db, wanted, held, {provider.id: provider.uuid for provider in known.values()})
    if held:
        _FREE.run(db, uuids=uuids)
    _keep_consumers(db, claims, present, now)
    if wanted:
        names = ("consumer_uuid", "provider_id", "resource_class", "used")
        _NEW_ALLOCATIONS.run_many(db, [{**dict(zip(names, row, strict=True)), "created_at": now} for row in wanted])
    emptied = {claim.consumer_uuid for claim in claims if not claim.allocations}
    changed = {row[1] for row in wanted} | {row[1] for row in held if row[0] in emptied}
    touch(db, changed, revision, now)
    show_anew(db, {row[1] for row in held} - changed, revision)


def release_allocations(db: sa.Connection, consumer_uuid: str) -> bool:
    """Take everything from a consumer and forget it; whether it held anything."""
    revision = next_revision(db)
    held = {row[1] for row in _HELD.rows(db, uuids=[consumer_uuid])}
    if held:
        _FREE.run(db, uuids=[consumer_uuid])
        show_anew(db, held, revision)
    _FORGET.run(db, uuids=[consumer_uuid])
    return bool(held)


def _check_generations(claims: Sequence[Claim], present: Mapping[str, Consumer]) -> None:
    for claim in claims:
        consumer = present.get(claim.consumer_uuid)
        expected = consumer.generation if consumer else None
        if claim.generation is not UNSET and claim.generation != expected:
            expected_text = "null" if expected is None else expected
            given = "null" if claim.generation is None else claim.generation
            raise CONSUMER_CHANGED(expected=expected_text, given=given)


def _providers_of(db: sa.Connection, claims: Sequence[Claim]) -> dict[str, Provider]:
    uuids = {uuid for claim in claims for uuid in claim.allocations}
    known = find_providers(db, uuids) if uuids else {}
    for uuid in uuids:
        if uuid not in known:
            raise ALLOCATED_PROVIDER_NOT_FOUND(uuid=uuid)
    return known


def _check_capacity(
    db: sa.Connection,
    wanted: Sequence[tuple[str, int, str, int]],
    held: Sequence[tuple[str, int, str, int]],
    uuids: Mapping[int, str],
) -> None:
    """Whether what is wanted has room once what is held is given back."""
    if not wanted:
        return
    ids = list(uuids)
    used = {(provider_id, name): int(amount) for provider_id, name, amount in _USED.rows(db, ids=ids)}
    before = _sums(held)
    asked = _sums(wanted)
    rooms = {
        (provider_id, name): room_of(
            Inventory(*fields), used.get((provider_id, name), 0) - before.get((provider_id, name), 0)
        )
        for provider_id, name, *fields in _INVENTORIES.rows(db, ids=ids)
    }
    for _consumer, provider_id, name, amount in wanted:
        key = (provider_id, name)
        _check_room(uuids[provider_id], name, rooms.get(key), amount, asked[key], before.get(key, 0))


def _check_room(uuid: str, name: str, room: Room | None, amount: int, asked: int, before: int) -> None:
    if room is None:
        raise NOTHING_TO_ALLOCATE(uuid=uuid, name=name)
    if not room.min_unit <= amount <= room.max_unit or amount % room.step_size:
        units = {"step_size": room.step_size, "min_unit": room.min_unit, "max_unit": room.max_unit}
        raise BAD_AMOUNT(uuid=uuid, name=name, asked=amount, **units)
    # A provider that shrank below what is used may still be relieved step by step.
    if asked > room.free and asked > before:
        raise OVER_CAPACITY(uuid=uuid, name=name, asked=asked, free=max(room.free, 0), capacity=room.capacity)


def _sums(rows: Iterable[tuple[str, int, str, int]]) -> dict[_Key, int]:
    sums: dict[_Key, int] = defaultdict(int)
    for _consumer, provider_id, name, amount in rows:
        sums[provider_id, name] += amount
    return sums


def _keep_consumers(db: sa.Connection, claims: Sequence[Claim], present: Mapping[str, Consumer], now: Instant) -> None:
    """Make, renew or forget the consumers' own rows."""
    new: list[dict[str, Any]] = []
    for claim in claims:
        consumer = present.get(claim.consumer_uuid)
        kind = claim.consumer_type
        if not claim.allocations:
            continue
        if consumer is None:
            new.append(
                {
                    "uuid": claim.consumer_uuid,
                    "project_id": claim.project_id,
                    "user_id": claim.user_id,
                    "generation": 1,
                    "consumer_type": None if kind is UNSET else kind,
                    "created_at": now,
                    "updated_at": now,
                }
            )
        else:
            values = {
                "consumer": consumer.uuid,
                "project": claim.project_id,
                "user": claim.user_id,
                "kind": consumer.consumer_type if kind is UNSET else kind,
                "now": now,
            }
            _RENEW.run(db, **values)
    if new:
        _NEW_CONSUMERS.run_many(db, new)
    gone = [claim.consumer_uuid for claim in claims if not claim.allocations and claim.consumer_uuid in present]
    if gone:
        _FORGET.run(db, uuids=gone)
