"""What every part of a plan is computed from: the settings, and the networks that can be made on this host."""

from ipaddress import ip_interface, ip_network
from pathlib import Path

from msgspec import Struct

from nephele.network.agent import names
from nephele.network.agent.settings import AgentSettings
from nephele.network.wiring import FixedIp, WiredNetwork, WiredSubnet


class Ground(Struct, frozen=True):
    """The settings and the networks, by id."""

    settings: AgentSettings
    networks: dict[str, WiredNetwork]
    subnets: dict[str, WiredSubnet]

    @property
    def prefix(self) -> str:
        """What the names of this host's namespaces begin with."""
        return names.space_prefix(self.settings.host_netns)

    def folder(self, one: str) -> str:
        """Where the server of a network or router keeps its files."""
        return str(run_folder(self.settings) / one)

    def addresses(self, ips: tuple[FixedIp, ...]) -> tuple[str, ...]:
        """With prefix length, as the kernel writes them; addresses in subnets that aren't known are left out."""
        held = [(one.ip_address, self.subnets[one.subnet_id]) for one in ips if one.subnet_id in self.subnets]
        return tuple(str(ip_interface(f"{address}/{prefix_length(subnet)}")) for address, subnet in held)


def run_folder(settings: AgentSettings) -> Path:
    """Where one host's servers keep their files."""
    return settings.run_folder / (settings.host_netns or "own")


def prefix_length(subnet: WiredSubnet) -> int:
    """How many bits of an address are the subnet's."""
    return ip_network(subnet.cidr).prefixlen
