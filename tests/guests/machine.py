"""A guest run by QEMU alone, as a hypervisor's peer would: to test the image, not the cloud."""

import json
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.guests.wire import GUEST_IP, MAC, running

BOOT_SECONDS = 60


@dataclass
class Machine:
    """A running guest in a namespace."""

    space: str
    folder: Path
    process: subprocess.Popen[bytes]
    started: float

    @property
    def console(self) -> str:
        """What its serial console has shown."""
        return (self.folder / "serial.log").read_text(errors="replace")

    def wait_for(self, words: str, seconds: float = BOOT_SECONDS) -> str:
        """The first console line with these words."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for line in self.console.splitlines():
                if words in line:
                    return line
            time.sleep(0.05)
        raise AssertionError(f"no {words!r} on the console within {seconds} s:\n{self.console}")

    def ssh(self, command: str, user: str = "cirros") -> str:
        """What the command printed in the guest."""
        options = ("StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "LogLevel=ERROR", "ConnectTimeout=10")
        words = ["ip", "netns", "exec", self.space, "ssh", "-i", str(self.folder / "key"), "-o", "BatchMode=yes"]
        words += [word for option in options for word in ("-o", option)]
        done = subprocess.run(
            [*words, f"{user}@{GUEST_IP}", command],
            check=True,
            capture_output=True,
            text=True,
            timeout=60,
            stdin=subprocess.DEVNULL,
        )
        return done.stdout

    def qmp(self, command: str, **arguments: object) -> None:
        """Ask QEMU for something."""
        self._ask("qmp", {"execute": "qmp_capabilities"}, {"execute": command, "arguments": arguments})

    def agent(self, command: str, **arguments: object) -> Any:
        """Ask the guest's agent for something."""
        return self._ask("agent", {"execute": command, "arguments": arguments})

    def type(self, text: str) -> None:
        """Type on the serial console."""
        with socket.socket(socket.AF_UNIX) as line:
            line.connect(str(self.folder / "serial"))
            line.sendall(text.encode())
            time.sleep(0.2)

    def _ask(self, name: str, *commands: dict[str, object]) -> Any:
        answer: dict[str, Any] = {}
        with socket.socket(socket.AF_UNIX) as line:
            line.settimeout(20)
            line.connect(str(self.folder / name))
            reader = line.makefile()
            for command in commands:
                line.sendall(json.dumps(command).encode() + b"\n")
                answer = {}
                while "return" not in answer:
                    answer = json.loads(reader.readline())
                    assert "error" not in answer, answer
        return answer["return"]


@contextmanager
def machine(space: str, folder: Path, image: Path, *extra: str, memory: int = 128) -> Iterator[Machine]:
    """Boot the image (as an overlay of 300 MB) with a serial console, an agent's channel and QMP as sockets."""
    disk = folder / "disk.qcow2"
    overlay = ["qemu-img", "create", "-q", "-f", "qcow2", "-b", str(image), "-F", "qcow2", str(disk), "300M"]
    subprocess.run(overlay, check=True)
    words = (
        *("ip", "netns", "exec", space, "qemu-system-x86_64", "-machine", "pc,accel=tcg", "-cpu", "qemu64"),
        *("-m", str(memory), "-nodefaults", "-display", "none", "-vga", "std"),
        *("-drive", f"file={disk},if=virtio,cache=unsafe"),
        *("-netdev", "tap,id=net0,ifname=tap0,script=no,downscript=no"),
        *("-device", f"virtio-net-pci,netdev=net0,mac={MAC}", "-device", "virtio-rng-pci"),
        *("-chardev", f"socket,id=ser0,path={folder}/serial,server=on,wait=off,logfile={folder}/serial.log"),
        *("-serial", "chardev:ser0", "-qmp", f"unix:{folder}/qmp,server=on,wait=off"),
        *("-device", "virtio-serial-pci", "-chardev", f"socket,id=ga0,path={folder}/agent,server=on,wait=off"),
        *("-device", "virtserialport,chardev=ga0,name=org.qemu.guest_agent.0"),
    )
    (folder / "serial.log").touch()
    started = time.monotonic()
    with running(*words, *extra, log=folder / "qemu.log") as process:
        yield Machine(space, folder, process, started)
