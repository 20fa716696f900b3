"""The cloud's own matters over HTTP: versions, services, hosts, pools, capabilities, zones, extensions, filters."""

from nephele.kernel.clock import Instant, to_datetime
from nephele.kernel.errors import BAD_REQUEST, Refused
from nephele.volume.api import attachments, groups, messages, snapshots, volumes
from nephele.volume.api.links import moment
from nephele.volume.backends.protocol import Backend
from nephele.volume.errors import HOST_NOT_FOUND
from nephele.volume.model import ServiceRow
from nephele.volume.scheduling import capabilities, misfit
from nephele.volume.service import Volumes
from nephele.volume.services import VOLUME
from nephele.web.call import Call
from nephele.web.microversions import Versions, spoken
from nephele.web.routing import Reply

VERSIONS = Versions("volume", (3, 0), (3, 71))
_UPDATED: Instant = 1_700_000_000_000_000
"""When the newest of these microversions was defined, roughly; clients only show it."""


def versions(_service: Volumes, call: Call) -> Reply:
    """Which versions there are: at the root as a choice (300), below `/v3` as an answer."""
    status = 200 if "/v3" in call.request.path.removeprefix(call.api.prefix) else 300
    version = {
        "id": "v3.0",
        "status": "CURRENT",
        "version": spoken(VERSIONS.maximum),
        "min_version": spoken(VERSIONS.minimum),
        "updated": to_datetime(_UPDATED).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "links": [
            {"rel": "describedby", "type": "text/html", "href": "https://docs.openstack.org/"},
            {"rel": "self", "href": f"{call.base_url}/v3/"},
        ],
        "media-types": [{"base": "application/json", "type": "application/vnd.openstack.volume+json;version=3"}],
    }
    return Reply({"versions": [version]}, status)


# -- services ------------------------------------------------------------------------------------------------------


def _service_view(service: Volumes, call: Call, row: ServiceRow) -> dict[str, object]:
    view: dict[str, object] = {
        "binary": row.binary,
        "host": row.host,
        "zone": row.zone,
        "status": "disabled" if row.disabled else "enabled",
        "state": "up" if service.services.is_up(row) else "down",
        "updated_at": moment(service.parts.clock.now()),
        "disabled_reason": row.disabled_reason,
    }
    if row.binary == VOLUME:
        view |= {"replication_status": "disabled", "active_backend_id": None, "frozen": row.frozen}
        if call.version >= (3, 49):
            view["backend_state"] = view["state"]
    if call.version >= (3, 7):
        view["cluster"] = row.cluster or None
    return view


def index_services(service: Volumes, call: Call) -> object:
    """Cinder's services."""
    found = service.services.find(call.query.get("binary") or call.query.get("service"), call.query.get("host"))
    return {"services": [_service_view(service, call, row) for row in found]}


def enable(service: Volumes, call: Call) -> object:
    """Let a service work."""
    return _switch(service, call, disabled=False, reason=None)


def disable(service: Volumes, call: Call) -> object:
    """Let a service take no new work."""
    return _switch(service, call, disabled=True, reason=None)


def disable_with_reason(service: Volumes, call: Call) -> object:
    """The same, saying why."""
    reason = (call.body.disabled_reason or "").strip()
    if not reason:
        raise BAD_REQUEST(reason="Invalid input for field/attribute disabled_reason. It can not be empty.")
    return _switch(service, call, disabled=True, reason=reason)


def _switch(service: Volumes, call: Call, *, disabled: bool, reason: str | None) -> object:
    asked = call.body
    binary = asked.binary or asked.service
    if not binary:
        raise BAD_REQUEST(reason="Missing required parameter: binary")
    row = service.services.switch(binary, asked.host, disabled=disabled, reason=reason)
    view = {
        "host": row.host,
        "service": row.binary,
        "binary": row.binary,
        "disabled": row.disabled,
        "status": "disabled" if row.disabled else "enabled",
    }
    return {**view, "disabled_reason": row.disabled_reason} if reason else view


def freeze(service: Volumes, call: Call) -> None:
    """Let a backend keep its volumes as they are."""
    _freeze(service, call.body.host, frozen=True)


def thaw(service: Volumes, call: Call) -> None:
    """Let a frozen backend work again."""
    _freeze(service, call.body.host, frozen=False)


def _freeze(service: Volumes, host: str, *, frozen: bool) -> None:
    try:
        service.services.freeze(host, frozen=frozen)
    except Refused as refused:
        raise BAD_REQUEST(reason=refused.message) from refused


# -- hosts and pools -----------------------------------------------------------------------------------------------


def index_hosts(service: Volumes, call: Call) -> object:
    """Where the services are."""
    zone = call.query.get("zone")
    found = [row for row in service.services.find() if not row.disabled and zone in ("", row.zone)]
    return {
        "hosts": [
            {
                "host_name": row.host,
                "service": row.binary,
                "zone": row.zone,
                "service-status": "available",
                "service-state": "enabled",
                "last-update": moment(service.parts.clock.now()),
            }
            for row in found
        ]
    }


def show_host(service: Volumes, call: Call) -> object:
    """What is on a host: in all, and project by project."""
    host = call.path["host"]
    service.services.on_host(host)
    counts = service.on_host(host)
    total = [sum(numbers) for numbers in zip(*(row[1:] for row in counts), strict=True)] or [0, 0, 0, 0]
    names = ("volume_count", "total_volume_gb", "snapshot_count", "total_snapshot_gb")
    shown = [("(total)", *total), *counts]
    return {
        "host": [
            {"resource": {"host": host, "project": project, **{n: str(v) for n, v in zip(names, values, strict=True)}}}
            for project, *values in shown
        ]
    }


