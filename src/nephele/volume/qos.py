"""QoS specs: promises about speed that volume types carry."""

import sqlalchemy as sa

from nephele.volume.errors import QOS_EXISTS, QOS_IN_USE, QOS_KEY_NOT_FOUND, QOS_NOT_FOUND
from nephele.volume.model import QosSpecs, VolumeType
from nephele.volume.parts import Parts
from nephele.volume.tables import qos_specs, volume_types
from nephele.volume.types import Types


class Qos:
    """All QoS specs."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def show(self, qos_id: str) -> QosSpecs:
        """One of them.  Raises QOS_NOT_FOUND."""
        with self._parts.store.read() as db:
            row = db.execute(sa.select(*qos_specs.c).where(qos_specs.c.id == qos_id)).one_or_none()
        if row is None:
            raise QOS_NOT_FOUND(qos_id=qos_id)
        return QosSpecs(*row)

    def create(self, name: str, consumer: str, specs: dict[str, str]) -> QosSpecs:
        """New ones.  Raises QOS_EXISTS."""
        with self._parts.store.write() as db:
            if db.execute(sa.select(qos_specs.c.id).where(qos_specs.c.name == name)).first() is not None:
                raise QOS_EXISTS(name=name)
            made = QosSpecs(self._parts.ids.uuid(), name, consumer, specs)
            db.execute(qos_specs.insert().values({field: getattr(made, field) for field in made.__struct_fields__}))
        return made

    def update(self, qos_id: str, consumer: str | None, specs: dict[str, str]) -> None:
        """Add or change some."""
        with self._parts.store.write() as db:
            old = self.show(qos_id)
            values = {"consumer": consumer or old.consumer, "specs": {**old.specs, **specs}}
            db.execute(qos_specs.update().where(qos_specs.c.id == qos_id).values(values))

    def delete_keys(self, qos_id: str, keys: list[str]) -> None:
        """Forget some.  Raises QOS_KEY_NOT_FOUND."""
        with self._parts.store.write() as db:
            old = self.show(qos_id).specs
            for key in keys:
                if key not in old:
                    raise QOS_KEY_NOT_FOUND(qos_id=qos_id, key=key)
            kept = {name: value for name, value in old.items() if name not in keys}
            db.execute(qos_specs.update().where(qos_specs.c.id == qos_id).values(specs=kept))

    def delete(self, qos_id: str, *, force: bool) -> None:
        """Forget all of it; types that carry it carry none then, where forced.  Raises QOS_IN_USE where not."""
        with self._parts.store.write() as db:
            self.show(qos_id)
            if self.associations(qos_id) and not force:
                raise QOS_IN_USE(qos_id=qos_id)
            self.disassociate_all(qos_id)
            db.execute(qos_specs.delete().where(qos_specs.c.id == qos_id))

    def associations(self, qos_id: str) -> list[VolumeType]:
        """The types that carry it."""
        with self._parts.store.read() as db:
            self.show(qos_id)
            query = sa.select(*volume_types.c).where(volume_types.c.qos_specs_id == qos_id)
            return [VolumeType(*row) for row in db.execute(query.order_by(volume_types.c.name))]

    def associate(self, qos_id: str, type_id: str) -> None:
        """Let a type carry it."""
        self._put(qos_id, type_id, qos_id)

    def disassociate(self, qos_id: str, type_id: str) -> None:
        """Let a type carry none."""
        self._put(qos_id, type_id, None)

    def _put(self, qos_id: str, type_id: str, value: str | None) -> None:
        with self._parts.store.write() as db:
            self.show(qos_id)
            Types.get(db, type_id)
            db.execute(volume_types.update().where(volume_types.c.id == type_id).values(qos_specs_id=value))

    def disassociate_all(self, qos_id: str) -> None:
        """Let no type carry it."""
        with self._parts.store.write() as db:
            self.show(qos_id)
            c = volume_types.c
            db.execute(volume_types.update().where(c.qos_specs_id == qos_id).values(qos_specs_id=None))
