"""Statements that run often: SQLAlchemy compiles each once, the driver runs it.

`db.execute(statement)` builds a cache key, looks the compiled form up, and makes an execution context, a
result and its metadata each time: 60 to 100 µs around 5 to 10 µs of SQLite.  A `Statement` is a constant
beside its table; it keeps the SQL text, the order of its parameters and the conversions of its types:

    _BY_ID = Statement(sa.select(servers).where(servers.c.id == sa.bindparam("server_id")))
    row = _BY_ID.row(db, server_id=id)

Rows are plain tuples in the order of the statement's columns.  On PostgreSQL the same statement goes
through SQLAlchemy.
"""

import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

Values = tuple[Any, ...]
MOST_LENGTHS = 50
"""Of lists, for which compiled forms of one statement are kept."""
Converters = Sequence[tuple[int, Callable[[Any], Any]]]
"""(place, what converts the value there), for the values that need it."""


class RowText(FunctionElement[str]):
    """Some columns as one text, a JSON array: made and carried for half of what the values cost one by one.

    A column that holds JSON itself is a string in it.
    """

    name = "row_text"
    inherit_cache = True
    type = sa.Text()


@compiles(RowText, "sqlite")
def _row_text_sqlite(element: RowText, compiler: SQLCompiler, **words: Any) -> str:
    return f"json_array({compiler.process(element.clauses, **words)})"


@compiles(RowText, "postgresql")
def _row_text_postgresql(element: RowText, compiler: SQLCompiler, **words: Any) -> str:
    return f"CAST(json_build_array({compiler.process(element.clauses, **words)}) AS TEXT)"


class Statement:
    """A select, insert, update or delete that is compiled at its first use.

    Args:
        statement: whose conditions take their values from `bindparam`s, not named like a column that is set; an
            `expanding` one takes a list, and the statement is compiled once for each length of it.
        sets: the columns that an insert or update gets values for besides those that it names itself.
    """

    def __init__(self, statement: sa.Executable, sets: Sequence[str] = ()) -> None:
        self.statement = statement
        self._sets = list(sets) or None
        self._lists: tuple[str, ...] = ()
        self._compiled: dict[tuple[int, ...], _Compiled] = {}

    def rows(self, db: sa.Connection, **values: Any) -> list[Values]:
        """Run it; all rows that it returns."""
        if db.dialect.name != "sqlite":
            return [tuple(row) for row in db.execute(self.statement, values)]
        compiled = self._for(db, values)
        found: list[Values] = compiled.run(db, values).fetchall()
        return [compiled.converted(row) for row in found] if compiled.columns else found

    def row(self, db: sa.Connection, **values: Any) -> Values | None:
        """Run it; the one row that it returns, None where there is none."""
        found = self.rows(db, **values)
        return found[0] if found else None

    def scalars(self, db: sa.Connection, **values: Any) -> list[Any]:
        """Run it; the first column of all rows."""
        return [row[0] for row in self.rows(db, **values)]

    def scalar(self, db: sa.Connection, **values: Any) -> Any:
        """Run it; the first column of the first row, None where there is none."""
        found = self.rows(db, **values)
        return found[0][0] if found else None

    def run(self, db: sa.Connection, **values: Any) -> int:
        """Run it; how many rows were changed."""
        if db.dialect.name != "sqlite":
            return db.execute(self.statement, values).rowcount
        return self._for(db, values).run(db, values).rowcount

    def run_many(self, db: sa.Connection, rows: Sequence[Mapping[str, Any]]) -> None:
        """Run it for each of `rows`, which have the same names; for none, do nothing."""
        if not rows:
            return
        if db.dialect.name != "sqlite":
            db.execute(self.statement, rows)
        else:
            self._for(db, rows[0]).run_many(db, rows)

    def _for(self, db: sa.Connection, values: Mapping[str, Any]) -> "_Compiled":
        """The compiled form for lists of these lengths."""
        lengths = tuple([len(values[name]) for name in self._lists]) if self._lists else ()
        return self._compiled.get(lengths) or self._compile(db, values)

    def _compile(self, db: sa.Connection, values: Mapping[str, Any]) -> "_Compiled":
        made = self.statement.compile(dialect=db.dialect, column_keys=self._sets)  # type: ignore[attr-defined]
        self._lists = tuple(name for bind, name in made.bind_names.items() if bind.required and bind.expanding)
        if len(self._compiled) >= MOST_LENGTHS:
            self._compiled.clear()
        compiled = _Compiled(made, db.dialect, {name: list(values[name]) for name in self._lists})
        self._compiled[tuple(len(values[name]) for name in self._lists)] = compiled
        return compiled


