"""Writes the next revision, from what the tables in the code have and the revisions do not.

python -m nephele.migrations.write "what changed"
python -m nephele.migrations.write --check        # exits 1 where a revision is missing, and says for what
"""

import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa
from alembic import command

from nephele.migrations import HEAD, running


def write(message: str) -> str:
    """Write a revision's file, and `HEAD`; returns its id."""
    revision = f"{int(running.head() or 0) + 1:04d}"
    with _upgraded() as db:
        command.revision(running.config(db), message, autogenerate=True, rev_id=revision)
    package = running.HERE / "__init__.py"
    package.write_text(re.sub(r'^HEAD = ".*"$', f'HEAD = "{revision}"', package.read_text(), flags=re.M))
    return revision


def check() -> list[str]:
    """What the revisions lack: differences to the tables in the code, indexes with conditions included."""
    with _upgraded() as upgraded, _empty() as fresh:
        missing = [repr(difference) for difference in running.differences(upgraded)]
        running.all_tables().create_all(fresh)
        missing += sorted(repr(thing) for thing in _things(fresh) ^ _things(upgraded) if thing[1] != "alembic_version")
    if running.head() != HEAD:
        missing.append(f"HEAD is {HEAD}, and the newest revision {running.head()}")
    return missing


def _things(db: sa.Connection) -> set[tuple[str, str, str]]:
    """(kind, name, table) of all that a database has but what SQLite makes by itself."""
    found = db.execute(sa.text("SELECT type, name, tbl_name FROM sqlite_master WHERE sql IS NOT NULL"))
    return {(kind, name, table) for kind, name, table in found}


@contextmanager
def _upgraded() -> Iterator[sa.Connection]:
    with _empty() as db:
        running.upgrade(db)
        yield db


@contextmanager
def _empty() -> Iterator[sa.Connection]:
    with tempfile.TemporaryDirectory() as folder:
        engine = sa.create_engine(f"sqlite:///{folder}/empty.db")
        with engine.connect() as db:
            yield db
        engine.dispose()


def main(words: list[str]) -> int:
    """Write, or check."""
    if words == ["--check"]:
        missing = check()
        print("\n".join(missing) or f"the revisions up to {HEAD} make all tables")
        return 1 if missing else 0
    print(f"revision {write(' '.join(words))} is in {Path(running.HERE, 'versions')}: read it before you commit it")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
