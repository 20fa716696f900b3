"""The demo from start to end, and the end of what demos kept."""

import contextlib
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from nephele.demo import cloud
from nephele.demo.folder import HOST, Folder
from nephele.demo.guest import USER, Guest, check
from nephele.demo.launch import FLAVOR, IMAGE, NAME, NETWORK, User
from nephele.guest import image_path
from nephele.kernel.errors import Refused
from nephele.kernel.paths import cache_folder
from nephele.lab import LabHost, find_host, start_host
from nephele.lab.errors import HOST_NOT_FOUND


def run(folder: Folder, *, keep: bool) -> None:
    """Show a launch.  With `keep`, or in a cloud that an earlier demo kept, the cloud and its server stay."""
    print("Nephele: a real VM through the OpenStack API\n")
    if folder.kept.exists():
        keep = True
    else:
        _tear_down(folder)  # what a killed demo left
    try:
        host = _set_up(folder)
        guest = _use(folder, host)
        if not keep:
            User(folder).clean_up()
            print(f"\n{cloud.ask(folder, 'doctor', cloud='nephele-admin')}")
    except BaseException:
        if not keep:
            _tear_down(folder)
        raise
    if keep:
        folder.kept.touch()
        _say_what_next(folder, guest)
    else:
        _tear_down(folder)
        print("\nThe cloud and its host are gone again.  To keep them:\n  make demo KEEP=1")


def clean(folder: Folder) -> None:
    """Remove what demos kept: the cloud with its host, its files, and all caches."""
    _tear_down(folder)
    shutil.rmtree(cache_folder(), ignore_errors=True)


def _set_up(folder: Folder) -> LabHost:
    with _timed("host") as tell:
        host = start_host(HOST, folder.host)
        tell(f"{host.name}: namespace {host.netns} with a libvirtd of its own")
    with _timed("guest") as tell:
        if not image_path().exists():
            from nephele.guest.build import build

            build(image_path(), say=lambda _: None)
        tell(f"{image_path()}, {image_path().stat().st_size / 1e6:.0f} MB")
    with _timed("cloud") as tell:
        if cloud.running(folder) is None:
            cloud.start(folder, host)
        tell(next(line for line in folder.log.read_text().splitlines() if "ready" in line))
    return host


def _use(folder: Folder, host: LabHost) -> Guest:
    user = User(folder)
    user.clean_up()
    with _timed("access") as tell:
        user.bring_key()
        user.open_doors()
        tell(f"key pair {NAME}, security group {NAME} (ssh and ping)")
    with _timed("server") as tell:
        launched = user.launch()
        tell(f"{NAME}: {IMAGE} as {FLAVOR} on {NETWORK}, ACTIVE after {launched.seconds:.2f} s")
    print(f"{'':12}{' > '.join(launched.states)}")
    with _timed("address") as tell:
        guest = Guest(folder, host, user.give_address(launched))
        tell(f"{launched.fixed_ip}, from outside {guest.address}")
    try:
        with _timed("login") as tell:
            guest.wait_for_login()
            tell(f"ssh as {USER}, with the key")
        facts = check(guest.facts(), launched, NAME)
    except Refused:
        print(f"\nThe end of its console:\n{user.console(launched)}", file=sys.stderr)
        raise
    print("\nThe guest says:")
    for title, fact in facts.items():
        print(f"  {title:18}{fact}")
    print(f"\n{cloud.ask(folder, 'trace', NAME)}")
    return guest


def _say_what_next(folder: Folder, guest: Guest) -> None:
    scripts = Path(sys.executable).parent
    print("\nThe cloud runs on.  What to type next:")
    print(f"  export OS_CLIENT_CONFIG_FILE={folder.clouds} OS_CLOUD=nephele PATH={scripts}:$PATH")
    for line in (
        "openstack server list",
        f"openstack console log show {NAME}",
        f"nephele trace {NAME}",
        guest.short_login,
        "make demo-clean",
    ):
        print(f"  {line}")


def _tear_down(folder: Folder) -> None:
    cloud.stop(folder)
    try:
        find_host(HOST).stop()
    except Refused as refusal:
        if refusal.error is not HOST_NOT_FOUND:
            raise
    shutil.rmtree(folder.path, ignore_errors=True)


class _Told:
    """The line that a step ends with."""

    def __init__(self) -> None:
        self.text = ""

    def __call__(self, text: str) -> None:
        self.text = text


@contextlib.contextmanager
def _timed(title: str) -> Iterator[_Told]:
    """Print what the block tells, and how long it took."""
    told, began = _Told(), time.monotonic()
    yield told
    print(f"{title:12}{told.text}  [{time.monotonic() - began:.1f} s]", flush=True)
