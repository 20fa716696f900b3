"""The operations on servers, one line each."""

from nephele.compute.api import (
    rebuild,
    rescue,
    security_groups,
    server_actions,
    server_devices,
    server_filters,
    server_labels,
    server_shares,
    servers,
    shelve,
    snapshots,
)
from nephele.compute.api.security_groups import GroupName
from nephele.compute.api.server_actions import ConsoleLines, Reboot
from nephele.compute.api.server_bodies import CreateServerBody
from nephele.compute.api.server_labels import Item, Items, Tags
from nephele.compute.api.servers import ChangedServer
from nephele.compute.device_routes import DEVICE_ROUTES
from nephele.compute.move_routes import MOVE_ROUTES
from nephele.compute.paths import ACTION, SERVER, rule
from nephele.web.bodies import envelope
from nephele.web.routing import Route

# fmt: off
SERVER_ROUTES = [
    Route("GET", "/v2.1/servers", servers.index, rule("servers:index"), query=server_filters.QUERY, strict=(2, 75)),
    Route("POST", "/v2.1/servers", servers.create, rule("servers:create"), CreateServerBody, status=202),
    Route("GET", "/v2.1/servers/detail", servers.detail, rule("servers:detail"), query=server_filters.QUERY,
          strict=(2, 75)),
    Route("GET", "/v2.1/servers/{server_id}", servers.show, rule("servers:show")),
    Route("PUT", "/v2.1/servers/{server_id}", servers.update, rule("servers:update"),
          envelope("server", ChangedServer)),
    Route("DELETE", "/v2.1/servers/{server_id}", servers.delete, rule("servers:delete"), status=204),
    Route("POST", "/v2.1/os-volumes_boot", servers.create, rule("servers:create"), CreateServerBody, status=202,
          until=(2, 102)),

    Route("POST", ACTION, server_actions.start, rule("servers:start"), action="os-start", status=202),
    Route("POST", ACTION, server_actions.stop, rule("servers:stop"), action="os-stop", status=202),
    Route("POST", ACTION, server_actions.reboot, rule("servers:reboot"), Reboot, action="reboot", status=202),
    Route("POST", ACTION, server_actions.pause, rule("os-pause-server:pause"), action="pause", status=202),
    Route("POST", ACTION, server_actions.unpause, rule("os-pause-server:unpause"), action="unpause", status=202),
    Route("POST", ACTION, server_actions.suspend, rule("os-suspend-server:suspend"), action="suspend", status=202),
    Route("POST", ACTION, server_actions.resume, rule("os-suspend-server:resume"), action="resume", status=202),
    Route("POST", ACTION, rescue.rescue, rule("os-rescue"), rescue.Rescue | None, action="rescue"),
    Route("POST", ACTION, rescue.unrescue, rule("os-unrescue"), action="unrescue", status=202),
    Route("POST", ACTION, rebuild.rebuild, rule("servers:rebuild"), rebuild.Rebuild, action="rebuild", status=202),
    Route("POST", ACTION, shelve.shelve, rule("os-shelve:shelve"), bytes, action="shelve", status=202),
    Route("POST", ACTION, shelve.offload, rule("os-shelve:shelve_offload"), bytes, action="shelveOffload", status=202),
    Route("POST", ACTION, shelve.unshelve_plainly, rule("os-shelve:unshelve"), bytes, action="unshelve", status=202,
          until=(2, 76)),
    Route("POST", ACTION, shelve.unshelve_to_zone, rule("os-shelve:unshelve"), shelve.ToZone | None,
          action="unshelve", status=202, since=(2, 77), until=(2, 90)),
    Route("POST", ACTION, shelve.unshelve, rule("os-shelve:unshelve"), shelve.Unshelve | None, action="unshelve",
          status=202, since=(2, 91)),
    Route("POST", ACTION, snapshots.create_image, rule("servers:create_image"), snapshots.CreateImage,
          action="createImage", status=202),
    Route("POST", ACTION, snapshots.create_backup, rule("os-create-backup"), snapshots.CreateBackup,
          action="createBackup", status=202),
    Route("POST", ACTION, server_actions.console_output, rule("os-console-output"), ConsoleLines,
          action="os-getConsoleOutput"),
    *MOVE_ROUTES,

    Route("GET", "/v2.1/servers/{server_id}/os-instance-actions", server_actions.index,
          rule("os-instance-actions:list"), query="limit marker changes-since changes-before", strict=(2, 58)),
    Route("GET", "/v2.1/servers/{server_id}/os-instance-actions/{request_id}", server_actions.show,
          rule("os-instance-actions:show")),

    Route("POST", ACTION, server_labels.lock, rule("os-lock-server:lock"), bytes, action="lock", status=202),
    Route("POST", ACTION, server_labels.unlock, rule("os-lock-server:unlock"), action="unlock", status=202),
    Route("GET", f"{SERVER}/metadata", server_labels.metadata, rule("server-metadata:index")),
    Route("POST", f"{SERVER}/metadata", server_labels.merge_metadata, rule("server-metadata:create"), Items),
    Route("PUT", f"{SERVER}/metadata", server_labels.replace_metadata, rule("server-metadata:update_all"), Items),
    Route("GET", f"{SERVER}/metadata/{{key}}", server_labels.show_item, rule("server-metadata:show")),
    Route("PUT", f"{SERVER}/metadata/{{key}}", server_labels.set_item, rule("server-metadata:update"), Item),
    Route("DELETE", f"{SERVER}/metadata/{{key}}", server_labels.delete_item, rule("server-metadata:delete"),
          status=204),
    Route("GET", f"{SERVER}/tags", server_labels.tags, rule("os-server-tags:index"), since=(2, 26)),
    Route("PUT", f"{SERVER}/tags", server_labels.replace_tags, rule("os-server-tags:update_all"), Tags,
          since=(2, 26)),
    Route("DELETE", f"{SERVER}/tags", server_labels.delete_tags, rule("os-server-tags:delete_all"), status=204,
          since=(2, 26)),
    Route("GET", f"{SERVER}/tags/{{tag}}", server_labels.has_tag, rule("os-server-tags:show"), status=204,
          since=(2, 26)),
    Route("PUT", f"{SERVER}/tags/{{tag}}", server_labels.add_tag, rule("os-server-tags:update"), since=(2, 26)),
    Route("DELETE", f"{SERVER}/tags/{{tag}}", server_labels.delete_tag, rule("os-server-tags:delete"), status=204,
          since=(2, 26)),

    Route("GET", f"{SERVER}/shares", server_shares.index, rule("os-server-shares:index"), since=(2, 97)),
    Route("POST", f"{SERVER}/shares", server_shares.create, rule("os-server-shares:create"),
          envelope("share", server_shares.NewShare), status=201, since=(2, 97)),
    Route("GET", f"{SERVER}/shares/{{share_id}}", server_shares.show, rule("os-server-shares:show"), since=(2, 97)),
    Route("DELETE", f"{SERVER}/shares/{{share_id}}", server_shares.delete, rule("os-server-shares:delete"),
          since=(2, 97)),
    Route("GET", f"{SERVER}/ips", server_devices.ips, rule("ips:index")),
    Route("GET", f"{SERVER}/ips/{{network_label}}", server_devices.ips_of_network, rule("ips:show")),
    *DEVICE_ROUTES,
    Route("GET", f"{SERVER}/os-security-groups", security_groups.of_server, rule("os-security-groups:list")),
    Route("POST", ACTION, security_groups.add, rule("os-security-groups:add"), GroupName, action="addSecurityGroup",
          status=202),
    Route("POST", ACTION, security_groups.remove, rule("os-security-groups:remove"), GroupName,
          action="removeSecurityGroup", status=202),
]
# fmt: on
