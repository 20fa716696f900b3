"""What a new cloud has: the network `public`, and for the demo project `private` with a router between them."""

from msgspec import Struct

from nephele.network import tables
from nephele.network.interfaces import Interface, add_interface
from nephele.network.model import Network, Pool, Router
from nephele.network.networks import NETWORKS, NewNetwork, create_network
from nephele.network.routers import ROUTERS, GatewayWish, NewRouter, create_router
from nephele.network.security_groups import default_group
from nephele.network.subnets import NewSubnet, create_subnet, subnets_of
from nephele.network.work import Work


class FirstNetworks(Struct, frozen=True, kw_only=True):
    """Their addresses."""

    public_cidr: str = "172.24.4.0/24"
    public_gateway: str = "172.24.4.1"
    public_pool: Pool = Pool("172.24.4.2", "172.24.4.254")
    private_cidr: str = "10.20.0.0/24"
    physical_network: str = "public"
    dns_nameservers: tuple[str, ...] = ()


def seed(work: Work, admin_project: str, demo_project: str, first: FirstNetworks) -> None:
    """Make them where they are not; may be called again."""
    public = _network(work, "public", admin_project) or create_network(
        work,
        NewNetwork(
            project_id=admin_project,
            name="public",
            external=True,
            is_default=True,
            kind="flat",
            physical_network=first.physical_network,
        ),
    )
    if not subnets_of(work, public.id):
        create_subnet(
            work,
            NewSubnet(
                project_id=admin_project,
                network_id=public.id,
                name="public-subnet",
                cidr=first.public_cidr,
                gateway_ip=first.public_gateway,
                allocation_pools=(first.public_pool,),
                enable_dhcp=False,
            ),
        )
    private = _network(work, "private", demo_project) or create_network(
        work, NewNetwork(project_id=demo_project, name="private")
    )
    default_group(work, demo_project)
    has = subnets_of(work, private.id)
    subnet = (
        has[0]
        if has
        else create_subnet(
            work,
            NewSubnet(
                project_id=demo_project,
                network_id=private.id,
                name="private-subnet",
                cidr=first.private_cidr,
                dns_nameservers=first.dns_nameservers,
            ),
        )
    )
    if _router(work, demo_project) is None:
        router = create_router(work, NewRouter(project_id=demo_project, name="router1", gateway=GatewayWish(public.id)))
        add_interface(work, router, Interface(subnet_id=subnet.id))


def _network(work: Work, name: str, project_id: str) -> Network | None:
    columns = tables.networks.c
    found = NETWORKS.where(work, columns.name == name, columns.project_id == project_id)
    return found[0] if found else None


def _router(work: Work, project_id: str) -> Router | None:
    columns = tables.routers.c
    found = ROUTERS.where(work, columns.name == "router1", columns.project_id == project_id)
    return found[0] if found else None
