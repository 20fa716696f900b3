"""Alembic, told where the revisions are and how this project's types are written."""

from importlib import import_module
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from nephele.kernel.store import metadata

HERE = Path(__file__).parent


def config(db: sa.Connection | None = None) -> Config:
    """Alembic's configuration, for work on `db`."""
    made = Config()
    made.set_main_option("script_location", str(HERE))
    made.attributes |= {"connection": db, "options": _options()}
    return made


def head() -> str:
    """The newest revision that there is a file of."""
    return ScriptDirectory.from_config(config()).get_current_head() or ""


def upgrade(db: sa.Connection) -> None:
    """Run every revision that the database has not had yet."""
    command.upgrade(config(db), "head")


def differences(db: sa.Connection) -> list[Any]:
    """What the tables in the code have otherwise than the database."""
    return list(compare_metadata(MigrationContext.configure(db, opts=_options()), all_tables()))


def all_tables() -> sa.MetaData:
    """The tables of every part."""
    import_module("nephele.cloud")
    return metadata


def _options() -> dict[str, Any]:
    return {
        "target_metadata": all_tables(),
        "render_as_batch": True,
        "compare_type": True,
        "render_item": _plain_type,
        "user_module_prefix": None,
    }


def _plain_type(kind: str, item: Any, _context: Any) -> str | bool:
    """Types of our own as the plain types that hold them: revisions do not depend on the code's classes."""
    if kind == "type" and isinstance(item, sa.types.TypeDecorator):
        return f"sa.{item.impl_instance!r}"
    return False
