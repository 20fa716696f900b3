import threading

import pytest
import sqlalchemy as sa

from nephele.kernel.store import Json, Store, metadata

things = sa.Table("test_things", metadata, sa.Column("id", sa.Integer, primary_key=True), sa.Column("data", Json()))


def count(store: Store) -> int:
    with store.read() as db:
        return int(db.execute(sa.select(sa.func.count()).select_from(things)).scalar_one())


def test_an_inner_write_joins_the_outer_one(store: Store) -> None:
    def both() -> None:
        with store.write() as db:
            db.execute(things.insert(), {"id": 1, "data": {"a": [1]}})
            with store.write() as inner:
                inner.execute(things.insert(), {"id": 2, "data": None})
            assert count(store) == 2
            raise ValueError("undo")

    with pytest.raises(ValueError, match="undo"):
        both()
    assert count(store) == 0


def test_after_commit_runs_only_after_a_commit(store: Store) -> None:
    seen: list[str] = []
    with store.write():
        store.after_commit(lambda: seen.append("kept"))
        assert not seen

    def undone() -> None:
        with store.write():
            store.after_commit(lambda: seen.append("lost"))
            raise ValueError("undo")

    with pytest.raises(ValueError, match="undo"):
        undone()
    assert seen == ["kept"]


def test_many_threads_write_without_losing_any(store: Store) -> None:
    def add(start: int) -> None:
        for number in range(start, start + 50):
            with store.write() as db:
                db.execute(things.insert(), {"id": number, "data": {"n": number}})
            count(store)

    threads = [threading.Thread(target=add, args=(start * 50,)) for start in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert count(store) == 400


def test_readers_are_shared_between_threads_and_held_within_one(store: Store) -> None:
    def raw() -> int:
        with store.read() as outer, store.read() as inner:
            assert outer is inner
            return id(outer)

    found = [raw()]
    thread = threading.Thread(target=lambda: found.append(raw()))
    thread.start()
    thread.join()
    assert found[0] == found[1]
    with store.read() as mine:
        others: list[int] = []
        thread = threading.Thread(target=lambda: others.append(raw()))
        thread.start()
        thread.join()
        assert others != [id(mine)]
