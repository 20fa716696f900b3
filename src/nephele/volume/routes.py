"""Cinder's operations, one line each."""

from typing import Annotated, Any

from msgspec import Meta, Struct

from nephele.kernel.errors import NOT_FOUND
from nephele.kernel.policy import Policy
from nephele.volume.api import (
    actions,
    attachments,
    backups,
    bodies,
    cloud,
    clusters,
    consistency,
    encryption,
    group_types,
    groups,
    logs,
    managing,
    messages,
    qos,
    quotas,
    snapshots,
    transfers,
    types,
    volumes,
)
from nephele.volume.service import Volumes
from nephele.web import faults
from nephele.web.bodies import envelope
from nephele.web.call import Call
from nephele.web.routing import PUBLIC, Api, Route

_VOLUME, _ACTION = "/v3/volumes/{volume_id}", "/v3/volumes/{volume_id}/action"
_SNAPSHOT, _TYPE, _QOS = "/v3/snapshots/{snapshot_id}", "/v3/types/{type_id}", "/v3/qos-specs/{qos_id}"
_ATTACHMENT = "/v3/attachments/{attachment_id}"
_QUOTA = "/v3/os-quota-sets/{project_id}"
_SPECS = "volume_extension:types_extra_specs"
_ACCESS = "volume_extension:volume_type_access"
_QOS_RULE = "volume_extension:qos_specs_manage"
_DEFAULT = "volume_extension:default"
_SERVICES = "volume_extension:services"


class _Keys(Struct, frozen=True, forbid_unknown_fields=True):
    keys: list[bodies.Name]


class _QosSpecs(Struct, frozen=True, forbid_unknown_fields=True):
    qos_specs: bodies.MaybeWords


class _QuotaSet(Struct, frozen=True, forbid_unknown_fields=True):
    quota_set: Annotated[dict[str, bodies.Limit], Meta(min_length=1)]


class _QuotaClassSet(Struct, frozen=True, forbid_unknown_fields=True):
    quota_class_set: dict[str, bodies.Limit]


def _action(name: str, handler: Any, body: Any = bodies.Anything, status: int = 202, **more: Any) -> Route:
    return Route("POST", _ACTION, handler, body=body, action=name, status=status, **more)


