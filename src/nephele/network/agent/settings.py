"""What the operator says about a host's network."""

from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct


class ProviderLink(Struct, frozen=True):
    """How a physical network is reached from a host.

    By an `interface`, which becomes a member of the network's bridge, or by an existing `bridge`, which is joined to
    it.  With neither the network ends at this host, which holds `host_address` in it (such as `203.0.113.1/24`;
    empty: the gateway address of the network's first subnet).
    """

    interface: str = ""
    bridge: str = ""
    host_address: str = ""


class AgentSettings(Struct, frozen=True, kw_only=True):
    """How one host's network agent works.

    Args:
        host_netns: the network namespace that is the host; empty: the one the agent runs in.
        tunnel_address: this host's own end of VXLAN tunnels; empty: no tunnels.
        providers: physical networks by name.
        run_folder: where DHCP servers keep their files; made again from nothing after a reboot.
        look_every: seconds between two looks at the kernel, which undo what others changed by hand.
        ask_every: seconds between two questions for the wanted state when no message came.
        meter_every: seconds between two reports of what routers have counted.
        ask_timeout: seconds to wait for the server's answer.
    """

    host_netns: str = ""
    tunnel_address: str = ""
    providers: Mapping[str, ProviderLink] = {}
    run_folder: Path = Path("/run/nephele")
    look_every: float = 4.0
    ask_every: float = 60.0
    meter_every: float = 60.0
    ask_timeout: float = 30.0
