"""Quotas: how much a project may have, counted from what it has, in the transaction that takes more.

Resources are `volumes`, `snapshots`, `gigabytes` (volumes and snapshots together), `per_volume_gigabytes`, and for
each volume type `volumes_TYPE`, `snapshots_TYPE`, `gigabytes_TYPE`; -1 is no limit.
"""

import sqlalchemy as sa
from msgspec import Struct

from nephele.kernel.errors import BAD_REQUEST
from nephele.volume.errors import TOO_MANY_GIGABYTES, TOO_MANY_SNAPSHOTS, TOO_MANY_VOLUMES, VOLUME_TOO_LARGE
from nephele.volume.model import VolumeType
from nephele.volume.parts import Parts
from nephele.volume.tables import backups, groups, quota_classes, quotas, snapshots, volume_types, volumes

DEFAULTS = {
    "volumes": 10,
    "snapshots": 10,
    "gigabytes": 1000,
    "backups": 10,
    "backup_gigabytes": 1000,
    "groups": 10,
    "per_volume_gigabytes": -1,
}
DEFAULT_CLASS = "default"
UNLIMITED = -1


class Usage(Struct, frozen=True):
    """One resource of a project."""

    limit: int
    in_use: int


class Quotas:
    """The quotas of all projects."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def class_limits(self, class_name: str = DEFAULT_CLASS) -> dict[str, int]:
        """The limits of a quota class, with those that nobody changed; only `default` has a meaning."""
        with self._parts.store.read() as db:
            c = quota_classes.c
            changed = db.execute(sa.select(c.resource, c.allowed).where(c.class_name == class_name))
            return {**DEFAULTS, **self._of_types(db), **{row.resource: row.allowed for row in changed}}

    def limits(self, project_id: str) -> dict[str, int]:
        """What a project may have."""
        with self._parts.store.read() as db:
            own = db.execute(sa.select(quotas.c.resource, quotas.c.allowed).where(quotas.c.project_id == project_id))
            return {**self.class_limits(), **{row.resource: row.allowed for row in own}}

    def usages(self, project_id: str) -> dict[str, Usage]:
        """What a project may have and has."""
        with self._parts.store.read() as db:
            used = self._used(db, project_id)
            return {name: Usage(limit, used.get(name, 0)) for name, limit in self.limits(project_id).items()}

    def set_limits(self, project_id: str, limits: dict[str, int]) -> dict[str, int]:
        """Change a project's limits.  Raises BAD_REQUEST for unknown ones and those below what is in use."""
        with self._parts.store.write() as db:
            known = self.usages(project_id)
            for name, limit in limits.items():
                self._check_limit(name, limit, known)
            for name, limit in limits.items():
                db.execute(quotas.delete().where(quotas.c.project_id == project_id, quotas.c.resource == name))
                db.execute(quotas.insert().values(project_id=project_id, resource=name, allowed=limit))
            return self.limits(project_id)

    @staticmethod
    def _check_limit(name: str, limit: int, known: dict[str, Usage]) -> None:
        usage = known.get(name)
        if usage is None:
            raise BAD_REQUEST(reason=f"Bad key(s) in quota set: {name}")
        if limit != UNLIMITED and name != "per_volume_gigabytes" and limit < usage.in_use:
            raise BAD_REQUEST(
                reason=f"Quota {name} limit must be equal or greater than existing resources. "
                f"Current usage is {usage.in_use} and the requested limit is {limit}."
            )

    def set_class_limits(self, class_name: str, limits: dict[str, int]) -> dict[str, int]:
        """Change the limits of a quota class."""
        with self._parts.store.write() as db:
            known = self.class_limits(class_name)
            for name, limit in limits.items():
                if name not in known:
                    raise BAD_REQUEST(reason=f"Bad key(s) in quota class set: {name}")
                c = quota_classes.c
                db.execute(quota_classes.delete().where(c.class_name == class_name, c.resource == name))
                db.execute(quota_classes.insert().values(class_name=class_name, resource=name, allowed=limit))
            return self.class_limits(class_name)

    def forget(self, project_id: str) -> None:
        """Let the defaults hold for a project again."""
        with self._parts.store.write() as db:
            db.execute(quotas.delete().where(quotas.c.project_id == project_id))

    # -- taking ------------------------------------------------------------------------------------------------

    def take_volume(self, project_id: str, kind: VolumeType, size_gb: int) -> None:
        """Inside a `write()`: refuse unless the project may have one more volume of that size."""
        with self._parts.store.write() as db:
            self._parts.store.lock(f"volume-quota/{project_id}")
            limits, used = self.limits(project_id), self._used(db, project_id)
            self.check_size(project_id, size_gb)
            for name in ("gigabytes", f"gigabytes_{kind.name}"):
                self._check_gigabytes(name, size_gb, limits, used)
            for name in ("volumes", f"volumes_{kind.name}"):
                if _is_over(name, 1, limits, used):
                    raise TOO_MANY_VOLUMES(allowed=limits[name], name=name)

    def take_snapshot(self, project_id: str, kind: VolumeType, size_gb: int) -> None:
        """Inside a `write()`: refuse unless the project may have one more snapshot of that size."""
        with self._parts.store.write() as db:
            self._parts.store.lock(f"volume-quota/{project_id}")
            limits, used = self.limits(project_id), self._used(db, project_id)
            for name in ("gigabytes", f"gigabytes_{kind.name}"):
                self._check_gigabytes(name, size_gb, limits, used)
            for name in ("snapshots", f"snapshots_{kind.name}"):
                if _is_over(name, 1, limits, used):
                    raise TOO_MANY_SNAPSHOTS(allowed=limits[name], name=name)

    def take_gigabytes(self, project_id: str, kind: VolumeType, more_gb: int) -> None:
        """Inside a `write()`: refuse unless the project may have so many GB more."""
        with self._parts.store.write() as db:
            self._parts.store.lock(f"volume-quota/{project_id}")
            limits, used = self.limits(project_id), self._used(db, project_id)
            for name in ("gigabytes", f"gigabytes_{kind.name}"):
                self._check_gigabytes(name, more_gb, limits, used)

    def check_size(self, project_id: str, size_gb: int) -> None:
        """Refuse a volume larger than the project may have any."""
        largest = self.limits(project_id)["per_volume_gigabytes"]
        if largest != UNLIMITED and size_gb > largest:
            raise VOLUME_TOO_LARGE(requested=size_gb, allowed=largest)

    @staticmethod
    def _check_gigabytes(name: str, more: int, limits: dict[str, int], used: dict[str, int]) -> None:
        if _is_over(name, more, limits, used):
            raise TOO_MANY_GIGABYTES(name=name, requested=more, allowed=limits[name], used=used.get(name, 0))

    # -- counting ----------------------------------------------------------------------------------------------

    @staticmethod
    def _of_types(db: sa.Connection) -> dict[str, int]:
        names = db.execute(sa.select(volume_types.c.name).order_by(volume_types.c.name)).scalars().all()
        return {f"{what}_{name}": UNLIMITED for name in names for what in ("volumes", "snapshots", "gigabytes")}

    @staticmethod
    def _used(db: sa.Connection, project_id: str) -> dict[str, int]:
        """What the project has: one count over each of its kinds of things."""
        used: dict[str, int] = {}
        for what, table in (("volumes", volumes), ("snapshots", snapshots)):
            total = sa.func.coalesce(sa.func.sum(table.c.size_gb), 0)
            counted = (
                sa.select(volume_types.c.name, sa.func.count(), total)
                .select_from(table.join(volume_types, table.c.type_id == volume_types.c.id))
                .where(table.c.project_id == project_id)
                .group_by(volume_types.c.name)
            )
            for kind, count, gigabytes in db.execute(counted):
                for name, more in ((what, count), ("gigabytes", int(gigabytes))):
                    used[name] = used.get(name, 0) + more
                    used[f"{name}_{kind}"] = used.get(f"{name}_{kind}", 0) + more
        of_project = sa.select(sa.func.count()).select_from(groups).where(groups.c.project_id == project_id)
        used["groups"] = int(db.execute(of_project).scalar_one())
        counted = sa.select(sa.func.count(), sa.func.coalesce(sa.func.sum(backups.c.size_gb), 0))
        count, gigabytes = db.execute(counted.where(backups.c.project_id == project_id)).one()
        used |= {"backups": count, "backup_gigabytes": int(gigabytes)}
        return used


def _is_over(name: str, more: int, limits: dict[str, int], used: dict[str, int]) -> bool:
    limit = limits.get(name, UNLIMITED)
    return limit != UNLIMITED and used.get(name, 0) + more > limit
