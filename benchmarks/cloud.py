"""A cloud in this process, for measuring without a network or a client in between."""

import gc
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa

from nephele.cloud import Cloud
from nephele.compute.requests import NewServer
from nephele.config import Settings
from nephele.kernel.context import Context
from nephele.network.messages import NicRequest
from nephele.network.networks import NewNetwork, create_network
from nephele.network.subnets import NewSubnet, create_subnet


class Bench:
    """A started cloud with ten simulated hosts, a project without quota and a large network.

    Args:
        cloud: it.
        caller: a member of the project `demo`.
        wanted: the server that is launched.
    """

    def __init__(self, cloud: Cloud, caller: Context, wanted: NewServer) -> None:
        self.cloud, self.caller, self.wanted = cloud, caller, wanted

    def launch(self) -> str:
        """Accept one launch; the server's id."""
        return self.cloud.compute.launching.launch(self.caller, self.wanted)[0].id

    def building(self) -> int:
        """How many servers are not there yet."""
        with self.cloud.store.read() as db:
            return int(db.exec_driver_sql("SELECT count(*) FROM servers WHERE vm_state = 'building'").scalar_one())

    def check(self) -> None:
        """All servers are ACTIVE."""
        with self.cloud.store.read() as db:
            states = set(db.execute(sa.text("SELECT DISTINCT vm_state FROM servers")).scalars())
        assert states == {"active"}, states


@contextmanager
def bench() -> Iterator[Bench]:
    """A cloud for the length of the block."""
    folder = Path(tempfile.mkdtemp(prefix="nephele-bench-"))
    cloud = Cloud(Settings(state_dir=folder, hosts=10), "http://127.0.0.1")
    cloud.start()
    gc.freeze()
    try:
        project = cloud.identity.projects.named("demo", "default")
        user = cloud.identity.users.named("demo", "default")
        assert user is not None and project is not None
        caller = Context(
            request_id="req-bench",
            user_id=user.id,
            user_name=user.name,
            project_id=project.id,
            project_name=project.name,
            roles=frozenset({"member", "reader"}),
        )
        yield Bench(cloud, caller, _wanted(cloud, caller))
    finally:
        cloud.stop()
        shutil.rmtree(folder)


def _wanted(cloud: Cloud, caller: Context) -> NewServer:
    project_id = caller.project_id
    cloud.compute.quotas.set_limits(project_id, {"instances": -1, "cores": -1, "ram": -1})
    with cloud.networks.core.writing(caller) as work:
        work.db.exec_driver_sql(
            f"INSERT INTO network_quotas (project_id, resource, \"limit\") VALUES ('{project_id}', 'port', -1)"
        )
        network = create_network(work, NewNetwork(project_id=project_id, name="bench"))
        create_subnet(work, NewSubnet(project_id=project_id, network_id=network.id, ip_version=4, cidr="10.0.0.0/16"))
    with cloud.store.read() as db:
        image_id = db.exec_driver_sql("SELECT id FROM images").scalars().first()
    assert image_id is not None
    return NewServer(
        name="bench",
        flavor_id="42",
        image_id=image_id,
        nics=(NicRequest(network_id=network.id),),
        metadata={"role": "web", "owner": "bench"},
        tags=("web", "bench"),
    )
