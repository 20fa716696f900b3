"""Upgrades the database of a cloud that does not run, keeping a copy of it."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa
from msgspec import Struct

from nephele.config import Settings
from nephele.kernel.errors import Error
from nephele.migrations import HEAD, revision_of
from nephele.server import locked_state

NO_DATABASE = Error(
    "schema.no_database", 404, "There is no database at {place}.", "Name the folder that `nephele up` uses."
)
UNKNOWN_SCHEMA = Error(
    "schema.unknown",
    409,
    "The database at {place} has schema revision {found}, which this nephele does not know.",
    "Use the version of nephele that made it, or a newer one.",
)


class Upgraded(Struct, frozen=True):
    """From which revision to which, and where the copy of the database is (empty: none was made)."""

    before: str
    after: str
    backup: str = ""


def upgrade_state(settings: Settings) -> Upgraded:
    """Bring the cloud's database to `HEAD`.

    Raises NO_DATABASE, UNKNOWN_SCHEMA, or STATE_IN_USE while the cloud runs.
    """
    url = sa.make_url(settings.store_url)
    file = Path(url.database or "") if url.get_backend_name() == "sqlite" else None
    if file is not None and not file.is_file():
        raise NO_DATABASE(place=file)
    with locked_state(settings.state_dir):
        engine = sa.create_engine(url)
        try:
            return _upgrade(engine, file)
        finally:
            engine.dispose()


def _upgrade(engine: sa.Engine, file: Path | None) -> Upgraded:
    from alembic.script import ScriptDirectory

    from nephele.migrations import running

    with engine.connect() as db:
        before = revision_of(db)
    if before == HEAD:
        return Upgraded(before, HEAD)
    known = {script.revision for script in ScriptDirectory.from_config(running.config()).walk_revisions()}
    if before not in known:
        raise UNKNOWN_SCHEMA(place=file or engine.url.render_as_string(), found=before or "unknown")
    backup = str(_copy(file, before)) if file is not None else ""
    with engine.connect() as db:
        running.upgrade(db)
        db.commit()
    return Upgraded(before, HEAD, backup)


def _copy(file: Path, revision: str) -> Path:
    """A copy beside the database, made by SQLite so that what is only in its log is in it, too."""
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
    copy = file.with_name(f"{file.stem}-{revision}-{stamp}.db")
    with closing(sqlite3.connect(file)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)
    copy.chmod(0o600)
    return copy
