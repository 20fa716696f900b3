"""The network that a project gets without asking for one: network, subnets and a router to the default way out."""

import sqlalchemy as sa

from nephele.network import errors, tables
from nephele.network.interfaces import Interface, add_interface, remove_interface
from nephele.network.model import Network, SubnetPool
from nephele.network.networks import NETWORKS, NewNetwork, create_network, delete_network
from nephele.network.routers import ROUTERS, GatewayWish, NewRouter, create_router, delete_router
from nephele.network.subnet_pools import POOLS
from nephele.network.subnets import NewSubnet, create_subnet
from nephele.network.work import Work

_topologies, _networks, _pools = tables.auto_topologies, tables.networks, tables.subnet_pools
NAMES = "auto_allocated_network", "auto_allocated_router", "auto_allocated_subnet_v"


def found_topology(work: Work, project_id: str) -> str | None:
    """The network that the project was given; None: it has none yet."""
    found = sa.select(_topologies.c.network_id).where(_topologies.c.project_id == project_id)
    return work.db.execute(found).scalar()


def requirements(work: Work) -> tuple[Network, list[SubnetPool]]:
    """The default external network and the default subnet pools.  Raises TOPOLOGY_IMPOSSIBLE where one is missing."""
    external = NETWORKS.where(work, _networks.c.is_default, _networks.c.external)
    if not external:
        raise errors.TOPOLOGY_IMPOSSIBLE(reason="No default router:external network")
    pools = POOLS.where(work, _pools.c.is_default)
    if not pools:
        raise errors.TOPOLOGY_IMPOSSIBLE(reason="No default subnetpools defined")
    return external[0], pools


def allocate_topology(work: Work, project_id: str) -> str:
    """The project's network, made where it has none."""
    work.core.store.lock(f"network.topology.{project_id}")
    has = found_topology(work, project_id)
    if has:
        return has
    inner = work.as_service()
    external, pools = requirements(inner)
    network = create_network(inner, NewNetwork(project_id=project_id, name=NAMES[0]))
    gateway = GatewayWish(external.id)
    router = create_router(inner, NewRouter(project_id=project_id, name=NAMES[1], gateway=gateway))
    for pool in pools:
        modes = "slaac" if pool.ip_version == 6 else None
        new = NewSubnet(
            project_id=project_id,
            network_id=network.id,
            name=f"{NAMES[2]}{pool.ip_version}",
            ip_version=pool.ip_version,
            subnetpool_id=pool.id,
            ipv6_ra_mode=modes,
            ipv6_address_mode=modes,
        )
        add_interface(inner, router, Interface(subnet_id=create_subnet(inner, new).id))
    made = sa.insert(_topologies).values(project_id=project_id, network_id=network.id, router_id=router.id)
    work.db.execute(made)
    return network.id


def delete_topology(work: Work, project_id: str) -> None:
    """Remove it all; refused while ports use the network."""
    row = work.db.execute(sa.select(_topologies).where(_topologies.c.project_id == project_id)).first()
    if row is None:
        return
    inner = work.as_service()
    network, router = NETWORKS.any(inner, row.network_id), ROUTERS.any(inner, row.router_id)
    for subnet_id in network.subnets:
        remove_interface(inner, ROUTERS.any(inner, router.id), Interface(subnet_id=subnet_id))
    work.db.execute(sa.delete(_topologies).where(_topologies.c.project_id == project_id))
    delete_router(inner, router)
    delete_network(inner, network)
