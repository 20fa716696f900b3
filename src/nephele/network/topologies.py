"""Auto-allocated topologies: one call gives a project a network with a subnet and a router to the outside."""

import sqlalchemy as sa

from nephele.network import errors, tables
from nephele.network.interfaces import Interface, add_interface, remove_interface
from nephele.network.model import Network
from nephele.network.networks import NETWORKS, NewNetwork, create_network, delete_network
from nephele.network.routers import ROUTERS, GatewayWish, NewRouter, create_router, delete_router
from nephele.network.subnet_pools import POOLS
from nephele.network.subnets import NewSubnet, create_subnet
from nephele.network.work import Work

_topologies, _networks, _pools = tables.topologies, tables.networks, tables.subnet_pools


def get_topology(work: Work, project_id: str) -> str:
    """The network of the project's topology, which is made where there is none.

    Raises:
        NO_TOPOLOGY: no default external network, or no default subnet pool; quotas.
    """
    work.core.store.lock(f"network.topology.{project_id}")
    found = work.db.execute(sa.select(_topologies.c.network_id).where(_topologies.c.project_id == project_id)).scalar()
    return found or _make(work, project_id)


def check_topology(work: Work, project_id: str) -> None:
    """Raise NO_TOPOLOGY where the project has none and none can be made."""
    found = sa.select(_topologies.c.network_id).where(_topologies.c.project_id == project_id)
    if work.db.execute(found).scalar() is None:
        _outside(work)
        _versions(work)


def delete_topology(work: Work, project_id: str) -> None:
    """Remove it with all that belongs to it; refused while ports use it.  Does nothing where there is none."""
    row = work.db.execute(sa.select(_topologies).where(_topologies.c.project_id == project_id)).first()
    if row is None:
        return
    inner = work.as_service()
    network, router = NETWORKS.any(inner, row.network_id), ROUTERS.any(inner, row.router_id)
    work.db.execute(sa.delete(_topologies).where(_topologies.c.project_id == project_id))
    for subnet_id in network.subnets:
        remove_interface(inner, router, Interface(subnet_id=subnet_id))
    delete_router(inner, ROUTERS.any(inner, router.id))
    delete_network(inner, NETWORKS.any(inner, network.id))


def _make(work: Work, project_id: str) -> str:
    outside, versions = _outside(work), _versions(work)
    inner = work.as_service()
    network = create_network(inner, NewNetwork(project_id=project_id, name="auto_allocated_network"))
    gateway = GatewayWish(outside.id)
    router = create_router(inner, NewRouter(project_id=project_id, name="auto_allocated_router", gateway=gateway))
    for version in versions:
        new = NewSubnet(
            project_id=project_id,
            network_id=network.id,
            name=f"auto_allocated_subnet_v{version}",
            ip_version=version,
            use_default_subnetpool=True,
        )
        add_interface(inner, router, Interface(subnet_id=create_subnet(inner, new).id))
    row = {"project_id": project_id, "network_id": network.id, "router_id": router.id}
    work.db.execute(sa.insert(_topologies).values(row))
    return network.id


def _outside(work: Work) -> Network:
    found = NETWORKS.where(work, _networks.c.external, _networks.c.is_default)
    if not found:
        raise errors.NO_TOPOLOGY(reason="No default router:external network")
    return found[0]


def _versions(work: Work) -> list[int]:
    found = sorted(pool.ip_version for pool in POOLS.where(work, _pools.c.is_default))
    if not found:
        raise errors.NO_TOPOLOGY(reason="No default subnetpools defined")
    return found
