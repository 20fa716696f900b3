"""Networks: made with a segment of their own, seen by their project and whom it shares with."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import msgspec
import sqlalchemy as sa
from msgspec import UNSET, Struct, UnsetType

from nephele.kernel.statements import Statement
from nephele.network import errors, tables
from nephele.network.model import Network, Owner, Status
from nephele.network.qos import check_policy, default_policy
from nephele.network.quotas import take_quota
from nephele.network.records import ME, Records, Rows
from nephele.network.segments import add_segment
from nephele.network.sharing import EXTERNAL, apply_shared, forget_shares, granted, share, shared_among, unshare
from nephele.network.work import Work

_networks, _subnets, _ports = tables.networks, tables.subnets, tables.ports
_pools = tables.subnet_pools
_SUBNETS = Statement(
    sa.select(_subnets.c.network_id, _subnets.c.id, _subnets.c.ip_version, _pools.c.address_scope_id)
    .outerjoin(_pools, _pools.c.id == _subnets.c.subnetpool_id)
    .where(_subnets.c.network_id.in_(sa.bindparam("ids", expanding=True)))
    .order_by(_subnets.c.created_at, _subnets.c.id)
)
VXLAN_OVERHEAD = 50
KINDS = ("flat", "vxlan", "local")


class NewNetwork(Struct, frozen=True, kw_only=True):
    """What a network is made from."""

    project_id: str
    name: str = ""
    description: str = ""
    admin_state_up: bool = True
    shared: bool = False
    external: bool = False
    is_default: bool = False
    port_security_enabled: bool = True
    dns_domain: str = ""
    mtu: int = 0
    availability_zone_hints: tuple[str, ...] = ()
    kind: str | UnsetType = UNSET
    physical_network: str | UnsetType | None = UNSET
    segmentation_id: int | UnsetType | None = UNSET
    qos_policy_id: str | UnsetType | None = UNSET


def _complete(work: Work, rows: Rows) -> Iterator[tuple[Any, ...]]:
    """Subnets, whether it is shared, and address scopes."""
    ids = [row[0] for row in rows]
    subnets: dict[str, list[str]] = defaultdict(list)
    scopes: dict[tuple[str, int], str | None] = {}
    for network_id, subnet_id, version, scope in _SUBNETS.rows(work.db, ids=ids):
        subnets[network_id].append(subnet_id)
        scopes[network_id, version] = scope
    shared = shared_among(work, ids)
    return ((tuple(subnets[one]), one in shared, scopes.get((one, 4)), scopes.get((one, 6))) for one in ids)


NETWORKS: Records[Network] = Records(
    _networks,
    Network,
    errors.NETWORK_NOT_FOUND,
    sa.or_(_networks.c.project_id == ME, _networks.c.id.in_(granted("network"))),
    _complete,
)


def create_network(work: Work, new: NewNetwork) -> Network:
    """Make a network with its segment.

    Raises:
        OVER_QUOTA, FLAT_IN_USE, VNI_IN_USE, NO_VNI, PROVIDER_UNSUPPORTED.
    """
    take_quota(work, "network", new.project_id)
    kind, physical, segment = _segment(work, new)
    network = Network(
        id=work.core.ids.uuid(),
        project_id=new.project_id,
        description=new.description,
        tags=(),
        revision_number=1,
        created_at=work.now,
        updated_at=work.now,
        name=new.name,
        admin_state_up=new.admin_state_up,
        status=Status.ACTIVE,
        mtu=_mtu(work, new.mtu, kind),
        kind=kind,
        physical_network=physical,
        segmentation_id=segment,
        external=new.external,
        is_default=new.is_default,
        port_security_enabled=new.port_security_enabled,
        dns_domain=new.dns_domain,
        availability_zone_hints=new.availability_zone_hints,
        qos_policy_id=default_policy(work, new.project_id) if new.qos_policy_id is UNSET else new.qos_policy_id,
        shared=new.shared,
    )
    check_policy(work, network.qos_policy_id, "network", network.id)
    NETWORKS.insert(work, network)
    add_segment(work, network)
    if new.external:
        share(work, "network", network.id, network.project_id, EXTERNAL)
    if new.shared:
        share(work, "network", network.id, network.project_id)
    if new.is_default:
        _only_default(work, network.id)
    return network


def _mtu(work: Work, wanted: int, kind: str) -> int:
    """The MTU of a network of that kind: as wanted, or (0) the largest that fits."""
    largest = work.core.settings.mtu - (VXLAN_OVERHEAD if kind == "vxlan" else 0)
    if wanted > largest:
        raise errors.BAD_INPUT(reason=f"Requested MTU is too big, maximum is {largest}")
    return wanted or largest


def change_network(work: Work, old: Network, new: Network) -> Network:
    """Change a network; what the change forbids is refused first."""
    if old.external and not new.external:
        _refuse_gateways(work, old.id)
    if new.qos_policy_id != old.qos_policy_id:
        check_policy(work, new.qos_policy_id, "network", old.id)
    if new.mtu != old.mtu:
        new = msgspec.structs.replace(new, mtu=_mtu(work, new.mtu, old.kind))
    changed = NETWORKS.save(work, old, new)
    if old.external != new.external:
        (share(work, "network", old.id, old.project_id, EXTERNAL) if new.external else unshare(work, old.id, EXTERNAL))
    if old.shared != new.shared:
        apply_shared(work, "network", old.id, old.project_id, shared=new.shared)
        if changed.revision_number == old.revision_number:
            NETWORKS.bump(work, old.id)
            changed = NETWORKS.touch(changed, work)
    if new.is_default and not old.is_default:
        _only_default(work, old.id)
    work.rewire()
    return changed


def delete_network(work: Work, network: Network) -> None:
    """Remove a network with its subnets; refused while ports use it (NETWORK_IN_USE names them)."""
    from nephele.network.ports import remove_ports
    from nephele.network.subnets import SUBNETS

    in_use = sa.select(_ports.c.id, _ports.c.device_owner).where(_ports.c.network_id == network.id)
    found = work.db.execute(in_use).all()
    using = [port_id for port_id, owner in found if owner != Owner.DHCP]
    if using:
        raise errors.NETWORK_IN_USE(id=network.id, ports=", ".join(using[:10]))
    remove_ports(work, [port_id for port_id, _owner in found])
    for subnet_id in network.subnets:
        SUBNETS.delete(work, subnet_id)
    forget_shares(work, network.id)
    NETWORKS.delete(work, network.id)
    work.rewire()


def network_target(_work: Work, network: Network) -> dict[str, object]:
    """The network as a policy's target."""
    return {
        "project_id": network.project_id,
        "network:project_id": network.project_id,
        "shared": network.shared,
        "router:external": network.external,
    }


