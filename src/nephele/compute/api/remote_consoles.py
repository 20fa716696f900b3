"""Where a server's console can be opened, and what a console's token is good for."""

from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote

from msgspec import Struct

from nephele.compute.virt.driver import ConsoleKind
from nephele.kernel.errors import BAD_REQUEST
from nephele.web.call import Call

if TYPE_CHECKING:
    from nephele.compute.service import Compute

SOCKET, PAGE = "/console", "/vnc_auto.html"
"""Below the cloud's address: the websocket of all consoles, and the page that shows screens."""
NO_PORT = 0
"""Consoles are sockets in their host's file system: they have no port of their own."""


class Console(Struct, frozen=True, forbid_unknown_fields=True):
    """`remote_console`."""

    protocol: Literal["vnc", "spice", "serial", "rdp"]
    type: Literal["novnc", "xvpvnc", "spice-html5", "serial", "rdp-html5"]


class Console28(Struct, frozen=True, forbid_unknown_fields=True):
    """The same from 2.8 on."""

    protocol: Literal["vnc", "spice", "serial", "rdp", "mks"]
    type: Literal["novnc", "xvpvnc", "spice-html5", "serial", "rdp-html5", "webmks"]


class Console299(Struct, frozen=True, forbid_unknown_fields=True):
    """The same from 2.99 on."""

    protocol: Literal["vnc", "spice", "serial", "rdp", "mks"]
    type: Literal["novnc", "xvpvnc", "spice-html5", "serial", "rdp-html5", "webmks", "spice-direct"]


class VncConsole(Struct, frozen=True, forbid_unknown_fields=True):
    """`os-getVNCConsole`."""

    type: Literal["novnc", "xvpvnc"]


class SerialConsole(Struct, frozen=True, forbid_unknown_fields=True):
    """`os-getSerialConsole`."""

    type: Literal["serial"]


class SpiceConsole(Struct, frozen=True, forbid_unknown_fields=True):
    """`os-getSPICEConsole`."""

    type: Literal["spice-html5"]


def create(compute: "Compute", call: Call) -> dict[str, Any]:
    """An address, good for some minutes."""
    asked = call.body.remote_console
    url = _open(compute, call, asked.protocol, asked.type)
    return {"remote_console": {"protocol": asked.protocol, "type": asked.type, "url": url}}


def vnc(compute: "Compute", call: Call) -> dict[str, Any]:
    """The same until 2.5, of a screen."""
    return _old(compute, call, "vnc")


def serial(compute: "Compute", call: Call) -> dict[str, Any]:
    """The same until 2.5, of a serial console."""
    return _old(compute, call, "serial")


def spice(compute: "Compute", call: Call) -> dict[str, Any]:
    """The same until 2.5, of a console that nothing here has."""
    return _old(compute, call, "spice")


def rdp(_compute: "Compute", _call: Call) -> None:
    """A console that left with the hypervisor that had it."""
    raise BAD_REQUEST(reason="Unavailable console type rdp-html5.")


def show_token(compute: "Compute", call: Call) -> dict[str, Any]:
    """What a token is good for."""
    if call.version < (2, 31):
        raise BAD_REQUEST(reason="Before 2.31 this is for RDP consoles, which are gone.")
    grant = compute.consoles.redeem(call.path["token"])
    body = {"instance_uuid": grant.server_id, "host": grant.host, "port": NO_PORT, "internal_access_path": None}
    return {"console": body}


def _old(compute: "Compute", call: Call, protocol: str) -> dict[str, Any]:
    return {"console": {"type": call.body.type, "url": _open(compute, call, protocol, call.body.type)}}


def _open(compute: "Compute", call: Call, protocol: str, kind: str) -> str:
    found, token = compute.consoles.open(call.context, call.path["server_id"], protocol, kind)
    base = call.base_url.removesuffix(call.api.prefix)
    if found is ConsoleKind.SERIAL:
        return f"{base.replace('http', 'ws', 1)}{SOCKET}?token={token}"
    return f"{base}{PAGE}?path={quote(f'{SOCKET[1:]}?token={token}', safe='')}"