class _Compiled:
    """What is kept of a compiled statement, for lists of certain lengths."""

    def __init__(self, made: SQLCompiler, dialect: sa.Dialect, lists: dict[str, list[Any]]) -> None:
        free = {name for bind, name in made.bind_names.items() if bind.required}
        expanded = made.construct_expanded_state(dict.fromkeys(free) | lists)
        self.sql = expanded.statement
        self.lists = {name: expanded.parameter_expansion[name] for name in lists}
        self.names = list(expanded.positiontup or ())
        free = free.union(*self.lists.values())
        self.fixed = {name: value for name, value in expanded.parameters.items() if name not in free}
        for column in (*made.insert_prefetch, *made.update_prefetch):
            self.fixed[column.name] = _default_of(column)
        convert: dict[str, Any] = {**made._bind_processors, **expanded.processors}
        self.take = _taker(self.names)
        self.parameters = _converters(convert.get(name) for name in self.names)
        self.columns = _converters(
            entry.type._cached_result_processor(dialect, None) for entry in made._result_columns or ()
        )

    def ordered(self, values: Mapping[str, Any]) -> Values:
        """The parameters in their order, as the driver takes them."""
        given: Any = {**self.fixed, **values} if self.fixed or self.lists else values
        for name, each in self.lists.items():
            given |= zip(each, values[name], strict=True)
        return _convert(self.take(given), self.parameters)

    def converted(self, row: Values) -> Values:
        """A row with the values that its columns' types say."""
        return _convert(row, self.columns)

    def run(self, db: sa.Connection, values: Mapping[str, Any]) -> sqlite3.Cursor:
        """Give it to the driver, whose errors are raised as SQLAlchemy's."""
        parameters = self.ordered(values)
        raw: Any = db.connection.dbapi_connection
        try:
            cursor: sqlite3.Cursor = raw.execute(self.sql, parameters)
        except sqlite3.Error as error:
            raise self._refused(db, parameters, error) from error
        return cursor

    def run_many(self, db: sa.Connection, rows: Sequence[Mapping[str, Any]]) -> None:
        """Give it to the driver once for all of `rows`."""
        parameters = [self.ordered(row) for row in rows]
        raw: Any = db.connection.dbapi_connection
        try:
            raw.executemany(self.sql, parameters)
        except sqlite3.Error as error:
            raise self._refused(db, parameters, error) from error

    def _refused(self, db: sa.Connection, parameters: Sequence[Any], error: sqlite3.Error) -> BaseException:
        return sa.exc.DBAPIError.instance(self.sql, parameters, error, sqlite3.Error, dialect=db.dialect)


def _taker(names: list[str]) -> Callable[[Mapping[str, Any]], Values]:
    """Takes the values of these names, in their order."""
    if len(names) > 1:
        return itemgetter(*names)
    return lambda given: tuple([given[name] for name in names])


def _converters(every: Iterable[Callable[[Any], Any] | None]) -> Converters:
    return [(place, convert) for place, convert in enumerate(every) if convert is not None]


def _convert(values: Values, converters: Converters) -> Values:
    if not converters:
        return values
    converted = list(values)
    for place, convert in converters:
        converted[place] = convert(converted[place])
    return tuple(converted)


def _default_of(column: sa.Column[Any]) -> Any:
    default: Any = column.default
    if default is None or not default.is_scalar:
        raise ValueError(f"the statement must be given a value for {column.name}")
    return default.arg
