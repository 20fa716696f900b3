"""Which backend takes a volume: its type's extra specs against what each backend is, and the room that each has."""

from collections.abc import Iterable

import sqlalchemy as sa

from nephele.volume import rows
from nephele.volume.backends.protocol import Backend
from nephele.volume.model import VolumeType
from nephele.volume.parts import Parts
from nephele.volume.tables import volumes

OVERSUBSCRIPTION = 20.0
"""How many times its room a backend may promise, as disks take only what is written to them."""


def capabilities(parts: Parts, backend: Backend) -> dict[str, object]:
    """What a backend says of itself, by the names that pools and extra specs use."""
    room = backend.capacity()
    total = sa.select(sa.func.coalesce(sa.func.sum(volumes.c.size_gb), 0))
    with parts.store.read() as db:
        provisioned = db.execute(total.where(rows.on_service(parts.service_of(backend)))).scalar_one()
    return {
        "volume_backend_name": backend.name,
        "storage_protocol": backend.protocol,
        "vendor_name": "Nephele",
        "driver_version": "1.0.0",
        "total_capacity_gb": room.total_gb,
        "free_capacity_gb": room.free_gb,
        "provisioned_capacity_gb": int(provisioned),
        "allocated_capacity_gb": int(provisioned),
        "reserved_percentage": 0,
        "max_over_subscription_ratio": str(OVERSUBSCRIPTION),
        "thin_provisioning_support": True,
        "thick_provisioning_support": False,
        "multiattach": True,
        "QoS_support": False,
        "online_extend_support": bool(parts.tell_grown) and backend.extends_attached,
        "backend_state": "up",
    }


def choose(parts: Parts, kind: VolumeType, size_gb: int, candidates: Iterable[Backend]) -> tuple[Backend | None, str]:
    """The candidate with the most room that can hold a volume of that type and size; None, and why not, where none can.

    Of several that are as good the first is taken.
    """
    best: tuple[float, Backend] | None = None
    reasons = []
    for backend in candidates:
        reason = misfit(parts, backend, kind, size_gb)
        if reason:
            reasons.append(reason)
        elif best is None or backend.capacity().free_gb > best[0]:
            best = backend.capacity().free_gb, backend
    if best is not None:
        return best[1], ""
    return None, "; ".join(reasons) or "No backend takes volumes: its service is disabled"


def misfit(parts: Parts, backend: Backend, kind: VolumeType, size_gb: int) -> str:
    """Why a backend can't hold a volume of that type and size; empty: it can."""
    have = capabilities(parts, backend)
    for key, wanted in kind.extra_specs.items():
        scope, _, name = key.rpartition(":")
        if scope in ("", "capabilities") and not _meets(have.get(name), wanted):
            return f"No backend has {name} {wanted}: {backend.name} has {have.get(name)}"
    promised = float(str(have["provisioned_capacity_gb"])) + size_gb
    room = float(str(have["total_capacity_gb"])) * OVERSUBSCRIPTION
    if promised > room:
        return f"No backend has room for {size_gb} GB more: {backend.name} may promise {room:.0f} GB in all"
    return ""


def _meets(have: object, wanted: str) -> bool:
    """Extra specs' little language: `<is> True`, `<in> word`, `>= 5`, `s== text`, or the value itself."""
    if have is None:
        return False
    word, _, value = wanted.partition(" ")
    value = value.strip()
    if word == "<is>":
        return str(have).lower() == value.lower()
    if word == "<in>":
        return value in str(have)
    if word == "<or>":
        return str(have) in [part.strip() for part in wanted.split("<or>")]
    if word in ("=", "==", "!=", ">=", "<=", ">", "<"):
        return _compares(word, str(have), value)
    if word in ("s==", "s!="):
        return (str(have) == value) == (word == "s==")
    return str(have).lower() == wanted.lower()


def _compares(operator: str, have: str, wanted: str) -> bool:
    try:
        left, right = float(have), float(wanted)
    except ValueError:
        return False
    return {
        "=": left >= right,
        "==": left == right,
        "!=": left != right,
        ">=": left >= right,
        "<=": left <= right,
        ">": left > right,
        "<": left < right,
    }[operator]
