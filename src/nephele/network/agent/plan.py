"""From a host's wanted wiring to namespaces, links, rules and services.  Nothing is touched here."""

from msgspec import Struct

from nephele.kernel.errors import Refused
from nephele.network.agent import names
from nephele.network.agent.advertise import advertiser
from nephele.network.agent.dnsmasq import DhcpService, dhcp_service
from nephele.network.agent.ground import Ground
from nephele.network.agent.host_space import check_network, host_space
from nephele.network.agent.inner_spaces import dhcp_space, router_space
from nephele.network.agent.settings import AgentSettings
from nephele.network.agent.soundness import sound
from nephele.network.agent.spaces import Space
from nephele.network.wiring import HostWiring


class Door(Struct, frozen=True):
    """A namespace in which guests ask for metadata, and whose it is."""

    space: str
    network_id: str = ""
    router_id: str = ""


class Plan(Struct, frozen=True, kw_only=True):
    """What should be on a host."""

    host: Space
    spaces: tuple[Space, ...] = ()
    dhcp: tuple[DhcpService, ...] = ()
    doors: tuple[Door, ...] = ()
    failed: dict[str, str] = {}
    """Networks and ports that can't be made here, by id, with the reason."""


def plan(wiring: HostWiring, settings: AgentSettings) -> Plan:
    """The plan for a host."""
    wiring, failed = sound(wiring)
    ground, refused = _ground(wiring, settings)
    served = [(network, network.dhcp) for network in ground.networks.values() if network.dhcp is not None]
    routers = [router for router in wiring.routers if router.admin_state_up]
    dhcp_names = {network.id: names.dhcp_space(ground.prefix, network.id) for network, _ in served}
    router_names = {router.id: names.router_space(ground.prefix, router.id) for router in routers}
    advertisers = [
        advertiser(router, ground.networks, router_names[router.id], ground.folder(router.id)) for router in routers
    ]
    services = [
        dhcp_service(network, dhcp, dhcp_names[network.id], ground.folder(network.id)) for network, dhcp in served
    ]
    return Plan(
        host=host_space(wiring, routers, ground),
        spaces=(
            *(dhcp_space(network, dhcp, ground) for network, dhcp in served),
            *(router_space(router, ground) for router in routers),
        ),
        dhcp=(*filter(None, advertisers), *services),
        doors=(
            *(Door(space, network_id=one) for one, space in dhcp_names.items()),
            *(Door(space, router_id=one) for one, space in router_names.items()),
        ),
        failed=_homeless(wiring) | failed | refused,
    )


def _homeless(wiring: HostWiring) -> dict[str, str]:
    known = {network.id for network in wiring.networks}
    lost = [port for port in wiring.ports if port.network_id not in known]
    return {port.id: f"its network {port.network_id} is not on this host" for port in lost}


def _ground(wiring: HostWiring, settings: AgentSettings) -> tuple[Ground, dict[str, str]]:
    """The networks that can be made here; the others by id, with the reason."""
    networks, refused = {}, {}
    for network in wiring.networks:
        try:
            check_network(network, settings)
            networks[network.id] = network
        except Refused as no:
            refused[network.id] = no.message
    subnets = {subnet.id: subnet for network in networks.values() for subnet in network.subnets}
    return Ground(settings, networks, subnets), refused
