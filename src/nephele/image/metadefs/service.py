"""Namespaces of metadata definitions and what they hold.

Everybody sees public namespaces and those of their own project; what they may do there the policy says.
"""

from typing import Any, cast

import msgspec
import sqlalchemy as sa

from nephele.image.metadefs.errors import (
    ITEM_EXISTS,
    ITEM_NOT_FOUND,
    NAMESPACE_EXISTS,
    NAMESPACE_NOT_FOUND,
    NAMESPACE_PROTECTED,
)
from nephele.image.metadefs.model import Item, Namespace, NewNamespace, Part
from nephele.image.metadefs.standard import standard
from nephele.image.metadefs.tables import items, namespaces
from nephele.kernel.clock import Clock
from nephele.kernel.context import Context
from nephele.kernel.policy import Policy
from nephele.kernel.store import Store
from nephele.web.paging import Page, paged

_NAMESPACE = [namespaces.c[name] for name in Namespace.__struct_fields__]
_ITEM = [items.c[name] for name in Item.__struct_fields__]
Items = tuple[Item, ...]
Columns = dict[str, sa.ColumnElement[Any]]
SORT_KEYS = frozenset({"created_at", "updated_at", "namespace", "name"})


class Metadefs:
    """The definitions, for `Images`."""

    def __init__(self, store: Store, clock: Clock, policy: Policy) -> None:
        self.store = store
        self._clock = clock
        self._policy = policy

    def list(
        self, caller: Context, page: Page, visibility: str = "", resource_types: tuple[str, ...] = ()
    ) -> tuple[Namespace, ...]:
        """One page of the namespaces that the caller sees.  Raises FORBIDDEN or NAMESPACE_NOT_FOUND."""
        self._policy.enforce("get_metadef_namespaces", caller)
        query = sa.select(*_NAMESPACE)
        if not caller.is_admin:
            mine = namespaces.c.owner == caller.project_id
            query = query.where(sa.or_(namespaces.c.visibility == "public", mine))
        if visibility:
            query = query.where(namespaces.c.visibility == visibility)
        if resource_types:
            held = sa.select(items.c.namespace).where(
                items.c.kind == Part.RESOURCE_TYPE, items.c.name.in_(resource_types)
            )
            query = query.where(namespaces.c.namespace.in_(held))
        columns = cast(Columns, {"id": namespaces.c.namespace, **namespaces.c})
        with self.store.read() as db:
            marker = self._marker(db, caller, page.marker)
            found = db.execute(paged(query, page, columns, marker)).all()
        return tuple(map(_namespace, found))

    def _marker(self, db: sa.Connection, caller: Context, name: str) -> sa.Row[Any] | None:
        if not name:
            return None
        self._find(db, caller, name)
        return db.execute(sa.select(*_NAMESPACE).where(namespaces.c.namespace == name)).first()

    def show(self, caller: Context, name: str) -> Namespace:
        """One namespace.  Raises NAMESPACE_NOT_FOUND."""
        with self.store.read() as db:
            return self._find(db, caller, name)

    def _find(self, db: sa.Connection, caller: Context, name: str, rule: str = "get_metadef_namespace") -> Namespace:
        """The namespace, if the caller sees it and `rule` allows.  Raises NAMESPACE_NOT_FOUND or FORBIDDEN."""
        row = db.execute(sa.select(*_NAMESPACE).where(namespaces.c.namespace == name)).first()
        found = None if row is None else _namespace(row)
        target = {} if found is None else {"project_id": found.owner, "visibility": found.visibility}
        if found is None or not self._policy.allows("get_metadef_namespace", caller, target):
            raise NAMESPACE_NOT_FOUND(namespace=name)
        self._policy.enforce(rule, caller, target)
        return found

    def create(self, caller: Context, new: NewNamespace) -> Namespace:
        """A new namespace with what it holds.  Raises FORBIDDEN, NAMESPACE_EXISTS or ITEM_EXISTS."""
        for rule, parts in (
            ("add_metadef_namespace", True),
            ("add_metadef_resource_type_association", new.resource_type_associations),
            ("add_metadef_object", new.objects),
            ("add_metadef_property", new.properties),
            ("add_metadef_tag", new.tags),
        ):
            if parts:
                self._policy.enforce(rule, caller)
        with self.store.write() as db:
            return self.insert(db, new, new.owner or caller.project_id)

    def insert(self, db: sa.Connection, new: NewNamespace, owner: str) -> Namespace:
        """Store a namespace.  Raises NAMESPACE_EXISTS or ITEM_EXISTS."""
        now = self._clock.now()
        made = Namespace(
            namespace=new.namespace,
            display_name=new.display_name or None,
            description=new.description or None,
            visibility=new.visibility,
            protected=new.protected,
            owner=owner,
            created_at=now,
            updated_at=now,
        )
        self._check_new(db, made.namespace)
        db.execute(namespaces.insert(), msgspec.structs.asdict(made))
        self._insert(db, made.namespace, Part.RESOURCE_TYPE, {e.name: e for e in new.resource_type_associations})
        self._insert(db, made.namespace, Part.PROPERTY, new.properties)
        self._insert(db, made.namespace, Part.OBJECT, {each.name: each for each in new.objects})
        self._insert(db, made.namespace, Part.TAG, {each.name: each for each in new.tags})
        return made

    @staticmethod
    def _check_new(db: sa.Connection, name: str) -> None:
        if db.execute(sa.select(namespaces.c.namespace).where(namespaces.c.namespace == name)).first():
            raise NAMESPACE_EXISTS(namespace=name)

    def seed(self, owner: str) -> None:
        """Give a new cloud the standard definitions.  Idempotent."""
        with self.store.write() as db:
            there = set(db.execute(sa.select(namespaces.c.namespace)).scalars())
            for new in standard():
                if new.namespace not in there:
                    self.insert(db, new, owner)

    def _insert(self, db: sa.Connection, namespace: str, kind: Part, parts: dict[str, Any]) -> None:
        now = self._clock.now()
        values = [
            {
                "namespace": namespace,
                "kind": kind,
                "name": name,
                "body": {**msgspec.to_builtins(part), "name": name},
                "created_at": now,
                "updated_at": now,
            }
            for name, part in parts.items()
        ]
        if values:
            db.execute(items.insert(), values)

    def update(self, caller: Context, name: str, new: NewNamespace) -> Namespace:
        """Say anew what a namespace is; what it holds stays.  Raises FORBIDDEN or NAMESPACE_EXISTS."""
        with self.store.write() as db:
            before = self._find(db, caller, name, "modify_metadef_namespace")
            if new.namespace != name:
                self._check_new(db, new.namespace)
            after = Namespace(
                new.namespace,
                new.display_name or None,
                new.description or None,
                new.visibility,
                new.protected,
                new.owner or caller.project_id,
                before.created_at,
                self._clock.now(),
            )
            db.execute(
                namespaces.update().where(namespaces.c.namespace == name).values(**msgspec.structs.asdict(after))
            )
            return after

    def delete(self, caller: Context, name: str) -> None:
        """Forget a namespace with all it holds.  Raises FORBIDDEN or NAMESPACE_PROTECTED."""
        with self.store.write() as db:
            _check_unprotected(self._find(db, caller, name, "delete_metadef_namespace"))
            db.execute(namespaces.delete().where(namespaces.c.namespace == name))

    def items(
        self, caller: Context, namespace: str, kind: Part, rule: str, page: Page | None = None
    ) -> tuple[Item, ...]:
        """What a namespace holds of a kind.  Raises NAMESPACE_NOT_FOUND, FORBIDDEN or ITEM_NOT_FOUND."""
        query = sa.select(*_ITEM).where(items.c.namespace == namespace, items.c.kind == kind)
        with self.store.read() as db:
            self._find(db, caller, namespace, rule)
            if page is None:
                query = query.order_by(items.c.created_at, items.c.name)
            else:
                marker = self._item_row(db, namespace, kind, page.marker) if page.marker else None
                query = paged(query, page, cast(Columns, {"id": items.c.name, **items.c}), marker)
            return tuple(map(_item, db.execute(query).all()))

    def of_namespaces(self, names: tuple[str, ...], kind: Part) -> dict[str, Items]:
        """What several namespaces hold of a kind, by namespace."""
        found: dict[str, Items] = {}
        query = sa.select(*_ITEM).where(items.c.kind == kind, items.c.namespace.in_(names)).order_by(items.c.name)
        with self.store.read() as db:
            for row in db.execute(query).all():
                found[row[0]] = (*found.get(row[0], ()), _item(row))
        return found

    def item(self, caller: Context, namespace: str, kind: Part, name: str, rule: str) -> Item:
        """One of them.  Raises NAMESPACE_NOT_FOUND, FORBIDDEN or ITEM_NOT_FOUND."""
        with self.store.read() as db:
            self._find(db, caller, namespace, rule)
            return _item(self._item_row(db, namespace, kind, name))

    def _item_row(self, db: sa.Connection, namespace: str, kind: Part, name: str) -> sa.Row[Any]:
        row = db.execute(sa.select(*_ITEM).where(*_is(namespace, kind, name))).first()
        if row is None:
            raise ITEM_NOT_FOUND(kind=kind.replace("_", " "), name=name, namespace=namespace)
        return row

    def add(self, caller: Context, namespace: str, kind: Part, parts: dict[str, Any], rule: str) -> Items:
        """Put parts into a namespace.  Raises NAMESPACE_NOT_FOUND, FORBIDDEN or ITEM_EXISTS."""
        with self.store.write() as db:
            self._find(db, caller, namespace, rule)
            for name in parts:
                if db.execute(sa.select(items.c.name).where(*_is(namespace, kind, name))).first():
                    raise ITEM_EXISTS(kind=kind.replace("_", " "), name=name, namespace=namespace)
            self._insert(db, namespace, kind, parts)
            return tuple(_item(self._item_row(db, namespace, kind, name)) for name in parts)

    def replace(self, caller: Context, namespace: str, kind: Part, name: str, part: Any, rule: str) -> Item:
        """Say anew what a part is, also its name.  Raises as `add` and `item` do."""
        with self.store.write() as db:
            self._find(db, caller, namespace, rule)
            self._item_row(db, namespace, kind, name)
            if (
                part.name != name
                and db.execute(sa.select(items.c.name).where(*_is(namespace, kind, part.name))).first()
            ):
                raise ITEM_EXISTS(kind=kind, name=part.name, namespace=namespace)
            values = {"name": part.name, "body": msgspec.to_builtins(part), "updated_at": self._clock.now()}
            db.execute(items.update().where(*_is(namespace, kind, name)).values(**values))
            return _item(self._item_row(db, namespace, kind, part.name))

    def remove(self, caller: Context, namespace: str, kind: Part, name: str | None, rule: str) -> None:
        """Take a part out, or (None) all of the kind.  Raises NAMESPACE_PROTECTED, FORBIDDEN or ITEM_NOT_FOUND."""
        with self.store.write() as db:
            _check_unprotected(self._find(db, caller, namespace, rule))
            if name is None:
                db.execute(items.delete().where(items.c.namespace == namespace, items.c.kind == kind))
            else:
                self._item_row(db, namespace, kind, name)
                db.execute(items.delete().where(*_is(namespace, kind, name)))

    def clear(self, caller: Context, namespace: str, kind: Part, rule: str) -> None:
        """Make room for other parts of the kind.  Raises NAMESPACE_NOT_FOUND or FORBIDDEN."""
        with self.store.write() as db:
            self._find(db, caller, namespace, rule)
            db.execute(items.delete().where(items.c.namespace == namespace, items.c.kind == kind))

    def resource_types(self, caller: Context) -> tuple[tuple[str, int, int], ...]:
        """What definitions are for anywhere: name, and when it was first and last named."""
        self._policy.enforce("list_metadef_resource_types", caller)
        query = (
            sa.select(items.c.name, sa.func.min(items.c.created_at), sa.func.max(items.c.updated_at))
            .where(items.c.kind == Part.RESOURCE_TYPE)
            .group_by(items.c.name)
            .order_by(items.c.name)
        )
        with self.store.read() as db:
            return tuple((row[0], row[1], row[2]) for row in db.execute(query).all())


def _namespace(row: sa.Row[Any]) -> Namespace:
    return Namespace(*tuple(row))


def _item(row: sa.Row[Any]) -> Item:
    return Item(*tuple(row))


def _is(namespace: str, kind: Part, name: str) -> tuple[sa.ColumnElement[bool], ...]:
    return items.c.namespace == namespace, items.c.kind == kind, items.c.name == name


def _check_unprotected(namespace: Namespace) -> None:
    if namespace.protected:
        raise NAMESPACE_PROTECTED(namespace=namespace.namespace)
