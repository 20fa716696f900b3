"""The database's schema, revision by revision, with Alembic, which is imported only where something changes.

A new database gets all tables at once and `HEAD` noted; `nephele up` refuses one of another revision, and
`nephele db upgrade` brings it here.  After a change of any `tables.py`, the next revision is written by

    python -m nephele.migrations.write "what changed"
"""

import sqlalchemy as sa

from nephele.kernel.errors import Error
from nephele.kernel.store import metadata

HEAD = "0012"
"""The revision that this code works with; `write` keeps it."""

OTHER_SCHEMA = Error(
    "schema.other",
    409,
    "The database has schema revision {found}, and this nephele works with {head}.",
    "Run `nephele db upgrade` with the same --state-dir; it keeps a copy of the database.",
)
_NOTE = "alembic_version"
_made = sa.Table(_NOTE, sa.MetaData(), sa.Column("version_num", sa.String(32), primary_key=True))


def make_tables(db: sa.Connection) -> bool:
    """Make all tables in an empty database; False where there were some, which then are of this revision.

    Raises OTHER_SCHEMA.
    """
    if not sa.inspect(db).get_table_names():
        metadata.create_all(db)
        stamp(db, HEAD)
        return True
    found = revision_of(db)
    if found != HEAD:
        raise OTHER_SCHEMA(found=found or "unknown", head=HEAD)
    return False


def revision_of(db: sa.Connection) -> str:
    """The revision noted in the database, empty where there is none."""
    if not sa.inspect(db).has_table(_NOTE):
        return ""
    return db.execute(sa.select(_made.c.version_num)).scalar() or ""


def stamp(db: sa.Connection, revision: str) -> None:
    """Note the revision, in Alembic's own table."""
    _made.create(db)
    db.execute(_made.insert(), {"version_num": revision})
