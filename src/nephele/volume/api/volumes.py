"""Volumes over HTTP."""

import hashlib
from typing import Any

import msgspec
import sqlalchemy as sa
from msgspec import UNSET

from nephele.kernel.errors import BAD_REQUEST, NOT_FOUND, Error
from nephele.volume import rows
from nephele.volume.accept import NewVolume
from nephele.volume.api.bodies import check_uuid, number, stripped, truth
from nephele.volume.api.links import Links, moment, next_links
from nephele.volume.api.listing import Listed, read_listing
from nephele.volume.changes import VolumeChange
from nephele.volume.errors import METADATA_NOT_FOUND, VOLUME_NOT_FOUND
from nephele.volume.model import Attachment, AttachStatus, Volume
from nephele.volume.service import Volumes
from nephele.volume.tables import volumes
from nephele.web.call import Call
from nephele.web.routing import Reply

_c = volumes.c
_COLUMNS: dict[str, sa.Column[Any]] = {
    "name": _c.name,
    "display_name": _c.name,
    "description": _c.description,
    "status": _c.status,
    "bootable": _c.bootable,
    "migration_status": _c.migration_status,
    "availability_zone": _c.availability_zone,
    "size": _c.size_gb,
    "created_at": _c.created_at,
    "updated_at": _c.updated_at,
    "id": _c.id,
    "project_id": _c.project_id,
    "user_id": _c.user_id,
    "host": _c.host,
    "group_id": _c.group_id,
    "volume_type_id": _c.type_id,
    "snapshot_id": _c.snapshot_id,
    "source_volid": _c.source_volid,
    "multiattach": _c.multiattach,
}
LISTED = Listed(
    table=volumes,
    user_filters={
        "name": (3, 0),
        "status": (3, 0),
        "metadata": (3, 0),
        "bootable": (3, 0),
        "migration_status": (3, 0),
        "availability_zone": (3, 0),
        "size": (3, 0),
        "glance_metadata": (3, 4),
        "group_id": (3, 10),
        "created_at": (3, 60),
        "updated_at": (3, 60),
        "consumes_quota": (3, 65),
    },
    admin_filters=frozenset(_COLUMNS),
    columns=_COLUMNS,
    sorts=frozenset(_COLUMNS),
    missing=VOLUME_NOT_FOUND,
    marker_fact="volume_id",
)
PRECONDITION_FAILED = Error("volume.precondition_failed", 412, "The metadata changed since its Etag was read.")


# -- views ---------------------------------------------------------------------------------------------------------


class View:
    """How one caller sees volumes in one microversion; what is the same for all of them is worked out once."""

    def __init__(self, service: Volumes, call: Call) -> None:
        self._call = call
        self._is_admin = call.context.is_admin
        self._links = Links(call, "volumes")
        self._sees_host = call.may("volume_extension:volume_host_attribute")
        self._sees_project = call.may("volume_extension:volume_tenant_attribute")
        self._sees_migration = call.may("volume_extension:volume_mig_status_attribute")
        self._sees_image = call.may("volume_extension:volume_image_metadata:show")
        self._services = service.services
        self._consistency_groups = service.groups.of_consistency()

    def summary(self, volume: Volume) -> dict[str, object]:
        """Just what it is called."""
        return {"id": volume.id, "name": volume.name, "links": self._links(volume.id)}

    def full(self, volume: Volume, attached: list[Attachment]) -> dict[str, object]:
        """All of it, as showing and listing give it."""
        view = self.detail(volume, attached)
        self._add_extensions(view, volume)
        return view

    def detail(self, volume: Volume, attached: list[Attachment]) -> dict[str, object]:
        """All that belongs to the volume itself, as creating and updating give it."""
        metadata = volume.metadata
        if volume.readonly is not None:
            metadata = {**metadata, "readonly": str(volume.readonly)}
        view: dict[str, object] = {
            "id": volume.id,
            "status": volume.status,
            "size": volume.size_gb,
            "availability_zone": volume.availability_zone,
            "created_at": moment(volume.created_at),
            "updated_at": moment(volume.updated_at),
            "name": volume.name,
            "description": volume.description,
            "volume_type": volume.type_name,
            "snapshot_id": volume.snapshot_id,
            "source_volid": volume.source_volid,
            "metadata": metadata,
            "links": self._links(volume.id),
            "user_id": volume.user_id,
            "bootable": "true" if volume.bootable else "false",
            "encrypted": False,
            "replication_status": None,
            "consistencygroup_id": volume.group_id if volume.group_id in self._consistency_groups else None,
            "multiattach": volume.multiattach,
            "attachments": [self._attached(one) for one in attached if one.status == AttachStatus.ATTACHED],
        }
        if self._is_admin:
            view["migration_status"] = volume.migration_status
        self._add_newer(view, volume)
        return view

    def _attached(self, attachment: Attachment) -> dict[str, object]:
        return {
            "id": attachment.volume_id,
            "attachment_id": attachment.id,
            "volume_id": attachment.volume_id,
            "server_id": attachment.server_id,
            "host_name": attachment.host if self._is_admin or "service" in self._call.context.roles else None,
            "device": attachment.device,
            "attached_at": moment(attachment.attached_at),
        }

    def _add_extensions(self, view: dict[str, object], volume: Volume) -> None:
        if self._sees_host:
            view["os-vol-host-attr:host"] = volume.host
        if self._sees_project:
            view["os-vol-tenant-attr:tenant_id"] = volume.project_id
        if self._sees_migration:
            view["os-vol-mig-status-attr:migstat"] = volume.migration_status
            view["os-vol-mig-status-attr:name_id"] = None
        if self._sees_image and volume.image_metadata:
            view["volume_image_metadata"] = volume.image_metadata

    def _add_newer(self, view: dict[str, object], volume: Volume) -> None:
        version = self._call.version
        if version >= (3, 13):
            view["group_id"] = volume.group_id
        if version >= (3, 21) and self._is_admin:
            view["provider_id"] = None
        if version >= (3, 48):
            view["shared_targets"] = False
            view["service_uuid"] = self._services.volume_uuid(volume.host)
        if version >= (3, 61) and self._is_admin:
            view["cluster_name"] = self._services.cluster_of(volume.host) or None
        if version >= (3, 63):
            view["volume_type_id"] = volume.type_id
        if version >= (3, 65):
            view["consumes_quota"] = True