VOLUMES = [
    Route("GET", "/v3/volumes", volumes.index, "volume:get_all"),
    Route("GET", "/v3/volumes/detail", volumes.detail, "volume:get_all"),
    Route("GET", "/v3/volumes/summary", volumes.summary, "volume:get_all", since=(3, 12)),
    Route("POST", "/v3/volumes", volumes.create, body=bodies.Lax, status=202, until=(3, 52)),
    Route("POST", "/v3/volumes", volumes.create, body=bodies.Strict, status=202, since=(3, 53)),
    Route("GET", _VOLUME, volumes.show),
    Route("PUT", _VOLUME, volumes.update, body=envelope("volume", bodies.VolumeUpdate)),
    Route("DELETE", _VOLUME, volumes.delete, status=202),
    Route("GET", f"{_VOLUME}/metadata", volumes.show_metadata),
    Route("POST", f"{_VOLUME}/metadata", volumes.add_metadata, body=bodies.Metadata),
    Route("PUT", f"{_VOLUME}/metadata", volumes.replace_metadata, body=bodies.Metadata),
    Route("GET", f"{_VOLUME}/metadata/{{key}}", volumes.show_metadata_key),
    Route("PUT", f"{_VOLUME}/metadata/{{key}}", volumes.set_metadata_key, body=bodies.Meta_),
    Route("DELETE", f"{_VOLUME}/metadata/{{key}}", volumes.delete_metadata_key),
]
ACTIONS = [
    _action("os-extend", actions.extend, bodies.Extend),
    _action("os-extend_volume_completion", actions.complete_extension, bodies.ExtensionEnd, since=(3, 71)),
    _action("os-reset_status", actions.reset_status, bodies.Reset),
    _action("os-force_delete", actions.force_delete),
    _action("os-set_bootable", actions.set_bootable, bodies.Bootable, 200),
    _action("os-update_readonly_flag", actions.set_readonly, bodies.Readonly),
    _action("os-retype", actions.retype, bodies.Retype),
    _action("os-migrate_volume", actions.migrate, bodies.OldMigrate, until=(3, 15)),
    _action("os-migrate_volume", actions.migrate, bodies.Migrate, since=(3, 16)),
    _action("os-migrate_volume_completion", actions.complete_migration, bodies.MigrationEnd, 200),
    _action("revert", actions.revert, bodies.Revert, since=(3, 40)),
    _action("os-reimage", actions.reimage, bodies.Reimage, since=(3, 68)),
    _action("os-set_image_metadata", actions.set_image_metadata, bodies.ImageMetadata, 200),
    _action("os-show_image_metadata", actions.show_image_metadata, status=200),
    _action("os-unset_image_metadata", actions.unset_image_metadata, bodies.ImageKey, 200),
    _action("os-volume_upload_image", actions.upload, bodies.OldUpload, until=(3, 0)),
    _action("os-volume_upload_image", actions.upload, bodies.Upload, since=(3, 1)),
    _action("os-reserve", actions.reserve),
    _action("os-unreserve", actions.unreserve),
    _action("os-begin_detaching", actions.begin_detaching),
    _action("os-roll_detaching", actions.roll_detaching),
    _action("os-attach", actions.attach, bodies.Attach),
    _action("os-detach", actions.detach, bodies.Detach | None),
    _action("os-force_detach", actions.force_detach, bodies.ForceDetach),
    _action("os-initialize_connection", actions.initialize_connection, bodies.Connection, 200),
    _action("os-terminate_connection", actions.terminate_connection, bodies.Connection),
]
_SINCE_ATTACHMENTS = (3, 27)
_OLD, _NEW = envelope("attachment", bodies.NewAttachment), envelope("attachment", bodies.NewModeAttachment)
ATTACHMENTS = [
    Route("GET", "/v3/attachments", attachments.index, "volume:get_all", since=_SINCE_ATTACHMENTS),
    Route("GET", "/v3/attachments/detail", attachments.detail, "volume:get_all", since=_SINCE_ATTACHMENTS),
    Route("POST", "/v3/attachments", attachments.create, body=_OLD, since=_SINCE_ATTACHMENTS, until=(3, 53)),
    Route("POST", "/v3/attachments", attachments.create, body=_NEW, since=(3, 54)),
    Route("GET", _ATTACHMENT, attachments.show, since=_SINCE_ATTACHMENTS),
    Route(
        "PUT",
        _ATTACHMENT,
        attachments.update,
        body=envelope("attachment", bodies.AttachmentUpdate),
        since=_SINCE_ATTACHMENTS,
    ),
    Route("DELETE", _ATTACHMENT, attachments.delete, since=_SINCE_ATTACHMENTS),
    Route(
        "POST",
        f"{_ATTACHMENT}/action",
        attachments.complete,
        body=bodies.Anything,
        action="os-complete",
        status=204,
        since=(3, 44),
    ),
]
SNAPSHOTS = [
    Route("GET", "/v3/snapshots", snapshots.index, "volume:get_all_snapshots"),
    Route("GET", "/v3/snapshots/detail", snapshots.detail, "volume:get_all_snapshots"),
    Route("POST", "/v3/snapshots", snapshots.create, body=envelope("snapshot", bodies.NewSnapshot), status=202),
    Route("GET", _SNAPSHOT, snapshots.show),
    Route("PUT", _SNAPSHOT, snapshots.update, body=envelope("snapshot", bodies.SnapshotUpdate)),
    Route("DELETE", _SNAPSHOT, snapshots.delete, status=202),
    Route("GET", f"{_SNAPSHOT}/metadata", snapshots.show_metadata),
    Route("POST", f"{_SNAPSHOT}/metadata", snapshots.add_metadata, body=bodies.Metadata),
    Route("PUT", f"{_SNAPSHOT}/metadata", snapshots.replace_metadata, body=bodies.Metadata),
    Route("GET", f"{_SNAPSHOT}/metadata/{{key}}", snapshots.show_metadata_key),
    Route("PUT", f"{_SNAPSHOT}/metadata/{{key}}", snapshots.set_metadata_key, body=bodies.Meta_),
    Route("DELETE", f"{_SNAPSHOT}/metadata/{{key}}", snapshots.delete_metadata_key),
    *(
        Route("POST", f"{_SNAPSHOT}/action", handler, body=body, action=name, status=202)
        for name, handler, body in (
            ("os-reset_status", snapshots.reset_status, bodies.ResetSnapshot),
            ("os-force_delete", snapshots.force_delete, bodies.Anything),
            ("os-update_snapshot_status", snapshots.update_status, bodies.SnapshotProgress),
        )
    ),
]
_NEW_TYPE, _OTHER_TYPE = envelope("volume_type", bodies.NewType), envelope("volume_type", bodies.TypeUpdate)
TYPES = [
    Route("GET", "/v3/types", types.index, "volume_extension:type_get_all"),
    Route("POST", "/v3/types", types.create, "volume_extension:type_create", _NEW_TYPE),
    Route("GET", "/v3/types/default", types.show_default, "volume_extension:type_get"),
    Route("GET", _TYPE, types.show, "volume_extension:type_get"),
    Route("PUT", _TYPE, types.update, "volume_extension:type_update", _OTHER_TYPE),
    Route("DELETE", _TYPE, types.delete, "volume_extension:type_delete", status=202),
    Route("GET", f"{_TYPE}/extra_specs", types.show_specs, f"{_SPECS}:index"),
    Route("POST", f"{_TYPE}/extra_specs", types.add_specs, f"{_SPECS}:create", bodies.ExtraSpecs),
    Route("GET", f"{_TYPE}/extra_specs/{{key}}", types.show_spec, f"{_SPECS}:show"),
    Route("PUT", f"{_TYPE}/extra_specs/{{key}}", types.set_spec, f"{_SPECS}:update", bodies.MaybeWords),
    Route("DELETE", f"{_TYPE}/extra_specs/{{key}}", types.delete_spec, f"{_SPECS}:delete", status=202),
    Route("GET", f"{_TYPE}/os-volume-type-access", types.show_access, f"{_ACCESS}:get_all_for_type"),
    Route(
        "POST",
        f"{_TYPE}/action",
        types.grant,
        f"{_ACCESS}:addProjectAccess",
        bodies.Access,
        action="addProjectAccess",
        status=202,
    ),
    Route(
        "POST",
        f"{_TYPE}/action",
        types.withdraw,
        f"{_ACCESS}:removeProjectAccess",
        bodies.Access,
        action="removeProjectAccess",
        status=202,
    ),
    Route("GET", "/v3/default-types", types.index_defaults, f"{_DEFAULT}_get_all", since=(3, 62)),
    Route("GET", "/v3/default-types/{project_id}", types.show_default_of, f"{_DEFAULT}_get", since=(3, 62)),
    Route(
        "PUT",
        "/v3/default-types/{project_id}",
        types.set_default,
        f"{_DEFAULT}_set_or_update",
        envelope("default_type", bodies.DefaultType),
        since=(3, 62),
    ),
    Route(
        "DELETE", "/v3/default-types/{project_id}", types.unset_default, f"{_DEFAULT}_unset", status=204, since=(3, 62)
    ),
]
_CLUSTERS = "/v3/clusters"
CLUSTERS = [
    Route("GET", _CLUSTERS, clusters.index, "clusters:get_all", since=(3, 7)),
    Route("GET", f"{_CLUSTERS}/detail", clusters.detail, "clusters:get_all", since=(3, 7)),
    Route("GET", f"{_CLUSTERS}/{{name}}", clusters.show, "clusters:get", since=(3, 7)),
    Route("PUT", f"{_CLUSTERS}/enable", clusters.enable, "clusters:update", bodies.ClusterSwitch, since=(3, 7)),
    Route("PUT", f"{_CLUSTERS}/disable", clusters.disable, "clusters:update", bodies.ClusterSwitch, since=(3, 7)),
    Route(
        "POST", "/v3/workers/cleanup", clusters.cleanup, "workers:cleanup", bodies.Cleanup, status=202, since=(3, 24)
    ),
]
_GROUP_TYPE, _GROUP_TYPES = "/v3/group_types/{group_type_id}", "group:group_types"
_GROUP_SPECS = f"{_GROUP_TYPE}/group_specs"
GROUP_TYPES = [
    Route("GET", "/v3/group_types", group_types.index, since=(3, 11)),
    Route(
        "POST",
        "/v3/group_types",
        group_types.create,
        f"{_GROUP_TYPES}:create",
        envelope("group_type", bodies.NewGroupType),
        status=202,
        since=(3, 11),
    ),
    Route("GET", "/v3/group_types/default", group_types.show_default, since=(3, 11)),
    Route("GET", _GROUP_TYPE, group_types.show, since=(3, 11)),
    Route(
        "PUT",
        _GROUP_TYPE,
        group_types.update,
        f"{_GROUP_TYPES}:update",
        envelope("group_type", bodies.GroupTypeUpdate),
        since=(3, 11),
    ),
    Route("DELETE", _GROUP_TYPE, group_types.delete, f"{_GROUP_TYPES}:delete", status=202, since=(3, 11)),
    Route("GET", _GROUP_SPECS, group_types.show_specs, f"{_GROUP_TYPES}_specs:get_all", since=(3, 11)),
    Route(
        "POST",
        _GROUP_SPECS,
        group_types.add_specs,
        f"{_GROUP_TYPES}_specs:create",
        bodies.GroupSpecs,
        status=202,
        since=(3, 11),
    ),
    Route("GET", f"{_GROUP_SPECS}/{{key}}", group_types.show_spec, f"{_GROUP_TYPES}_specs:get", since=(3, 11)),
    Route(
        "PUT",
        f"{_GROUP_SPECS}/{{key}}",
        group_types.set_spec,
        f"{_GROUP_TYPES}_specs:update",
        bodies.MaybeWords,
        since=(3, 11),
    ),
    Route(
        "DELETE",
        f"{_GROUP_SPECS}/{{key}}",
        group_types.delete_spec,
        f"{_GROUP_TYPES}_specs:delete",
        status=202,
        since=(3, 11),
    ),
]
_GROUP, _GROUP_SNAPSHOT = "/v3/groups/{group_id}", "/v3/group_snapshots/{group_snapshot_id}"