def usable_network(work: Work, wanted: str) -> Network:
    """A network that the caller may put something on, without its subnets; read once in a work.

    Raises NETWORK_NOT_FOUND.
    """
    found = work.seen.get(wanted)
    if not isinstance(found, Network):
        rows = _ANY.rows(work.db, wanted=wanted) if work.everything else _MINE.rows(work.db, wanted=wanted, me=work.me)
        if not rows:
            raise errors.NETWORK_NOT_FOUND(id=wanted)
        found = work.seen[wanted] = Network(*rows[0])
    return found


_BY_ID = sa.select(_networks).where(_networks.c.id == sa.bindparam("wanted"))
_ANY, _MINE = Statement(_BY_ID), Statement(_BY_ID.where(NETWORKS.visible))
_OWNER = Statement(sa.select(_networks.c.project_id).where(_networks.c.id == sa.bindparam("wanted")))


def owner_of(work: Work, network_id: str) -> str:
    """The project that a network belongs to; empty where there is no such network."""
    return _OWNER.scalar(work.db, wanted=network_id) or ""


def _segment(work: Work, new: NewNetwork) -> tuple[str, str | None, int | None]:
    """The network type, physical network and identifier for a new network."""
    settings = work.core.settings
    if new.kind is UNSET or not new.kind:
        if new.physical_network or new.segmentation_id:
            raise errors.BAD_INPUT(reason="network_type required")
        return "vxlan", None, _free_vni(work)
    kind = str(new.kind)
    physical = new.physical_network or None
    segment = new.segmentation_id or None
    if kind not in KINDS:
        why = f"network_type value '{kind}' not supported: this cloud's hosts have {', '.join(KINDS)} networks"
        raise errors.PROVIDER_UNSUPPORTED(reason=why)
    if kind == "flat":
        return kind, _flat(work, str(physical) if physical else None, segment, settings.physical_networks), None
    if physical:
        raise errors.BAD_INPUT(reason=f"provider:physical_network specified for {kind.upper()} network")
    if kind == "local":
        if segment:
            raise errors.BAD_INPUT(reason="segmentation_id prohibited for local provider network")
        return kind, None, None
    return kind, None, _this_vni(work, int(str(segment))) if segment else _free_vni(work)


