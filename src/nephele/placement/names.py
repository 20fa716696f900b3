"""Resource classes and traits: the standard names, and the custom ones that a cloud adds.

The standard ones come from os-resource-classes and os-traits, imported when first asked for: os-traits
takes some 30 ms, which a start should not pay.
"""

from collections.abc import Iterable
from functools import cache

import sqlalchemy as sa

from nephele.kernel.clock import Instant
from nephele.placement.changes import next_revision, show_anew
from nephele.placement.errors import (
    CLASS_EXISTS,
    CLASS_IN_USE,
    CLASS_NAME_TAKEN,
    CLASS_NOT_FOUND,
    CLASS_STANDARD,
    CLASS_STANDARD_KEPT,
    TRAIT_IN_USE,
    TRAIT_NOT_FOUND,
    TRAIT_STANDARD,
    UNKNOWN_TRAITS,
)
from nephele.placement.tables import allocations, custom_classes, custom_traits, inventories, provider_traits


@cache
def standard_classes() -> dict[str, int]:
    """Every standard resource class with its place in the standard order."""
    import os_resource_classes

    return {name: place for place, name in enumerate(os_resource_classes.STANDARDS)}


@cache
def standard_traits() -> frozenset[str]:
    """Every standard trait."""
    import os_traits

    return frozenset(os_traits.get_traits())


def read_classes(db: sa.Connection) -> dict[str, Instant]:
    """Every class by name, standard ones first, with the time it was made (0 for a standard one)."""
    custom = sa.select(custom_classes.c.name, custom_classes.c.created_at)
    custom = custom.order_by(custom_classes.c.created_at, custom_classes.c.name)
    return {**dict.fromkeys(standard_classes(), 0), **{row.name: row.created_at for row in db.execute(custom)}}


def unknown_classes(db: sa.Connection, names: Iterable[str]) -> list[str]:
    """Those of the names that are no class."""
    custom = [name for name in dict.fromkeys(names) if name not in standard_classes()]
    if not custom:
        return []
    known = set(db.execute(sa.select(custom_classes.c.name).where(custom_classes.c.name.in_(custom))).scalars())
    return [name for name in custom if name not in known]


def find_class(db: sa.Connection, name: str) -> Instant:
    """When a class was made.  Raises CLASS_NOT_FOUND."""
    if name in standard_classes():
        return 0
    made = db.execute(sa.select(custom_classes.c.created_at).where(custom_classes.c.name == name)).scalar_one_or_none()
    if made is None:
        raise CLASS_NOT_FOUND(name=name)
    return int(made)


def create_class(db: sa.Connection, name: str, now: Instant) -> None:
    """Add a custom class.  Raises CLASS_EXISTS."""
    if not unknown_classes(db, [name]):
        raise CLASS_EXISTS(name=name)
    db.execute(custom_classes.insert(), {"name": name, "created_at": now})


def rename_class(db: sa.Connection, name: str, new_name: str) -> None:
    """Give a custom class another name.  Raises CLASS_NOT_FOUND, CLASS_STANDARD_KEPT or CLASS_NAME_TAKEN."""
    find_class(db, name)
    if name in standard_classes():
        raise CLASS_STANDARD_KEPT(name=name)
    if name != new_name and not unknown_classes(db, [new_name]):
        raise CLASS_NAME_TAKEN(name=new_name)
    revision = next_revision(db)
    db.execute(custom_classes.update().where(custom_classes.c.name == name).values(name=new_name))
    having = sa.select(inventories.c.provider_id).where(inventories.c.resource_class == name)
    show_anew(db, list(db.execute(having).scalars()), revision)
    for table in (inventories, allocations):
        db.execute(table.update().where(table.c.resource_class == name).values(resource_class=new_name))


def delete_class(db: sa.Connection, name: str) -> None:
    """Remove a custom class.  Raises CLASS_NOT_FOUND, CLASS_STANDARD or CLASS_IN_USE."""
    find_class(db, name)
    if name in standard_classes():
        raise CLASS_STANDARD(name=name)
    if db.execute(sa.select(inventories.c.total).where(inventories.c.resource_class == name).limit(1)).first():
        raise CLASS_IN_USE(name=name)
    db.execute(custom_classes.delete().where(custom_classes.c.name == name))


def read_traits(db: sa.Connection) -> dict[str, Instant]:
    """Every trait by name with the time it was made (0 for a standard one)."""
    custom = sa.select(custom_traits.c.name, custom_traits.c.created_at)
    return {**dict.fromkeys(sorted(standard_traits()), 0), **{row.name: row.created_at for row in db.execute(custom)}}


def associated_traits(db: sa.Connection) -> set[str]:
    """Traits that some provider has."""
    return set(db.execute(sa.select(provider_traits.c.trait).distinct()).scalars())


def unknown_traits(db: sa.Connection, names: Iterable[str]) -> list[str]:
    """Those of the names that are no trait."""
    custom = [name for name in dict.fromkeys(names) if not name.startswith("CUSTOM_") and name not in standard_traits()]
    wanted = [name for name in dict.fromkeys(names) if name.startswith("CUSTOM_")]
    if wanted:
        query = sa.select(custom_traits.c.name).where(custom_traits.c.name.in_(wanted))
        known = set(db.execute(query).scalars())
        custom += [name for name in wanted if name not in known]
    return sorted(custom)


def check_traits(db: sa.Connection, names: Iterable[str]) -> None:
    """Raise UNKNOWN_TRAITS where one of the names is no trait."""
    unknown = unknown_traits(db, list(names))
    if unknown:
        raise UNKNOWN_TRAITS(names=", ".join(unknown))


def find_trait(db: sa.Connection, name: str) -> Instant:
    """When a trait was made.  Raises TRAIT_NOT_FOUND."""
    if not name.startswith("CUSTOM_"):
        if name not in standard_traits():
            raise TRAIT_NOT_FOUND(name=name)
        return 0
    made = db.execute(sa.select(custom_traits.c.created_at).where(custom_traits.c.name == name)).scalar_one_or_none()
    if made is None:
        raise TRAIT_NOT_FOUND(name=name)
    return int(made)


def ensure_trait(db: sa.Connection, name: str, now: Instant) -> bool:
    """Add a custom trait unless there is one of that name; whether it is new."""
    if not unknown_traits(db, [name]):
        return False
    db.execute(custom_traits.insert(), {"name": name, "created_at": now})
    return True


def delete_trait(db: sa.Connection, name: str) -> None:
    """Remove a custom trait.  Raises TRAIT_NOT_FOUND, TRAIT_STANDARD or TRAIT_IN_USE."""
    find_trait(db, name)
    if not name.startswith("CUSTOM_"):
        raise TRAIT_STANDARD(name=name)
    if db.execute(sa.select(provider_traits.c.trait).where(provider_traits.c.trait == name).limit(1)).first():
        raise TRAIT_IN_USE(name=name)
    db.execute(custom_traits.delete().where(custom_traits.c.name == name))
