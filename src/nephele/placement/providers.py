"""Resource providers in the database: their trees, inventories, traits and aggregates."""

from collections.abc import Iterable, Mapping
from typing import Any

import sqlalchemy as sa

from nephele.kernel.clock import Instant
from nephele.kernel.statements import Statement
from nephele.placement.changes import mark_removed, next_revision, show_anew, touch
from nephele.placement.errors import (
    INVENTORY_IN_USE,
    NEW_PARENT_NOT_FOUND,
    PARENT_FIXED,
    PARENT_IS_SELF,
    PARENT_KEPT,
    PARENT_LOOP,
    PARENT_NOT_FOUND,
    PROVIDER_CHANGED,
    PROVIDER_EXISTS,
    PROVIDER_HAS_CHILDREN,
    PROVIDER_IN_USE,
    PROVIDER_NOT_FOUND,
)
from nephele.placement.model import MAX_INT, Inventory, Provider
from nephele.placement.names import standard_classes
from nephele.placement.tables import allocations, inventories, provider_aggregates, provider_traits, providers

_COLUMNS = tuple(providers.c[name] for name in Provider.__struct_fields__)
_BY_UUID = sa.select(*_COLUMNS).where(providers.c.uuid == sa.bindparam("uuid"))
_BY_UUIDS = Statement(sa.select(*_COLUMNS).where(providers.c.uuid.in_(sa.bindparam("uuids", expanding=True))))
_BY_ID = sa.select(*_COLUMNS).where(providers.c.id == sa.bindparam("id"))
_INVENTORIES = (
    sa.select(
        inventories.c.resource_class,
        inventories.c.total,
        inventories.c.reserved,
        inventories.c.min_unit,
        inventories.c.max_unit,
        inventories.c.step_size,
        inventories.c.allocation_ratio,
    )
    .where(inventories.c.provider_id == sa.bindparam("id"))
    .order_by(inventories.c.resource_class)
)


def _provider(row: Iterable[Any]) -> Provider:
    return Provider(**dict(zip(Provider.__struct_fields__, row, strict=True)))


def find_provider(db: sa.Connection, uuid: str) -> Provider:
    """The provider.  Raises PROVIDER_NOT_FOUND."""
    row = db.execute(_BY_UUID, {"uuid": uuid}).one_or_none()
    if row is None:
        raise PROVIDER_NOT_FOUND(uuid=uuid)
    return _provider(row)


def find_providers(db: sa.Connection, uuids: Iterable[str]) -> dict[str, Provider]:
    """Those of the providers that exist, by uuid."""
    found = [_provider(row) for row in _BY_UUIDS.rows(db, uuids=list(uuids))]
    return {provider.uuid: provider for provider in found}


def provider_by_id(db: sa.Connection, provider_id: int) -> Provider:
    """The provider that a row of ours refers to."""
    return _provider(db.execute(_BY_ID, {"id": provider_id}).one())


def check_generation(provider: Provider, given: int | None) -> None:
    """Raise PROVIDER_CHANGED unless `given` is the provider's generation (None: not asked)."""
    if given is not None and given != provider.generation:
        raise PROVIDER_CHANGED(uuid=provider.uuid, generation=provider.generation, given=given)


def create_provider(db: sa.Connection, *, uuid: str, name: str, parent_uuid: str | None, now: Instant) -> Provider:
    """Make a provider, below its parent if it has one.

    Raises PROVIDER_EXISTS, PARENT_IS_SELF or PARENT_NOT_FOUND.
    """
    if parent_uuid == uuid:
        raise PARENT_IS_SELF(name=name, uuid=uuid)
    parent = find_providers(db, [parent_uuid]).get(parent_uuid) if parent_uuid else None
    if parent_uuid and parent is None:
        raise PARENT_NOT_FOUND(name=name, uuid=uuid)
    revision = next_revision(db)
    for field, value in (("uuid", uuid), ("name", name)):
        if db.execute(sa.select(providers.c.id).where(providers.c[field] == value)).first():
            raise PROVIDER_EXISTS(field=field, value=value)
    row = {
        "uuid": uuid,
        "name": name,
        "generation": 0,
        "parent_id": parent.id if parent else None,
        "root_id": parent.root_id if parent else None,
        "created_at": now,
        "updated_at": now,
        "revision": revision,
    }
    provider_id = db.execute(sa.insert(providers).values(row)).inserted_primary_key[0]  # type: ignore[index]
    if parent is None:
        db.execute(providers.update().where(providers.c.id == provider_id).values(root_id=provider_id))
    return provider_by_id(db, provider_id)


def update_provider(
    db: sa.Connection, provider: Provider, *, name: str, parent_uuid: str | None, moves: bool, now: Instant
) -> Provider:
    """Rename a provider and, where `moves`, put it with all below it under another parent (None: make it a root).

    Without `moves` a root may still be given its first parent.
    Raises PROVIDER_EXISTS, NEW_PARENT_NOT_FOUND, PARENT_LOOP, PARENT_FIXED or PARENT_KEPT.
    """
    taken = sa.select(providers.c.id).where(providers.c.name == name, providers.c.id != provider.id)
    if db.execute(taken).first():
        raise PROVIDER_EXISTS(field="name", value=name)
    revision = next_revision(db)
    parent = _new_parent(db, provider, parent_uuid, moves=moves)
    parent_id = parent.id if parent else None
    if parent_id != provider.parent_id:
        root_id = parent.root_id if parent else provider.id
        moved = _below(db, provider)
        db.execute(providers.update().where(providers.c.id.in_(moved)).values(root_id=root_id, revision=revision))
    new = {"name": name, "parent_id": parent_id, "updated_at": now, "revision": revision}
    db.execute(providers.update().where(providers.c.id == provider.id).values(new))
    return provider_by_id(db, provider.id)


