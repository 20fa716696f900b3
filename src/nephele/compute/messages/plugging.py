"""What is plugged into a guest and out again: volumes and network interfaces."""

from nephele.compute.messages import Command, ConnectedDevice, Done
from nephele.kernel.bus import Method
from nephele.network.messages import BoundPort


class AttachVolume(Command, frozen=True, kw_only=True):
    """Plug a connected volume into the guest, running or not."""

    volume: ConnectedDevice


class DetachVolume(Command, frozen=True, kw_only=True):
    """Unplug a volume; the guest has `timeout` seconds to let go."""

    volume: ConnectedDevice
    timeout: int


class ExtendVolume(Command, frozen=True, kw_only=True):
    """Tell the guest that a volume has `size_gb` now."""

    volume: ConnectedDevice
    size_gb: int


class AttachInterface(Command, frozen=True, kw_only=True):
    """Wire a bound port and plug it into the guest, running or not."""

    port: BoundPort


class DetachInterface(Command, frozen=True, kw_only=True):
    """Unplug a port; the guest has `timeout` seconds to let go."""

    port: BoundPort
    timeout: int


ATTACH_VOLUME = Method("compute_agent.attach_volume", AttachVolume, Done)
DETACH_VOLUME = Method("compute_agent.detach_volume", DetachVolume, Done)
EXTEND_VOLUME = Method("compute_agent.extend_volume", ExtendVolume, Done)
ATTACH_INTERFACE = Method("compute_agent.attach_interface", AttachInterface, Done)
DETACH_INTERFACE = Method("compute_agent.detach_interface", DetachInterface, Done)