def _flat(work: Work, physical: str | None, segment: object, known: tuple[str, ...]) -> str:
    if segment:
        raise errors.BAD_INPUT(reason="segmentation_id prohibited for flat provider network")
    if not physical:
        raise errors.BAD_INPUT(reason="physical_network required for flat provider network")
    if physical not in known:
        raise errors.BAD_INPUT(reason=f"physical_network '{physical}' unknown for flat provider network")
    taken = sa.select(_networks.c.id).where(_networks.c.kind == "flat", _networks.c.physical_network == physical)
    if work.db.execute(taken).first():
        raise errors.FLAT_IN_USE(physical_network=physical)
    return physical


def _this_vni(work: Work, vni: int) -> int:
    if not 1 <= vni < 1 << 24:
        raise errors.BAD_INPUT(reason=f"Segmentation ID {vni} is out of range (1 - {(1 << 24) - 1})")
    taken = sa.select(_networks.c.id).where(_networks.c.kind == "vxlan", _networks.c.segmentation_id == vni)
    if work.db.execute(taken).first():
        raise errors.VNI_IN_USE(vni=vni)
    return vni


_mine, _next = _networks.alias(), _networks.alias()
_GAP = (
    sa.select(sa.func.min(_mine.c.segmentation_id + 1))
    .where(_mine.c.kind == "vxlan", _mine.c.segmentation_id >= sa.bindparam("first"))
    .where(~sa.exists().where(_next.c.kind == "vxlan", _next.c.segmentation_id == _mine.c.segmentation_id + 1))
)
_TAKEN = sa.select(_networks.c.id).where(
    _networks.c.kind == "vxlan", _networks.c.segmentation_id == sa.bindparam("first")
)


def _free_vni(work: Work) -> int:
    """The lowest free VXLAN identifier of the range."""
    settings = work.core.settings
    work.core.store.lock("network.vni")
    first = {"first": settings.vni_first}
    if work.db.execute(_TAKEN, first).first() is None:
        return settings.vni_first
    vni = work.db.execute(_GAP, first).scalar_one()
    if vni > settings.vni_last:
        raise errors.NO_VNI()
    return int(vni)


def _only_default(work: Work, network_id: str) -> None:
    """There is one default external network."""
    others = sa.update(_networks).where(_networks.c.is_default, _networks.c.id != network_id)
    work.db.execute(others.values(is_default=False))


def _refuse_gateways(work: Work, network_id: str) -> None:
    gateways = sa.select(_ports.c.id).where(
        _ports.c.network_id == network_id, _ports.c.device_owner.in_((Owner.ROUTER_GATEWAY, Owner.FLOATING_IP))
    )
    if work.db.execute(gateways).first():
        raise errors.EXTERNAL_IN_USE(id=network_id)
