"""Wires the parts of a cloud together; time, ids, randomness and the bus are parameters here."""

import platform
from collections.abc import Iterator

from nephele import policies
from nephele.client_file import ensure_passwords, write_client_file
from nephele.compute import policy as compute_policy
from nephele.compute import routes as compute_routes
from nephele.compute.api.console_page import ConsolePage
from nephele.compute.api.console_socket import ConsoleSocket
from nephele.compute.api.remote_consoles import PAGE, SOCKET
from nephele.compute.service import Compute
from nephele.config import Settings
from nephele.health import HealthPage, MetricsPage
from nephele.hypervisors import Hypervisors
from nephele.identity import policy as identity_policy
from nephele.identity import routes as identity_routes
from nephele.identity.first_content import DEFAULT_DOMAIN
from nephele.identity.passwords import Passwords
from nephele.identity.service import Identity
from nephele.identity.users import UserChange
from nephele.image import policy as image_policy
from nephele.image import routes as image_routes
from nephele.image.fetch import Web
from nephele.image.model import Limits
from nephele.image.service import Images
from nephele.image.sources import Regions
from nephele.kernel.bus import LocalBus
from nephele.kernel.clock import SECOND, Clock, SystemClock
from nephele.kernel.context import Context
from nephele.kernel.engine import Engine
from nephele.kernel.errors import Refused
from nephele.kernel.ids import Ids
from nephele.kernel.policy import Policy
from nephele.kernel.policy_file import PolicyFile
from nephele.kernel.store import Store
from nephele.migrations import make_tables
from nephele.network import policy as network_policy
from nephele.network import routes as network_routes
from nephele.network.service import Networks
from nephele.network.work import Settings as NetworkSettings
from nephele.placement import policy as placement_policy
from nephele.placement import routes as placement_routes
from nephele.placement.service import Placement
from nephele.policies import Policies
from nephele.storage import open_backends, open_backups
from nephele.volume import policy as volume_policy
from nephele.volume import routes as volume_routes
from nephele.volume.glance import Glance
from nephele.volume.service import Volumes
from nephele.web.app import build
from nephele.web.audit import Audit, AuditFile
from nephele.web.dispatch import Edge
from nephele.web.routing import Api


