"""The steps of a launch on the host: what is needed to know is asked for, with the token that came along."""

from nephele.compute import messages as m
from nephele.compute.agent.guests import with_password
from nephele.compute.agent.host import Host
from nephele.image.messages import ASK_IMAGE, AskImage
from nephele.kernel.trace import Recorder
from nephele.network.messages import ALLOCATE_PORTS, AllocatePorts
from nephele.volume.messages import COMPLETE_ATTACHMENT, CONNECT_VOLUME, CompleteAttachment, ConnectVolume


class Launcher:
    """Builds guests."""

    def __init__(self, host: Host) -> None:
        self.host = host

    def prepare(self, order: m.Prepare) -> m.Prepared:
        """Steps 8 to 13: take the request, learn what to build, bring its image."""
        trace = self._trace(order)
        server = self._ask_server(order, trace)
        if not server.image_id or all(device.destination == "volume" for device in server.devices):
            return m.Prepared(spans=trace.take())
        with trace.span("nova-compute", "asks Glance for the image", 12) as span:
            ask = AskImage(token=order.token, request_id=order.request_id, image_id=server.image_id)
            image = self.host.bus.call(ASK_IMAGE, ask)
            trace.spans.extend(image.spans)
            base = self.host.images.fetch(image, order.token, span, lambda: self.host.check(order.server_id))
            span.detail |= {"image": image.id, "name": image.name}
        return m.Prepared(base=base, spans=trace.take())

    def cache_images(self, ask: m.CacheImages) -> None:
        """Bring images into the cache ahead of time."""
        for image_id in ask.image_ids:
            with Recorder(self.host.name).span("nova-compute", "fetches an image ahead of time") as span:
                wanted = AskImage(token=ask.token, request_id=ask.request_id, image_id=image_id)
                self.host.images.fetch(self.host.bus.call(ASK_IMAGE, wanted), ask.token, span)

    def plug(self, order: m.Plug) -> m.Plugged:
        """Steps 14 and 15: have the ports allocated, and wire them."""
        trace = Recorder(self.host.name)
        server = self.host.server_as_told(order)
        with trace.span("nova-compute", "asks Neutron for the network", 14) as span:
            ask = AllocatePorts(
                token=order.token,
                request_id=order.request_id,
                server_id=order.server_id,
                host=self.host.name,
                availability_zone=server.availability_zone,
                hostname=server.hostname,
                nics=server.nics,
                security_groups=server.security_groups,
            )
            answer = self.host.bus.call(ALLOCATE_PORTS, ask)
            trace.spans.extend(answer.spans)
            port_ids = tuple(port.port_id for port in answer.ports)
            self.host.wiring.wire(port_ids, 60)
            span.detail |= {"ports": list(port_ids)}
        return m.Plugged(ports=answer.ports, spans=trace.take())

    def connect(self, order: m.Connect) -> m.Connected:
        """Step 16: have the volumes connected to this host."""
        trace = Recorder(self.host.name)
        server = self.host.server(order)
        volumes = []
        with trace.span("nova-compute", "attaches the volumes", 16) as span:
            for device in server.devices:
                if device.destination == "volume" and order.device_id in ("", device.id):
                    ask = ConnectVolume(
                        token=order.token,
                        request_id=order.request_id,
                        attachment_id=device.attachment_id,
                        server_id=order.server_id,
                        host=self.host.name,
                        device_name=device.device_name,
                    )
                    answer = self.host.bus.call(CONNECT_VOLUME, ask)
                    trace.spans.extend(answer.spans)
                    volumes.append(m.ConnectedDevice(device=device, connection=answer.connection))
            span.detail |= {"volumes": [volume.device.volume_id for volume in volumes]}
        return m.Connected(volumes=tuple(volumes), spans=trace.take())

    def spawn(self, order: m.Build) -> m.Done:
        """Step 17: build the guest and start it."""
        trace = Recorder(self.host.name)
        with trace.span("hypervisor", "builds the guest and starts it", 17) as span:
            spec = with_password(self.host.spec(order, self.host.server_as_told(order)), order.admin_pass)
            self.host.driver.spawn(spec)
            self._complete_attachments(order)
            span.detail |= {"domain": spec.domain_name, "hypervisor": self.host.driver.virt_type}
        return self.host.done(order, trace)

    def _complete_attachments(self, order: m.Spawn) -> None:
        """The guest has its volumes: they are in use."""
        for volume in order.volumes:
            done = CompleteAttachment(
                token=order.token, request_id=order.request_id, attachment_id=volume.device.attachment_id
            )
            self.host.bus.call(COMPLETE_ATTACHMENT, done)

    def _trace(self, order: m.Command) -> Recorder:
        """A recorder that begins with step 8: the command was on its way, and is taken."""
        trace = Recorder(self.host.name)
        with trace.span("message queue", "hands the request to nova-compute", 8) as span:
            span.started_at = order.sent_at
            span.detail["host"] = self.host.name
        trace.spans[-1].duration_us = max(0, self.host.clock.now() - order.sent_at)
        return trace

    def _ask_server(self, order: m.Command, trace: Recorder) -> m.ServerForHost:
        with trace.span("nova-compute", "asks the conductor for the instance", 9) as span:
            server = self.host.server(order)
            span.detail["server"] = server.id
        trace.spans.extend(server.spans)
        with trace.span("nova-compute", "has the instance from the conductor", 11) as span:
            flavor = server.flavor
            span.detail |= {"flavor": flavor.name, "vcpus": flavor.vcpus, "ram": flavor.ram, "disk": flavor.disk}
        return server
