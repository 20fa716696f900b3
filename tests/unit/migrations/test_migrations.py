import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa

from nephele.cli import main
from nephele.config import Settings
from nephele.kernel.errors import Refused
from nephele.kernel.store import Store
from nephele.migrations import HEAD, make_tables, revision_of, running, upgrading

SOURCE = Path(__file__).parents[3] / "src"
NEXT = """
import sqlalchemy as sa
from alembic import op

revision = "9999"
down_revision = "{head}"


def upgrade() -> None:
    op.create_table("added", sa.Column("id", sa.Integer(), primary_key=True))
"""


@pytest.fixture
def state(tmp_path: Path) -> Path:
    store = Store(Settings(state_dir=tmp_path).store_url)
    with store.write() as db:
        assert make_tables(db)
    store.close()
    return tmp_path


@pytest.fixture
def newer(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a later version is: it has one revision more."""
    scripts = tmp_path_factory.mktemp("later") / "migrations"
    shutil.copytree(running.HERE, scripts)
    (scripts / "versions" / "9999_next.py").write_text(NEXT.format(head=HEAD))
    monkeypatch.setattr(running, "HERE", scripts)
    monkeypatch.setattr(upgrading, "HEAD", "9999")


def names(state: Path, file: str = "nephele.db") -> list[str]:
    engine = sa.create_engine(f"sqlite:///{state / file}")
    try:
        return sa.inspect(engine).get_table_names()
    finally:
        engine.dispose()


def test_the_revisions_make_exactly_the_tables_of_the_code() -> None:
    """Where it fails: `python -m nephele.migrations.write "what changed"`."""
    words = [sys.executable, "-m", "nephele.migrations.write", "--check"]
    check = subprocess.run(words, capture_output=True, text=True, timeout=60, env={"PYTHONPATH": str(SOURCE)})
    assert check.returncode == 0, check.stdout + check.stderr


def test_a_new_database_is_of_the_newest_revision_and_stays_so(state: Path) -> None:
    store = Store(Settings(state_dir=state).store_url)
    with store.write() as db:
        assert not make_tables(db)
        assert revision_of(db) == HEAD == running.head()
    store.close()


@pytest.mark.parametrize("revision", ["0000", None])
def test_a_database_of_another_revision_is_refused(state: Path, revision: str | None) -> None:
    store = Store(Settings(state_dir=state).store_url)
    with store.write() as db:
        db.execute(sa.text("DELETE FROM alembic_version"))
        if revision:
            db.execute(sa.text("INSERT INTO alembic_version VALUES (:revision)"), {"revision": revision})
    with store.write() as db, pytest.raises(Refused) as refused:
        make_tables(db)
    store.close()
    assert refused.value.error.code == "schema.other"
    assert "nephele db upgrade" in refused.value.error.next_step


@pytest.mark.usefixtures("newer")
def test_an_upgrade_keeps_a_copy(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["db", "upgrade", "--state-dir", str(state), "--json"]) == 0
    done = json.loads(capsys.readouterr().out)
    assert (done["from"], done["to"]) == (HEAD, "9999")
    assert "added" in names(state)
    copy = Path(done["backup"])
    assert copy.parent == state
    assert copy.stat().st_mode & 0o077 == 0
    assert "added" not in names(state, copy.name)
    assert "servers" in names(state, copy.name)


def test_nothing_to_upgrade_is_no_error_and_makes_no_copy(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["db", "upgrade", "--state-dir", str(state), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"from": HEAD, "to": HEAD, "backup": ""}
    assert [file.name for file in state.glob("*.db")] == ["nephele.db"]


def test_a_schema_from_nowhere_is_left_alone(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    engine = sa.create_engine(f"sqlite:///{state / 'nephele.db'}")
    with engine.begin() as db:
        db.execute(sa.text("UPDATE alembic_version SET version_num = 'ffff'"))
    engine.dispose()
    assert main(["db", "upgrade", "--state-dir", str(state)]) == 1
    assert "schema revision ffff, which this nephele does not know" in capsys.readouterr().err


def test_no_database_is_said_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["db", "upgrade", "--state-dir", str(tmp_path / "none")]) == 1
    assert "There is no database at" in capsys.readouterr().err
