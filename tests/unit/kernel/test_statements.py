from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from nephele.kernel.statements import Statement
from nephele.kernel.store import Json, Store

tables = sa.MetaData()
things = sa.Table(
    "statement_things",
    tables,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", sa.Text, nullable=False, unique=True),
    sa.Column("good", sa.Boolean),
    sa.Column("data", Json(tuple[int, ...])),
    sa.Column("count", sa.Integer, nullable=False, default=7),
)
INSERT = Statement(things.insert(), sets=("name", "good", "data"))
SOME = Statement(
    sa.select(things).where(things.c.name.in_(sa.bindparam("names", expanding=True))).order_by(things.c.id)
)


@pytest.fixture
def db(store: Store) -> Iterator[sa.Connection]:
    with store.write() as db:
        tables.create_all(db)
        INSERT.run_many(db, [{"name": name, "good": name != "b", "data": (1, 2)} for name in "abc"])
        yield db


def test_values_are_converted_both_ways_and_defaults_filled_in(db: sa.Connection) -> None:
    assert SOME.rows(db, names=["a", "b"]) == [(1, "a", True, (1, 2), 7), (2, "b", False, (1, 2), 7)]


def test_lists_may_be_of_any_length(db: sa.Connection) -> None:
    for names in ([], ["c"], ["a", "b", "c"], ["b"], []):
        assert [row[1] for row in SOME.rows(db, names=names)] == names


def test_constants_in_a_list_and_counted_changes(db: sa.Connection) -> None:
    grow = Statement(
        things.update()
        .where(things.c.name.in_(("a", "b")), things.c.id > sa.bindparam("least"))
        .values(count=things.c.count + 1),
        sets=("good",),
    )
    assert grow.run(db, least=0, good=None) == 2
    assert grow.run(db, least=1, good=True) == 1
    assert [row[2::2] for row in SOME.rows(db, names=["a", "b", "c"])] == [(None, 8), (True, 9), (True, 7)]


def test_one_row_or_none(db: sa.Connection) -> None:
    one = Statement(sa.select(things.c.name).where(things.c.id == sa.bindparam("wanted")).limit(1))
    assert (one.row(db, wanted=3), one.row(db, wanted=4)) == (("c",), None)
    assert (one.scalar(db, wanted=3), one.scalar(db, wanted=4)) == ("c", None)


def test_errors_are_sqlalchemys(db: sa.Connection) -> None:
    for insert in (lambda row: INSERT.run(db, **row), lambda row: INSERT.run_many(db, [row])):
        with pytest.raises(sa.exc.IntegrityError):
            insert({"name": "a", "good": None, "data": None})


def test_a_value_that_is_not_given_is_an_error(db: sa.Connection) -> None:
    with pytest.raises(KeyError):
        INSERT.run(db, name="d", good=None)