def _one(service: Volumes, call: Call, volume: Volume) -> dict[str, object]:
    return {"volume": View(service, call).detail(volume, _attachments(service, volume))}


def _attachments(service: Volumes, volume: Volume) -> list[Attachment]:
    with service.parts.store.read() as db:
        return rows.attachments_of(db, [volume.id]).get(volume.id, [])


def target(volume: Volume) -> dict[str, str]:
    """What policy rules are asked about."""
    return {"project_id": volume.project_id, "user_id": volume.user_id}


def find(service: Volumes, call: Call, rule: str = "") -> Volume:
    """The volume that the path names, if the caller may do with it what the rule says."""
    volume = service.show(call.context, call.path["volume_id"])
    if rule:
        call.enforce(rule, target(volume))
    return volume


# -- reading -------------------------------------------------------------------------------------------------------


def show(service: Volumes, call: Call) -> object:
    """One volume."""
    volume = find(service, call, "volume:get")
    return {"volume": View(service, call).full(volume, _attachments(service, volume))}


def index(service: Volumes, call: Call) -> object:
    """Their names; `GET /volumes/` asks for a volume without a name, which is not there."""
    if call.request.scope["path"].endswith("/"):
        raise NOT_FOUND()
    return _list(service, call, detailed=False)


def detail(service: Volumes, call: Call) -> object:
    """All of them, in full."""
    return _list(service, call, detailed=True)


def _list(service: Volumes, call: Call, *, detailed: bool) -> object:
    asked = read_listing(call, LISTED)
    view = View(service, call)
    with service.parts.store.read() as db:
        found = rows.list_volumes(db, asked.narrow(db))
        total = asked.total(db) if asked.with_count else None
        attached = rows.attachments_of(db, [volume.id for volume in found]) if detailed else {}
    if detailed:
        shown = [view.full(volume, attached.get(volume.id, [])) for volume in found]
    else:
        shown = [view.summary(volume) for volume in found]
    body: dict[str, object] = {"volumes": shown}
    path = "volumes/detail" if detailed else "volumes"
    following = next_links(call, path, [volume.id for volume in found], asked.page.limit)
    if following:
        body["volumes_links"] = following
    if total is not None:
        body["count"] = total
    return body


def summary(service: Volumes, call: Call) -> object:
    """How many there are, how large together, and from 3.36 on all their metadata."""
    asked = read_listing(call, LISTED)
    query = sa.select(_c.size_gb, _c["metadata"]).where(*asked.conditions)
    with service.parts.store.read() as db:
        found = db.execute(query).all()
    body: dict[str, object] = {"total_count": len(found), "total_size": sum(size for size, _words in found)}
    if call.version >= (3, 36):
        values: dict[str, set[str]] = {}
        for _size, words in found:
            for key, value in words.items():
                values.setdefault(key, set()).add(value)
        body["metadata"] = {key: sorted(texts) for key, texts in values.items()}
    return {"volume-summary": body}


# -- writing -------------------------------------------------------------------------------------------------------


