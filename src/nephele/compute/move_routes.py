"""What takes servers to another size or another host, one line each."""

from nephele.compute.api import migrations, moving
from nephele.compute.paths import ACTION, SERVER, rule
from nephele.web.routing import Route

LIVE = "os-migrate-server:migrate_live"

# fmt: off
MOVE_ROUTES = [
    Route("POST", ACTION, moving.resize, rule("servers:resize"), moving.Resize, action="resize", status=202),
    Route("POST", ACTION, moving.confirm, rule("servers:confirm_resize"), action="confirmResize", status=204),
    Route("POST", ACTION, moving.revert, rule("servers:revert_resize"), action="revertResize", status=202),
    Route("POST", ACTION, moving.migrate, rule("os-migrate-server:migrate"), bytes, action="migrate", status=202,
          until=(2, 55)),
    Route("POST", ACTION, moving.migrate, rule("os-migrate-server:migrate"), moving.Migrate | None, action="migrate",
          status=202, since=(2, 56)),
    Route("POST", ACTION, moving.live_migrate, rule(LIVE), moving.OldLive, action="os-migrateLive", status=202,
          until=(2, 24)),
    Route("POST", ACTION, moving.live_migrate, rule(LIVE), moving.Live, action="os-migrateLive", status=202,
          since=(2, 25), until=(2, 29)),
    Route("POST", ACTION, moving.live_migrate, rule(LIVE), moving.ForcedLive, action="os-migrateLive", status=202,
          since=(2, 30), until=(2, 67)),
    Route("POST", ACTION, moving.live_migrate, rule(LIVE), moving.Live, action="os-migrateLive", status=202,
          since=(2, 68)),
    Route("POST", ACTION, moving.evacuate, rule("os-evacuate"), moving.OldEvacuate, action="evacuate", until=(2, 13)),
    Route("POST", ACTION, moving.evacuate, rule("os-evacuate"), moving.Evacuate, action="evacuate",
          since=(2, 14), until=(2, 28)),
    Route("POST", ACTION, moving.evacuate, rule("os-evacuate"), moving.ForcedEvacuate, action="evacuate",
          since=(2, 29), until=(2, 67)),
    Route("POST", ACTION, moving.evacuate, rule("os-evacuate"), moving.Evacuate, action="evacuate", since=(2, 68)),
    Route("GET", f"{SERVER}/migrations", migrations.of_server, rule("servers:migrations:index"), since=(2, 23),
          waits=True),
    Route("GET", f"{SERVER}/migrations/{{migration_id}}", migrations.show, rule("servers:migrations:show"),
          since=(2, 23), waits=True),
    Route("DELETE", f"{SERVER}/migrations/{{migration_id}}", migrations.abort, rule("servers:migrations:delete"),
          status=202, since=(2, 24), waits=True),
    Route("POST", f"{SERVER}/migrations/{{migration_id}}/action", migrations.force_complete,
          rule("servers:migrations:force_complete"), action="force_complete", status=202, since=(2, 22), waits=True),
    Route("GET", "/v2.1/os-migrations", migrations.index, rule("os-migrations:index"), query=migrations.QUERY),
]
# fmt: on
