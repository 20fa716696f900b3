"""The tiny guest: a bootable disk image of 20 MB, made from Debian packages in seconds.

For the demo, the tests, and anyone who wants to see a server answer: DHCP, IPv6 by router advertisements,
config drive and metadata service, ssh by key, a login on the serial console (`cirros`, password `gocubsgo`),
user-data scripts, growing root, ACPI power button, guest agent, hot-plug.  What it does is in `rootfs/`;
`build.py` puts it together; `nephele guest build` is the command.
"""

from pathlib import Path

from nephele.kernel.paths import cache_folder


def image_path() -> Path:
    """Where the guest's image is kept on this machine; it exists once it was built."""
    return cache_folder() / "nephele-guest.qcow2"