def _group_action(name: str, handler: Any, body: Any, since: tuple[int, int]) -> Route:
    return Route("POST", f"{_GROUP}/action", handler, body=body, action=name, status=202, since=since)


_ENCRYPTION, _ENCRYPTED = f"{_TYPE}/encryption", "volume_extension:volume_type_encryption"
ENCRYPTION = [
    Route("GET", _ENCRYPTION, encryption.show, f"{_ENCRYPTED}:get"),
    Route(
        "POST",
        _ENCRYPTION,
        encryption.create,
        f"{_ENCRYPTED}:create",
        envelope("encryption", bodies.NewEncryption),
    ),
    Route("GET", f"{_ENCRYPTION}/{{item}}", encryption.show_item, f"{_ENCRYPTED}:get"),
    Route(
        "PUT",
        f"{_ENCRYPTION}/{{item}}",
        encryption.update,
        f"{_ENCRYPTED}:update",
        envelope("encryption", bodies.EncryptionUpdate),
    ),
    Route("DELETE", f"{_ENCRYPTION}/{{item}}", encryption.delete, f"{_ENCRYPTED}:delete", status=202),
    Route("GET", f"{_VOLUME}/encryption", encryption.show_of_volume),
    Route("GET", f"{_VOLUME}/encryption/{{key}}", encryption.show_item_of_volume),
]