def index_pools(service: Volumes, call: Call) -> object:
    """Where volumes can be, with `detail=true` what is known of it."""
    wanted = call.query.get("name") if call.version >= (3, 28) else ""
    kind = service.types.find(call.context, call.query.get("volume_type")) if "volume_type" in call.query else None
    detailed = call.query.flag("detail")
    return {
        "pools": [
            _pool_view(service, backend, detailed=detailed)
            for backend in service.parts.backends
            if wanted in ("", service.parts.pool_of(backend))
            and (kind is None or not misfit(service.parts, backend, kind, 0))
        ]
    }


def _pool_view(service: Volumes, backend: Backend, *, detailed: bool) -> dict[str, object]:
    view: dict[str, object] = {"name": service.parts.pool_of(backend)}
    if detailed:
        view["capabilities"] = {
            **capabilities(service.parts, backend),
            "pool_name": backend.name,
            "location_info": None,
            "timestamp": moment(service.parts.clock.now()),
        }
    return view


def show_capabilities(service: Volumes, call: Call) -> object:
    """What a backend is."""
    host = call.path["host"]
    backend = service.parts.find_backend(host)
    if backend is None:
        raise HOST_NOT_FOUND(host=host)
    have = capabilities(service.parts, backend)
    return {
        "namespace": f"OS::Storage::Capabilities::{host}",
        "vendor_name": have["vendor_name"],
        "volume_backend_name": have["volume_backend_name"],
        "pool_name": backend.name,
        "driver_version": have["driver_version"],
        "storage_protocol": have["storage_protocol"],
        "display_name": None,
        "description": None,
        "visibility": None,
        "replication_targets": [],
        "properties": {
            "thin_provisioning": {
                "title": "Thin Provisioning",
                "description": "Sets thin provisioning.",
                "type": "boolean",
            }
        },
    }


def index_zones(service: Volumes, _call: Call) -> object:
    """The availability zones."""
    return {"availabilityZoneInfo": [{"zoneName": service.parts.zone, "zoneState": {"available": True}}]}


# -- what there is -------------------------------------------------------------------------------------------------

_EXTENSIONS = (
    ("AdminActions", "os-admin-actions", "Enable admin actions.", "2012-08-25"),
    ("AvailabilityZones", "os-availability-zone", "Describe Availability Zones.", "2013-06-27"),
    ("Capabilities", "capabilities", "Capabilities support.", "2015-08-31"),
    (
        "ExtendedSnapshotAttributes",
        "os-extended-snapshot-attributes",
        "Extended SnapshotAttributes support.",
        "2012-06-19",
    ),
    ("Hosts", "os-hosts", "Admin-only host administration.", "2011-06-29"),
    ("Qos_specs_manage", "qos-specs", "QoS specs support.", "2013-08-02"),
    ("QuotaClasses", "os-quota-class-sets", "Quota classes management support.", "2012-03-12"),
    ("Quotas", "os-quota-sets", "Quota management support.", "2011-08-08"),
    ("SchedulerStats", "scheduler-stats", "Scheduler stats support.", "2014-09-07"),
    ("Services", "os-services", "Services support.", "2012-10-28"),
    ("SnapshotActions", "os-snapshot-actions", "Enable snapshot manager actions.", "2013-07-16"),
    ("TypesExtraSpecs", "os-types-extra-specs", "Type extra specs support.", "2011-08-24"),
    ("TypesManage", "os-types-manage", "Types manage support.", "2011-08-24"),
    ("UsedLimits", "os-used-limits", "Provide data on limited resources that are being used.", "2013-10-03"),
    ("VolumeActions", "os-volume-actions", "Enable volume actions.", "2012-05-31"),
    ("VolumeHostAttribute", "os-vol-host-attr", "Expose host as an attribute of a volume.", "2011-11-03"),
    ("VolumeImageMetadata", "os-vol-image-meta", "Show image metadata associated with the volume.", "2012-12-07"),
    ("VolumeMigStatusAttribute", "os-vol-mig-status-attr", "Expose migration_status of a volume.", "2013-08-08"),
    ("VolumeTenantAttribute", "os-vol-tenant-attr", "Expose the project of a volume.", "2011-11-03"),
    ("VolumeTransfer", "os-volume-transfer", "Volume transfer management support.", "2013-05-29"),
    ("VolumeTypeAccess", "os-volume-type-access", "Volume type access support.", "2014-06-26"),
)


def index_extensions(_service: Volumes, _call: Call) -> object:
    """The parts of the API that were extensions once, as far as they are here."""
    return {
        "extensions": [
            {"name": name, "alias": alias, "description": text, "updated": f"{day}T00:00:00+00:00", "links": []}
            for name, alias, text, day in _EXTENSIONS
        ]
    }


def index_filters(_service: Volumes, call: Call) -> object:
    """What every user may filter listings by."""
    known = {
        "volume": list(volumes.LISTED.user_filters),
        "snapshot": list(snapshots.LISTED.user_filters),
        "attachment": list(attachments.LISTED.user_filters),
        "group": list(groups.GROUPS.user_filters),
        "group_snapshot": list(groups.SNAPSHOTS.user_filters),
        "message": list(messages.LISTED.user_filters),
        "pool": ["name"],
        "volume_type": ["is_public"],
    }
    wanted = call.query.get("resource")
    return {
        "resource_filters": [
            {"resource": name, "filters": filters} for name, filters in known.items() if wanted in ("", name)
        ]
    }
