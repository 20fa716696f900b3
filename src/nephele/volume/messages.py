"""What a compute agent asks of Cinder over the bus, with the user's token."""

from msgspec import Struct

from nephele.kernel.bus import Method
from nephele.kernel.trace import Span


class FileConnection(Struct, frozen=True, kw_only=True, tag="file"):
    """The volume is a file that the host can open."""

    path: str
    format: str
    """`raw` or `qcow2`."""


class NbdConnection(Struct, frozen=True, kw_only=True, tag="nbd"):
    """The volume is served by an NBD server."""

    host: str
    port: int
    export: str
    tls: bool = False


class RbdConnection(Struct, frozen=True, kw_only=True, tag="rbd"):
    """The volume is in a Ceph pool."""

    pool: str
    image: str
    monitors: tuple[str, ...]
    user: str
    secret_uuid: str


Connection = FileConnection | NbdConnection | RbdConnection


class ConnectVolume(Struct, frozen=True, kw_only=True):
    """Connect a volume that is reserved for a server to the host where it runs.  Idempotent."""

    token: str
    request_id: str
    attachment_id: str
    server_id: str
    host: str
    device_name: str


class ConnectedVolume(Struct, frozen=True, kw_only=True):
    """How the host reaches the volume."""

    volume_id: str
    size_gb: int
    bootable: bool
    connection: Connection
    spans: tuple[Span, ...] = ()


class CompleteAttachment(Struct, frozen=True, kw_only=True):
    """The guest has the volume: `in-use` from now on.  Idempotent."""

    token: str
    request_id: str
    attachment_id: str


CONNECT_VOLUME = Method("volume.connect_volume", ConnectVolume, ConnectedVolume)
COMPLETE_ATTACHMENT = Method("volume.complete_attachment", CompleteAttachment, type(None))
