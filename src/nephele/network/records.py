"""Rows of one kind: read as what the caller may see, written with revisions and times."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Generic, TypeVar

import msgspec
import sqlalchemy as sa

from nephele.kernel.errors import Error
from nephele.kernel.statements import Statement
from nephele.network.model import Resource
from nephele.network.work import Work

R = TypeVar("R", bound=Resource)
Rows = Sequence[Sequence[Any]]
Complete = Callable[[Work, Rows], Iterable[tuple[Any, ...]]]
"""From rows to what each record has besides its columns, for all rows in a fixed number of queries."""

ME: sa.BindParameter[str] = sa.bindparam("me")
"""The caller's project, in conditions."""
BLANK: dict[str, Any] = {"id": "", "tags": (), "revision_number": 0, "created_at": 0, "updated_at": 0}
"""What a draft has before it is `born`."""


class Records(Generic[R]):
    """The rows of one table as Structs.

    Args:
        table: where they are.
        struct: its first fields are the table's columns.
        missing: raised where one is not there, or not for this caller.
        visible: which rows a caller who is no administrator sees, in terms of `ME`; None: its own project's.
        complete: adds the fields behind the columns.
        parts: `visible` as conditions of which a row fulfils one at most, each with an index of its own: a database
            that is asked for a page by `visible` itself would read all that is visible.
    """

    def __init__(
        self,
        table: sa.Table,
        struct: type[R],
        missing: Error,
        visible: sa.ColumnElement[bool] | None = None,
        complete: Complete | None = None,
        parts: tuple[sa.ColumnElement[bool], ...] = (),
    ) -> None:
        self.table = table
        self.parts = parts
        self.missing = missing
        self.visible = table.c.project_id == ME if visible is None else visible
        self._struct = struct
        self._complete = complete
        self._columns = tuple(column.name for column in table.columns)
        by_id = sa.select(table).where(table.c.id == sa.bindparam("wanted"))
        self._one_of_all, self._one_of_mine = Statement(by_id), Statement(by_id.where(self.visible))
        self._insert = Statement(sa.insert(table), sets=self._columns)
        self._delete = Statement(sa.delete(table).where(table.c.id == sa.bindparam("gone")))
        if struct.__struct_fields__[: len(self._columns)] != self._columns:
            raise TypeError(f"{struct.__name__} does not begin with the columns of {table.name}")

    def get(self, work: Work, wanted: str) -> R:
        """The one with that id, if the caller may see it; else `missing` is raised."""
        if work.everything:
            rows = self._one_of_all.rows(work.db, wanted=wanted)
        else:
            rows = self._one_of_mine.rows(work.db, wanted=wanted, me=work.me)
        if not rows:
            raise self.missing(id=wanted)
        return self.read(work, rows)[0]

    def any(self, work: Work, wanted: str) -> R:
        """The one with that id, whoever may see it; else `missing` is raised."""
        rows = self._one_of_all.rows(work.db, wanted=wanted)
        if not rows:
            raise self.missing(id=wanted)
        return self.read(work, rows)[0]

    def where(self, work: Work, *conditions: sa.ColumnElement[bool]) -> list[R]:
        """All that fulfil the conditions, whoever may see them."""
        rows = work.db.execute(sa.select(self.table).where(*conditions).order_by(self.table.c.id)).all()
        return self.read(work, rows)

    def read(self, work: Work, rows: Rows) -> list[R]:
        """Rows of the table as records."""
        struct = self._struct
        if self._complete is None or not rows:
            return [struct(*row) for row in rows]
        return [struct(*row, *more) for row, more in zip(rows, self._complete(work, rows), strict=True)]

    def insert(self, work: Work, record: R) -> None:
        """Write a new one."""
        self._insert.run(work.db, **{name: getattr(record, name) for name in self._columns})

    def save(self, work: Work, old: R, new: R) -> R:
        """Write what differs between the two; the revision grows.  Answers with the new record."""
        changes = {name: value for name in self._columns if (value := getattr(new, name)) != getattr(old, name)}
        if changes:
            new = self.touch(new, work)
            changes |= {"revision_number": new.revision_number, "updated_at": new.updated_at}
            work.db.execute(sa.update(self.table).where(self.table.c.id == old.id).values(changes))
        return new

    @staticmethod
    def touch(record: R, work: Work) -> R:
        """The record one revision later."""
        return msgspec.structs.replace(record, revision_number=record.revision_number + 1, updated_at=work.now)

    def bump(self, work: Work, *ids: str) -> None:
        """Let the revision of these grow, because something that belongs to them changed."""
        column = self.table.c.revision_number
        values = {"revision_number": column + 1, "updated_at": work.now}
        work.db.execute(sa.update(self.table).where(self.table.c.id.in_(ids)).values(values))

    def delete(self, work: Work, gone: str) -> None:
        """Remove one."""
        self._delete.run(work.db, gone=gone)


def born(work: Work, draft: R, **known: object) -> R:
    """A draft as a new record: with an id, its first revision and its times."""
    return msgspec.structs.replace(
        draft,
        id=work.core.ids.uuid(),
        revision_number=1,
        created_at=work.now,
        updated_at=work.now,
        **known,
    )