def _new_parent(db: sa.Connection, provider: Provider, parent_uuid: str | None, *, moves: bool) -> Provider | None:
    parent = find_providers(db, [parent_uuid]).get(parent_uuid) if parent_uuid else None
    if parent_uuid and parent is None:
        raise NEW_PARENT_NOT_FOUND(uuid=provider.uuid)
    same = (parent.id if parent else None) == provider.parent_id
    if not moves and provider.parent_id is not None and not same:
        raise (PARENT_FIXED if parent else PARENT_KEPT)(uuid=provider.uuid)
    if parent and not same and parent.id in _below(db, provider):
        raise PARENT_LOOP(uuid=provider.uuid)
    return parent


def _below(db: sa.Connection, provider: Provider) -> set[int]:
    """The provider and all its descendants."""
    query = sa.select(providers.c.id, providers.c.parent_id).where(providers.c.root_id == provider.root_id)
    pairs = list(db.execute(query))
    found = {provider.id}
    while more := {child for child, parent in pairs if parent in found} - found:
        found |= more
    return found


def delete_provider(db: sa.Connection, provider: Provider) -> None:
    """Forget a provider with its inventories, traits and aggregates.

    Raises PROVIDER_HAS_CHILDREN or PROVIDER_IN_USE.
    """
    if db.execute(sa.select(providers.c.id).where(providers.c.parent_id == provider.id).limit(1)).first():
        raise PROVIDER_HAS_CHILDREN(uuid=provider.uuid)
    if db.execute(sa.select(allocations.c.used).where(allocations.c.provider_id == provider.id).limit(1)).first():
        raise PROVIDER_IN_USE(uuid=provider.uuid)
    mark_removed(db, provider.id, next_revision(db))
    db.execute(providers.delete().where(providers.c.id == provider.id))


def read_inventories(db: sa.Connection, provider: Provider) -> dict[str, Inventory]:
    """What the provider has, by class."""
    return {row[0]: Inventory(*row[1:]) for row in db.execute(_INVENTORIES, {"id": provider.id})}


def write_inventories(db: sa.Connection, provider: Provider, wanted: Mapping[str, Inventory], now: Instant) -> None:
    """Make `wanted` all that the provider has.  Raises INVENTORY_IN_USE for a class that would vanish under a user."""
    revision = next_revision(db)
    present = read_inventories(db, provider)
    gone = sorted(present.keys() - wanted.keys())
    if gone:
        used = sa.select(allocations.c.resource_class).distinct()
        used = used.where(allocations.c.provider_id == provider.id, allocations.c.resource_class.in_(gone))
        names = sorted(db.execute(used).scalars(), key=lambda name: (standard_classes().get(name, MAX_INT), name))
        if names:
            raise INVENTORY_IN_USE(names=", ".join(names), uuid=provider.uuid)
    changed = [name for name, inventory in wanted.items() if present.get(name) != inventory]
    here = inventories.c.provider_id == provider.id
    if gone or changed:
        db.execute(inventories.delete().where(here, inventories.c.resource_class.in_([*gone, *changed])))
    rows = [
        {"provider_id": provider.id, "resource_class": name, "updated_at": now, **_fields(wanted[name])}
        for name in changed
    ]
    if rows:
        db.execute(inventories.insert(), rows)
    touch(db, [provider.id], revision, now)


def _fields(inventory: Inventory) -> dict[str, int | float]:
    return {name: getattr(inventory, name) for name in Inventory.__struct_fields__}


def read_traits(db: sa.Connection, provider: Provider) -> set[str]:
    """The provider's traits."""
    return set(
        db.execute(sa.select(provider_traits.c.trait).where(provider_traits.c.provider_id == provider.id)).scalars()
    )


def write_traits(db: sa.Connection, provider: Provider, wanted: set[str], now: Instant) -> None:
    """Make `wanted` the provider's traits."""
    _write_set(db, provider, provider_traits.c.trait, read_traits(db, provider), wanted, now)


def read_aggregates(db: sa.Connection, provider: Provider) -> set[str]:
    """Aggregates that the provider is in."""
    query = sa.select(provider_aggregates.c.aggregate_uuid).where(provider_aggregates.c.provider_id == provider.id)
    return set(db.execute(query).scalars())


def write_aggregates(
    db: sa.Connection, provider: Provider, wanted: set[str], now: Instant, *, guarded: bool = True
) -> None:
    """Make `wanted` the aggregates that the provider is in; unguarded leaves its generation as it is."""
    present = read_aggregates(db, provider)
    _write_set(db, provider, provider_aggregates.c.aggregate_uuid, present, wanted, now, guarded=guarded)


def _write_set(
    db: sa.Connection,
    provider: Provider,
    column: sa.Column[Any],
    present: set[str],
    wanted: set[str],
    now: Instant,
    *,
    guarded: bool = True,
) -> None:
    revision = next_revision(db)
    table = column.table
    if gone := present - wanted:
        db.execute(sa.delete(table).where(table.c.provider_id == provider.id, column.in_(gone)))
    if new := sorted(wanted - present):
        db.execute(sa.insert(table), [{"provider_id": provider.id, column.name: value} for value in new])
    if guarded:
        touch(db, [provider.id], revision, now)
    else:
        show_anew(db, [provider.id], revision)
