"""What is plugged into servers: the operations on their volumes and interfaces, one line each."""

from nephele.compute.api import assisted_snapshots, remote_consoles, server_facts, server_interfaces, server_volumes
from nephele.compute.api.server_facts import EVENTS_SINCE
from nephele.compute.api.server_interfaces import Address, FixedIp, FloatingIp
from nephele.compute.api.server_volumes import ChangedVolume, NewVolume, OtherVolume, OwnedVolume, TaggedVolume
from nephele.compute.paths import ACTION, SERVER, rule
from nephele.web.bodies import envelope
from nephele.web.routing import Route

PORTS = f"{SERVER}/os-interface"
PORT = f"{PORTS}/{{port_id}}"
VOLUMES = f"{SERVER}/os-volume_attachments"
VOLUME = f"{VOLUMES}/{{volume_id}}"


EVENTS_UNTIL = [*((major, minor - 1) for major, minor in [*EVENTS_SINCE][1:]), (9, 999)]
"""The last version of each body of external events."""


def _volume(kind: type) -> type:
    return envelope("volumeAttachment", kind)  # type: ignore[no-any-return]


# fmt: off
DEVICE_ROUTES = [
    Route("GET", VOLUMES, server_volumes.index, rule("os-volumes-attachments:index"), query="limit offset",
          strict=(2, 75)),
    Route("GET", VOLUME, server_volumes.show, rule("os-volumes-attachments:show")),
    Route("POST", VOLUMES, server_volumes.attach, rule("os-volumes-attachments:create"), _volume(NewVolume),
          until=(2, 48)),
    Route("POST", VOLUMES, server_volumes.attach, rule("os-volumes-attachments:create"), _volume(TaggedVolume),
          since=(2, 49), until=(2, 78)),
    Route("POST", VOLUMES, server_volumes.attach, rule("os-volumes-attachments:create"), _volume(OwnedVolume),
          since=(2, 79)),
    Route("PUT", VOLUME, server_volumes.swap, rule("os-volumes-attachments:swap"), _volume(OtherVolume), status=202,
          until=(2, 84)),
    Route("PUT", VOLUME, server_volumes.change, body=_volume(ChangedVolume), status=202, since=(2, 85)),
    Route("DELETE", VOLUME, server_volumes.detach, rule("os-volumes-attachments:delete"), status=202),

    Route("GET", PORTS, server_interfaces.index, rule("os-attach-interfaces:list")),
    Route("GET", PORT, server_interfaces.show, rule("os-attach-interfaces:show")),
    Route("POST", PORTS, server_interfaces.attach, rule("os-attach-interfaces:create"), server_interfaces.Attachment,
          until=(2, 48)),
    Route("POST", PORTS, server_interfaces.attach, rule("os-attach-interfaces:create"),
          server_interfaces.TaggedAttachment, since=(2, 49)),
    Route("DELETE", PORT, server_interfaces.detach, rule("os-attach-interfaces:delete"), status=202),

    Route("POST", f"{SERVER}/remote-consoles", remote_consoles.create, rule("os-remote-consoles"),
          envelope("remote_console", remote_consoles.Console), since=(2, 6), until=(2, 7), waits=True),
    Route("POST", f"{SERVER}/remote-consoles", remote_consoles.create, rule("os-remote-consoles"),
          envelope("remote_console", remote_consoles.Console28), since=(2, 8), until=(2, 98), waits=True),
    Route("POST", f"{SERVER}/remote-consoles", remote_consoles.create, rule("os-remote-consoles"),
          envelope("remote_console", remote_consoles.Console299), since=(2, 99), waits=True),
    Route("POST", ACTION, remote_consoles.vnc, rule("os-remote-consoles"), remote_consoles.VncConsole,
          action="os-getVNCConsole", until=(2, 5), waits=True),
    Route("POST", ACTION, remote_consoles.serial, rule("os-remote-consoles"), remote_consoles.SerialConsole,
          action="os-getSerialConsole", until=(2, 5), waits=True),
    Route("POST", ACTION, remote_consoles.spice, rule("os-remote-consoles"), remote_consoles.SpiceConsole,
          action="os-getSPICEConsole", until=(2, 5)),
    Route("POST", ACTION, remote_consoles.rdp, rule("os-remote-consoles"), bytes, action="os-getRDPConsole",
          until=(2, 5)),
    Route("GET", f"{SERVER}/diagnostics", server_facts.old_diagnostics, rule("os-server-diagnostics"), until=(2, 47),
          waits=True),
    Route("GET", f"{SERVER}/diagnostics", server_facts.diagnostics, rule("os-server-diagnostics"), since=(2, 48),
          waits=True),
    Route("GET", f"{SERVER}/topology", server_facts.topology, "compute:server:topology:index", since=(2, 78)),
    *(Route("POST", "/v2.1/os-server-external-events", server_facts.external_events,
            rule("os-server-external-events:create"), server_facts.events_body(since), since=since, until=until)
      for since, until in zip(EVENTS_SINCE, EVENTS_UNTIL, strict=True)),
    Route("POST", "/v2.1/os-assisted-volume-snapshots", assisted_snapshots.create,
          rule("os-assisted-volume-snapshots:create"), envelope("snapshot", assisted_snapshots.NewSnapshot)),
    Route("DELETE", "/v2.1/os-assisted-volume-snapshots/{snapshot_id}", assisted_snapshots.delete,
          rule("os-assisted-volume-snapshots:delete"), status=204, query="delete_info", strict=(2, 75)),
    Route("GET", "/v2.1/os-console-auth-tokens/{token}", remote_consoles.show_token, rule("os-console-auth-tokens"),
          strict=(2, 99)),

    Route("POST", ACTION, server_interfaces.add_fixed_ip, rule("os-multinic:add"), FixedIp, action="addFixedIp",
          status=202, until=(2, 43)),
    Route("POST", ACTION, server_interfaces.remove_fixed_ip, rule("os-multinic:remove"), Address,
          action="removeFixedIp", status=202, until=(2, 43)),
    Route("POST", ACTION, server_interfaces.add_floating_ip, rule("os-floating-ips:add"), FloatingIp,
          action="addFloatingIp", status=202, until=(2, 43)),
    Route("POST", ACTION, server_interfaces.remove_floating_ip, rule("os-floating-ips:remove"), Address,
          action="removeFloatingIp", status=202, until=(2, 43)),
]
# fmt: on