def _manageable(path: str, what: str, body: Any, handlers: tuple[Any, Any, Any], since: tuple[int, int]) -> list[Route]:
    index, detail, manage = handlers
    return [
        Route("GET", path, index, f"{what}_extension:list_manageable", since=since),
        Route("GET", f"{path}/detail", detail, f"{what}_extension:list_manageable", since=since),
        Route("POST", path, manage, f"{what}_extension:{what}_manage", envelope(what, body), status=202, since=since),
    ]


_OF_VOLUMES = (managing.index_volumes, managing.detail_volumes, managing.manage_volume)
_OF_SNAPSHOTS = (managing.index_snapshots, managing.detail_snapshots, managing.manage_snapshot)
MANAGING = [
    *_manageable("/v3/os-volume-manage", "volume", bodies.ManagedVolume, _OF_VOLUMES, (3, 0)),
    *_manageable("/v3/manageable_volumes", "volume", bodies.ManagedVolume, _OF_VOLUMES, (3, 8)),
    *_manageable("/v3/os-snapshot-manage", "snapshot", bodies.ManagedSnapshot, _OF_SNAPSHOTS, (3, 0)),
    *_manageable("/v3/manageable_snapshots", "snapshot", bodies.ManagedSnapshot, _OF_SNAPSHOTS, (3, 8)),
    _action("os-unmanage", managing.unmanage_volume),
    Route(
        "POST",
        f"{_SNAPSHOT}/action",
        managing.unmanage_snapshot,
        body=bodies.Anything,
        action="os-unmanage",
        status=202,
    ),
]
_CG, _CG_SNAPSHOT = "/v3/consistencygroups/{group_id}", "/v3/cgsnapshots/{group_snapshot_id}"
CONSISTENCY = [
    Route("GET", "/v3/consistencygroups", consistency.index, "group:get_all"),
    Route("GET", "/v3/consistencygroups/detail", consistency.detail, "group:get_all"),
    Route(
        "POST",
        "/v3/consistencygroups",
        consistency.create,
        "group:create",
        envelope("consistencygroup", bodies.NewConsistencyGroup),
        status=202,
    ),
    Route(
        "POST",
        "/v3/consistencygroups/create_from_src",
        consistency.create_from_source,
        body=bodies.ConsistencyGroupFromSource,
        status=202,
    ),
    Route("GET", _CG, consistency.show),
    Route(
        "PUT", f"{_CG}/update", consistency.update, body=envelope("consistencygroup", bodies.GroupUpdate), status=202
    ),
    Route(
        "POST",
        f"{_CG}/delete",
        consistency.delete,
        body=envelope("consistencygroup", bodies.ConsistencyGroupDelete),
        status=202,
    ),
    Route("GET", "/v3/cgsnapshots", consistency.index_snapshots, "group:get_all_group_snapshots"),
    Route("GET", "/v3/cgsnapshots/detail", consistency.detail_snapshots, "group:get_all_group_snapshots"),
    Route(
        "POST",
        "/v3/cgsnapshots",
        consistency.create_snapshot,
        body=envelope("cgsnapshot", bodies.NewConsistencySnapshot),
        status=202,
    ),
    Route("GET", _CG_SNAPSHOT, consistency.show_snapshot),
    Route("DELETE", _CG_SNAPSHOT, consistency.delete_snapshot, status=202),
]
_BACKUP = "/v3/backups/{backup_id}"
BACKUPS = [
    Route("GET", "/v3/backups", backups.index, "backup:get_all"),
    Route("GET", "/v3/backups/detail", backups.detail, "backup:get_all"),
    Route(
        "POST",
        "/v3/backups",
        backups.create,
        "backup:create",
        envelope("backup", bodies.NewBackup),
        status=202,
        until=(3, 42),
    ),
    Route(
        "POST",
        "/v3/backups",
        backups.create,
        "backup:create",
        envelope("backup", bodies.NewBackupWithWords),
        status=202,
        since=(3, 43),
    ),
    Route(
        "POST",
        "/v3/backups/import_record",
        backups.import_record,
        "backup:backup-import",
        bodies.ImportRecord,
        status=201,
    ),
    Route("GET", _BACKUP, backups.show),
    Route("PUT", _BACKUP, backups.update, body=envelope("backup", bodies.BackupUpdate), since=(3, 9), until=(3, 42)),
    Route("PUT", _BACKUP, backups.update, body=envelope("backup", bodies.BackupUpdateWithWords), since=(3, 43)),
    Route("DELETE", _BACKUP, backups.delete, status=202),
    Route(
        "POST",
        f"{_BACKUP}/restore",
        backups.restore,
        body=envelope("restore", bodies.RestoreBackup | None),
        status=202,
    ),
    Route("GET", f"{_BACKUP}/export_record", backups.export_record),
    *(
        Route("POST", f"{_BACKUP}/action", handler, body=body, action=name, status=202)
        for name, handler, body in (
            ("os-reset_status", backups.reset_status, bodies.Status),
            ("os-force_delete", backups.force_delete, bodies.Anything),
        )
    ),
]
GROUPS = [
    Route("GET", "/v3/groups", groups.index, "group:get_all", since=(3, 13)),
    Route("GET", "/v3/groups/detail", groups.detail, "group:get_all", since=(3, 13)),
    Route(
        "POST",
        "/v3/groups",
        groups.create,
        "group:create",
        envelope("group", bodies.NewGroup),
        status=202,
        since=(3, 13),
    ),
    Route("GET", _GROUP, groups.show, since=(3, 13)),
    Route("PUT", _GROUP, groups.update, body=envelope("group", bodies.GroupUpdate), status=202, since=(3, 13)),
    Route(
        "POST",
        "/v3/groups/action",
        groups.create_from_source,
        body=bodies.GroupFromSource,
        action="create-from-src",
        status=202,
        since=(3, 14),
    ),
    _group_action("delete", groups.delete, bodies.GroupDelete, (3, 13)),
    _group_action("reset_status", groups.reset_status, bodies.Status, (3, 20)),
    _group_action("enable_replication", groups.refuse_replication, bodies.Anything, (3, 38)),
    _group_action("disable_replication", groups.refuse_replication, bodies.Anything, (3, 38)),
    _group_action("failover_replication", groups.refuse_replication, bodies.Failover, (3, 38)),
    _group_action("list_replication_targets", groups.refuse_replication, bodies.Anything, (3, 38)),
    Route("GET", "/v3/group_snapshots", groups.index_snapshots, "group:get_all_group_snapshots", since=(3, 14)),
    Route("GET", "/v3/group_snapshots/detail", groups.detail_snapshots, "group:get_all_group_snapshots", since=(3, 14)),
    Route(
        "POST",
        "/v3/group_snapshots",
        groups.create_snapshot,
        body=envelope("group_snapshot", bodies.NewGroupSnapshot),
        status=202,
        since=(3, 14),
    ),
    Route("GET", _GROUP_SNAPSHOT, groups.show_snapshot, since=(3, 14)),
    Route("DELETE", _GROUP_SNAPSHOT, groups.delete_snapshot, status=202, since=(3, 14)),
    Route(
        "POST",
        f"{_GROUP_SNAPSHOT}/action",
        groups.reset_snapshot_status,
        body=bodies.Status,
        action="reset_status",
        status=202,
        since=(3, 19),
    ),
]
QOS = [
    Route("GET", "/v3/qos-specs", qos.index, f"{_QOS_RULE}:get_all"),
    Route("POST", "/v3/qos-specs", qos.create, f"{_QOS_RULE}:create", _QosSpecs),
    Route("GET", _QOS, qos.show, f"{_QOS_RULE}:get"),
    Route("PUT", _QOS, qos.update, f"{_QOS_RULE}:update", _QosSpecs),
    Route("DELETE", _QOS, qos.delete, f"{_QOS_RULE}:delete", status=202),
    Route("PUT", f"{_QOS}/delete_keys", qos.delete_keys, f"{_QOS_RULE}:delete", _Keys, status=202),
    Route("GET", f"{_QOS}/associations", qos.associations, f"{_QOS_RULE}:get_all"),
    Route("GET", f"{_QOS}/associate", qos.associate, f"{_QOS_RULE}:update", status=202),
    Route("GET", f"{_QOS}/disassociate", qos.disassociate, f"{_QOS_RULE}:update", status=202),
    Route("GET", f"{_QOS}/disassociate_all", qos.disassociate_all, f"{_QOS_RULE}:update", status=202),
]