class Cloud:
    """A whole cloud in this process.

    Args:
        settings: what it is told.
        url: its own address.
        clock: time.
        ids: identifiers.
    """

    def __init__(self, settings: Settings, url: str, clock: Clock | None = None, ids: Ids | None = None) -> None:
        self.settings, self.url = settings, url
        self.clock, self.ids = clock or SystemClock(), ids or Ids()
        self.store = Store(settings.store_url)
        self.bus = LocalBus()
        self.engine = Engine(self.store, self.bus, self.clock, self.ids, at_once=settings.operations_at_once)
        told = settings.identity
        self.identity = Identity(
            *(self.store, self.clock, self.ids),
            passwords=Passwords(told.hashing.memory_kib, told.hashing.passes, told.hashing.lanes),
            compliance=told.compliance,
            oidc=told.oidc,
            limit_model=told.limit_model,
            token_lifetime=told.token_lifetime * SECOND,
        )
        self.placement = Placement(self.store, self.clock, self.ids)
        self.policies = {
            service: Policy(table.RULES, table.SCOPES)
            for service, table in (
                ("identity", identity_policy),
                ("image", image_policy),
                ("placement", placement_policy),
                ("volume", volume_policy),
                ("network", network_policy),
                ("compute", compute_policy),
            )
        }
        folder = settings.policy_dir or settings.state_dir / "policy"
        self.policy_files = {
            name: PolicyFile(folder / f"{name}.yaml", policy, self.clock) for name, policy in self.policies.items()
        }
        self.images = self._make_images(self.policies["image"])
        self.volumes = Volumes(
            self.store,
            self.clock,
            self.ids,
            self.engine,
            Glance(self.images),
            open_backends(settings),
            zone=settings.availability_zone,
            cluster=settings.volumes.cluster,
            backup_store=open_backups(settings),
        )
        physical = NetworkSettings(physical_networks=("public", *(settings.provider_networks.keys() - {"public"})))
        self.networks = Networks(self.store, self.bus, self.clock, self.ids, self.policies["network"], physical)
        self.compute = Compute(
            settings,
            self.store,
            self.bus,
            self.clock,
            self.ids,
            self.engine,
            self.identity,
            self.images,
            self.networks,
            self.volumes,
            self.placement,
            self._project_exists,
        )
        self.volumes.ask_before_detaching(self.compute.holds)
        self.hypervisors = Hypervisors(settings, self.bus, self.clock, self._download, self._upload)
        self.volumes.tell_when_grown(self.compute.volume_extended)
        self.networks.tell_when_gone(self.compute.port_gone)
        self.audit_file = AuditFile(settings.audit_file or settings.state_dir / "audit.log") if settings.audit else None
        audit = Audit(self.audit_file, self.clock, self.ids) if self.audit_file else None
        edge = Edge(self.identity.verify, self.ids, None, settings.public_url, audit)
        pages = {
            "/healthz": HealthPage(self.store, self.engine),
            PAGE: ConsolePage(),
            "/metrics": MetricsPage(self.store, self.engine, edge.metrics),
        }
        sockets = {SOCKET: ConsoleSocket(self.compute.consoles, settings.public_url)}
        self.app = build(self._apis(), edge, pages, sockets)

    def _make_images(self, rules: Policy) -> Images:
        told = self.settings.images
        return Images(
            *(self.store, self.clock, self.ids, self.settings.state_dir / "images", rules),
            stores=dict(told.stores),
            limits=Limits(
                size=told.max_size,
                virtual_size=told.max_virtual_size,
                total_size=told.project_size,
                images=told.project_images,
            ),
            web=Web(trusted_hosts=frozenset(told.trusted_hosts)),
            regions=Regions(self.settings.region, self._image_endpoint),
        )

    def _image_endpoint(self, region: str, interface: str) -> str:
        """The Glance of another region that the catalog names."""
        catalog = self.identity.catalog
        for service in catalog.services([("type", "image")]):
            told = [("service_id", service.id), ("region_id", region), ("interface", interface)]
            for endpoint in catalog.endpoints(told):
                if endpoint.enabled and "$(" not in endpoint.url:
                    return endpoint.url
        return ""

    def _apis(self) -> list[Api]:
        return [
            identity_routes.api(self.identity, self.policies["identity"]),
            identity_routes.own_api(self.identity, self.policies["identity"]),
            image_routes.api(self.images, self.policies["image"]),
            placement_routes.api(self.placement, self.policies["placement"]),
            volume_routes.api(self.volumes, self.policies["volume"]),
            network_routes.api(self.networks, self.policies["network"]),
            network_routes.own_api(self.networks, self.policies["network"]),
            *compute_routes.api(self.compute, self.policies["compute"]),
            policies.api(Policies(self.identity, self.policies, self.policy_files)),
        ]

    def _project_exists(self, project_id: str) -> bool:
        try:
            self.identity.projects.get(project_id)
        except Refused:
            return False
        return True

    def _download(self, image_id: str, token: str) -> Iterator[bytes]:
        """An image's data, read where it lies: agents of this process share the file system."""
        image = self.images.show(self.identity.verify(token, delegated=True), image_id)
        with self.images.open_data(image).open("rb") as file:
            while chunk := file.read(1 << 20):
                yield chunk

    def _upload(self, image_id: str, token: str, chunks: Iterator[bytes]) -> None:
        """An image's data, from an agent of this process."""
        self.images.receive(self.identity.verify(token, delegated=True), image_id, chunks)

    def start(self) -> None:
        """Make what a new cloud has, and take up the work."""
        for file in self.policy_files.values():
            file.start()
        new = self._make_tables()
        self.identity.start()
        self._seed(new=new)
        self.images.start()
        self.images.serve(self.bus, self._verify_on_bus)
        self.volumes.start()
        self.volumes.serve(self.bus, self._verify_on_bus)
        self.networks.serve(self.bus, self._verify_on_bus)
        self.compute.start(platform.node())
        self.hypervisors.start()
        self.engine.start()

    def _make_tables(self) -> bool:
        """True where the database was empty.  Raises OTHER_SCHEMA."""
        with self.store.write() as db:
            return make_tables(db)

    def _verify_on_bus(self, token: str) -> Context:
        return self.identity.verify(token, delegated=True)

    def _seed(self, *, new: bool) -> None:
        path = self.settings.state_dir / "clouds.yaml"
        passwords = ensure_passwords(path, new=new, reset=self._reset_password)
        if new:
            with self.store.write():
                self.identity.seed(passwords["admin"], passwords["demo"])
                self.networks.seed(self._project("admin"), self._project("demo"))
                self.volumes.seed()
                self.compute.seed()
                self.images.seed("nephele-guest", self._project("admin"), self.settings.guest_image)
                self.images.metadefs.seed(self._project("admin"))
        write_client_file(path, self.url, self.settings.region, passwords)

    def _project(self, name: str) -> str:
        project = self.identity.projects.named(name, DEFAULT_DOMAIN)
        assert project is not None, f"a new cloud has the project {name}"
        return project.id

    def _reset_password(self, user: str, password: str) -> None:
        found = self.identity.users.named(user, DEFAULT_DOMAIN)
        if found is not None:
            self.identity.users.update(found.id, UserChange(password=password))

    def stop(self) -> None:
        """Stop at the next step of whatever runs; the next start resumes it."""
        self.compute.stop()
        self.engine.stop()
        self.hypervisors.stop()
        self.images.close()
        self.bus.close()
        if self.audit_file is not None:
            self.audit_file.close()
        self.store.close()