def create(service: Volumes, call: Call) -> object:
    """A new volume, in the making."""
    asked = call.body.volume
    image = asked.imageRef or asked.image_id
    call.enforce("volume:create_from_image" if image else "volume:create")
    for field in ("snapshot_id", "source_volid", "consistencygroup_id", "backup_id", "group_id"):
        check_uuid(field, getattr(asked, field))
    if truth(asked.multiattach):
        raise BAD_REQUEST(
            reason="multiattach parameter has been removed. The default behavior is to use multiattach enabled volume "
            "types. Contact your administrator to create a multiattach enabled volume type and use it to create "
            "multiattach volumes."
        )
    new = NewVolume(
        size_gb=number(asked.size),
        name=stripped(asked.name if asked.name is not None else asked.display_name),
        description=stripped(asked.description if asked.description is not None else asked.display_description),
        volume_type=asked.volume_type or None,
        availability_zone=asked.availability_zone,
        image_id=image or None,
        snapshot_id=asked.snapshot_id,
        source_volid=asked.source_volid,
        metadata=asked.metadata or {},
        backup_id=asked.backup_id if call.version >= (3, 47) else None,
        group_id=asked.consistencygroup_id or (asked.group_id if call.version >= (3, 13) else None),
    )
    return _one(service, call, service.create(call.context, new))


def update(service: Volumes, call: Call) -> object:
    """Other words for a volume."""
    asked = call.body.volume
    if call.version >= (3, 53) and all(getattr(asked, field) is UNSET for field in asked.__struct_fields__):
        raise BAD_REQUEST(reason="Invalid input for field/attribute volume. Name one thing to change at least.")
    volume = find(service, call, "volume:update")
    name = asked.name if asked.name is not UNSET else asked.display_name
    description = asked.description if asked.description is not UNSET else asked.display_description
    change = VolumeChange(stripped(name), stripped(description), asked.metadata)
    return _one(service, call, service.changes.update(call.context, volume.id, change))


def delete(service: Volumes, call: Call) -> None:
    """Away with it."""
    volume = find(service, call, "volume:delete")
    force = call.version >= (3, 23) and call.query.flag("force")
    if force:
        call.enforce("volume:force_delete", target(volume))
    service.delete(call.context, volume.id, cascade=call.query.flag("cascade"), force=force)


# -- metadata ------------------------------------------------------------------------------------------------------


def _etag(metadata: dict[str, str]) -> str:
    return hashlib.md5(msgspec.json.encode({"metadata": metadata}), usedforsecurity=False).hexdigest()


def _check_etag(call: Call, volume: Volume) -> None:
    wanted = call.header("If-Match")
    if call.version >= (3, 15) and wanted and _etag(volume.metadata) not in wanted:
        raise PRECONDITION_FAILED()


def show_metadata(service: Volumes, call: Call) -> object:
    """A volume's metadata."""
    volume = find(service, call, "volume:get_volume_metadata")
    headers = {"Etag": _etag(volume.metadata)} if call.version >= (3, 15) else {}
    return Reply({"metadata": volume.metadata}, headers=headers)


def add_metadata(service: Volumes, call: Call) -> object:
    """More of it."""
    volume = find(service, call, "volume:create_volume_metadata")
    return {"metadata": service.changes.set_metadata(call.context, volume.id, call.body.metadata, replace=False)}


def replace_metadata(service: Volumes, call: Call) -> object:
    """Other metadata in its place."""
    volume = find(service, call, "volume:update_volume_metadata")
    _check_etag(call, volume)
    return {"metadata": service.changes.set_metadata(call.context, volume.id, call.body.metadata, replace=True)}


def show_metadata_key(service: Volumes, call: Call) -> object:
    """One pair of it."""
    volume, key = find(service, call, "volume:get_volume_metadata"), call.path["key"]
    if key not in volume.metadata:
        raise METADATA_NOT_FOUND(what="Volume", id=volume.id, key=key)
    return {"meta": {key: volume.metadata[key]}}


def check_pair(call: Call) -> dict[str, str]:
    """The one pair in the body, whose key the path names."""
    pair: dict[str, str] = call.body.meta
    if call.path["key"] not in pair:
        raise BAD_REQUEST(reason="Request body and URI mismatch")
    if len(pair) > 1:
        raise BAD_REQUEST(reason="Request body contains too many items")
    return pair


def set_metadata_key(service: Volumes, call: Call) -> object:
    """Another value for one key."""
    pair = check_pair(call)
    volume = find(service, call, "volume:update_volume_metadata")
    _check_etag(call, volume)
    service.changes.set_metadata(call.context, volume.id, pair, replace=False)
    return {"meta": pair}


def delete_metadata_key(service: Volumes, call: Call) -> None:
    """One pair less."""
    volume = find(service, call, "volume:delete_volume_metadata")
    service.changes.delete_metadata(call.context, volume.id, call.path["key"])