def _transfers(path: str, body: Any, since: tuple[int, int]) -> list[Route]:
    new, one = envelope("transfer", body), f"{path}/{{transfer_id}}"
    return [
        Route("GET", path, transfers.index, "volume:get_all_transfers", since=since),
        Route("GET", f"{path}/detail", transfers.detail, "volume:get_all_transfers", since=since),
        Route("POST", path, transfers.create, "volume:create_transfer", new, status=202, since=since),
        Route("GET", one, transfers.show, since=since),
        Route("DELETE", one, transfers.delete, status=202, since=since),
        Route(
            "POST",
            f"{one}/accept",
            transfers.accept,
            "volume:accept_transfer",
            envelope("accept", bodies.Accept),
            status=202,
            since=since,
        ),
    ]


TRANSFERS = [
    *_transfers("/v3/os-volume-transfer", bodies.NewTransfer, (3, 0)),
    *_transfers("/v3/volume-transfers", bodies.NewBareTransfer, (3, 55)),
]
QUOTAS = [
    Route("GET", _QUOTA, quotas.show),
    Route("PUT", _QUOTA, quotas.update, "volume_extension:quotas:update", _QuotaSet),
    Route("DELETE", _QUOTA, quotas.delete, "volume_extension:quotas:delete"),
    Route("GET", f"{_QUOTA}/defaults", quotas.show_defaults),
    Route("GET", "/v3/os-quota-class-sets/{class_name}", quotas.show_class, "volume_extension:quota_classes:get"),
    Route(
        "PUT",
        "/v3/os-quota-class-sets/{class_name}",
        quotas.update_class,
        "volume_extension:quota_classes:update",
        _QuotaClassSet,
    ),
    Route("GET", "/v3/limits", quotas.show_limits),
]
_MESSAGE = "/v3/messages/{message_id}"
CLOUD = [
    Route("GET", "/", cloud.versions, PUBLIC),
    Route("GET", "/v3", cloud.versions, PUBLIC),
    Route("GET", "/v3/messages", messages.index, "message:get_all", since=(3, 3)),
    Route("GET", _MESSAGE, messages.show, "message:get", since=(3, 3)),
    Route("DELETE", _MESSAGE, messages.delete, "message:delete", status=204, since=(3, 3)),
    Route("GET", "/v3/os-services", cloud.index_services, f"{_SERVICES}:index"),
    *(
        Route("PUT", f"/v3/os-services/{verb}", handler, f"{_SERVICES}:update", bodies.ServiceSwitch)
        for verb, handler in (
            ("enable", cloud.enable),
            ("disable", cloud.disable),
            ("disable-log-reason", cloud.disable_with_reason),
        )
    ),
    Route("PUT", "/v3/os-services/freeze", cloud.freeze, "volume:freeze_host", bodies.HostOnly, status=202),
    Route("PUT", "/v3/os-services/thaw", cloud.thaw, "volume:thaw_host", bodies.HostOnly, status=202),
    Route("PUT", "/v3/os-services/get-log", logs.get, f"{_SERVICES}:index", bodies.LogWish, since=(3, 32)),
    Route(
        "PUT", "/v3/os-services/set-log", logs.set_, f"{_SERVICES}:update", bodies.LogWish, status=202, since=(3, 32)
    ),
    *(
        Route(
            "PUT",
            f"/v3/os-services/{word}",
            logs.failover,
            "volume:failover_host",
            bodies.HostFailover,
            status=202,
            since=since,
        )
        for word, since in (("failover_host", (3, 0)), ("failover", (3, 26)))
    ),
    Route("GET", "/v3/os-hosts", cloud.index_hosts, "volume_extension:hosts"),
    Route("GET", "/v3/os-hosts/{host}", cloud.show_host, "volume_extension:hosts"),
    Route("GET", "/v3/scheduler-stats/get_pools", cloud.index_pools, "scheduler_extension:scheduler_stats:get_pools"),
    Route("GET", "/v3/capabilities/{host}", cloud.show_capabilities, "volume_extension:capabilities"),
    Route("GET", "/v3/os-availability-zone", cloud.index_zones),
    Route("GET", "/v3/extensions", cloud.index_extensions),
    Route("GET", "/v3/resource_filters", cloud.index_filters, since=(3, 33)),
]
_TABLE = [
    *VOLUMES,
    *ACTIONS,
    *ATTACHMENTS,
    *SNAPSHOTS,
    *TYPES,
    *QOS,
    *TRANSFERS,
    *QUOTAS,
    *CLUSTERS,
    *GROUP_TYPES,
    *GROUPS,
    *CONSISTENCY,
    *BACKUPS,
    *ENCRYPTION,
    *MANAGING,
    *CLOUD,
]


def _nothing(_service: Volumes, _call: Call) -> None:
    raise NOT_FOUND()


def _with_404s(table: list[Route]) -> list[Route]:
    """Cinder answers 404, not 405, where a path is known but not with that method."""
    known = {(route.method, route.path) for route in table}
    paths = {route.path: None for route in table}
    methods = ("GET", "POST", "PUT", "DELETE")
    return [*table, *(Route(m, path, _nothing) for path in paths for m in methods if (m, path) not in known)]


ROUTES = _with_404s(_TABLE)


def api(service: Volumes, policy: Policy) -> Api:
    """Cinder's HTTP face, at `/volume`."""
    return Api(
        name="volume",
        prefix="/volume",
        service=service,
        routes=ROUTES,
        faults=faults.nova,
        policy=policy,
        versions=cloud.VERSIONS,
        project_prefix="/v3",
    )
