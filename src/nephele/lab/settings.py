"""How the libvirtd of a lab host is set up: each setting with its reason."""

from pathlib import Path
from uuid import uuid4

FOLDERS = {
    "etc": "/etc/libvirt",
    "run": "/run",
    "lib": "/var/lib/libvirt",
    "cache": "/var/cache/libvirt",
    "log": "/var/log/libvirt",
}
"""A host's folders, and what each of them stands for inside the host."""

LIBVIRTD = """\
# Reached through this socket by root only: the folder above it is closed to others.
unix_sock_dir = "{socket_folder}"
auth_unix_ro = "none"
auth_unix_rw = "none"
# Live migration refuses two hosts with one UUID, as they'd have by the machine's SMBIOS.
host_uuid = "{host_uuid}"
log_outputs = "3:file:{log}"
"""

QEMU = """\
# Images may lie in folders that only root can enter.
user = "root"
group = "root"
dynamic_ownership = 1
remember_owner = 0
security_driver = "none"
# There may be no cgroup to write to, and no virtlogd: a host needs neither.
cgroup_controllers = [ ]
namespaces = [ ]
stdio_handler = "file"
"""


def write_settings(directory: Path) -> None:
    """Make the host's folders, closed to others, and libvirt's settings where there are none yet."""
    directory.mkdir(parents=True, exist_ok=True)
    for folder in FOLDERS:
        (directory / folder).mkdir(mode=0o700, exist_ok=True)
    socket(directory).parent.mkdir(exist_ok=True)
    libvirtd = LIBVIRTD.format(socket_folder=socket(directory).parent, host_uuid=uuid4(), log=log(directory))
    for name, text in (("libvirtd.conf", libvirtd), ("qemu.conf", QEMU)):
        path = directory / "etc" / name
        if not path.exists():
            path.write_text(text)


def socket(directory: Path) -> Path:
    """Where the host's libvirtd listens."""
    return directory / "run" / "libvirt" / "libvirt-sock"


def log(directory: Path) -> Path:
    """Where the host's libvirtd writes its warnings and errors."""
    return directory / "log" / "libvirtd.log"
