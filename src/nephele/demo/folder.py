"""Where a demo's files are: in `.demo`, below the folder that it runs in."""

from pathlib import Path

from msgspec import Struct

HOST = "demo"
"""Name of the hypervisor host, on this machine and in the cloud."""


class Folder(Struct, frozen=True):
    """The files of one demo."""

    path: Path

    @property
    def host(self) -> Path:
        """What the hypervisor host's libvirtd has."""
        return self.path / "host"

    @property
    def state(self) -> Path:
        """The cloud's own state."""
        return self.path / "cloud"

    @property
    def clouds(self) -> Path:
        """How clients find the cloud."""
        return self.state / "clouds.yaml"

    @property
    def log(self) -> Path:
        """What the cloud prints."""
        return self.path / "cloud.log"

    @property
    def process(self) -> Path:
        """Which process the cloud is."""
        return self.path / "cloud.json"

    @property
    def kept(self) -> Path:
        """Is there when a demo left the cloud running on purpose."""
        return self.path / "kept"

    @property
    def key(self) -> Path:
        """The private ssh key; the public one is beside it."""
        return self.path / "key"


def demo_folder() -> Folder:
    """The folder of demos that are run from here."""
    return Folder(Path.cwd() / ".demo")
