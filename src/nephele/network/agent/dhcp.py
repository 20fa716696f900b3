"""Runs the DHCP servers: one dnsmasq for each network, in the network's namespace.

They outlive the agent: the next one finds them by their pid files and takes them over, unless the process is
another one by now or sits in a namespace that is gone.
"""

import os
import shutil
import signal
import socket
import subprocess
from pathlib import Path

from nephele.network.agent import names, netns
from nephele.network.agent.dnsmasq import DhcpService
from nephele.network.agent.errors import DHCP_NOT_STARTED
from nephele.network.agent.frames import release


class DhcpServers:
    """The DHCP servers of one host, with their files below `folder`."""

    def __init__(self, host_netns: str, folder: Path) -> None:
        self._host_netns = host_netns
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._user = user_who_reads(folder)

    def ensure(self, service: DhcpService) -> None:
        """Have the server run with what `service` says.  Raises DHCP_NOT_STARTED."""
        folder = self._folder / service.id
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o755)  # whatever the umask: the server may read its files as nobody
        with netns.entered(service.space):
            links = " ".join(f"{name}={socket.if_nametoindex(name)}" for name in service.links)
        # A server hears only the very links that it was started on: new ones need a new server.
        reconfigured = _write(folder / "conf", f"# on {links}\nuser={self._user}\n{service.conf}") | self._is_stuck(
            folder, service
        )
        changed = [_write(folder / "hosts", service.hosts), _write(folder / "options", service.options)]
        pid = self._running(folder, service.space)
        if pid and reconfigured:
            netns.end(pid)
            pid = 0
        if not pid:
            self._start(folder, service)
        elif any(changed):
            os.kill(pid, signal.SIGHUP)
        if any(changed) or not pid:
            self._take_back_leases(folder, service)

    def forget(self, ids: set[str]) -> None:
        """End all servers but these, where they didn't end with their namespaces, and remove their files."""
        if self._folder.exists():
            for folder in self._folder.iterdir():
                if folder.is_dir() and folder.name not in ids:
                    pid = _own_process(folder)
                    if pid:
                        netns.end(pid)
                    shutil.rmtree(folder, ignore_errors=True)

    def _is_stuck(self, folder: Path, service: DhcpService) -> bool:
        """Whether the server holds an IPv6 lease whose address is another port's, or nobody's, now.

        Only the client itself can give such a lease back, so it's struck out and the server starts anew.
        """
        try:
            before, leases = (folder / "hosts").read_text(), (folder / "leases").read_text()
        except FileNotFoundError:
            return False
        held = {line.split("[")[1].split("]")[0]: line.split(",")[0] for line in before.splitlines() if "[" in line}
        gone = {address for address, mac in held.items() if service.addresses.get(address) != mac}
        kept = [line for line in leases.splitlines() if not (len(line.split()) > 2 and line.split()[2] in gone)]
        if len(kept) == len(leases.splitlines()):
            return False
        self._end(folder, service.space)
        (folder / "leases").write_text("".join(line + "\n" for line in kept))
        return True

    def _end(self, folder: Path, space: str) -> None:
        pid = self._running(folder, space)
        if pid:
            netns.end(pid)

    def _take_back_leases(self, folder: Path, service: DhcpService) -> None:
        """Give stale leases back in their holders' names: else the next holder of the address would get none.

        The server hears only what comes in by its link, so the frame enters at that link's other end.
        """
        stale = _stale_leases(folder, service)
        if not stale or not service.server:
            return
        with netns.entered(self._host_netns), socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as packet:
            packet.bind((names.dhcp_veth(service.id), 0))
            for address, mac in stale:
                packet.send(release(address, mac, service.server, service.server_mac))

    def _running(self, folder: Path, space: str) -> int:
        """The server's process, 0 where there is none; one in another namespace is ended."""
        pid = _own_process(folder)
        if pid and netns.inode_of(pid) != netns.inode(space):
            netns.end(pid)
            return 0
        return pid

    def _start(self, folder: Path, service: DhcpService) -> None:
        for stray in netns.dnsmasqs(service.space):
            netns.end(stray)
        with netns.entered(service.space):
            done = subprocess.run(
                ["dnsmasq", f"--conf-file={folder}/conf"], capture_output=True, text=True, timeout=20, check=False
            )
        if done.returncode:
            raise DHCP_NOT_STARTED(reason=done.stderr.strip())


def user_who_reads(folder: Path) -> str:
    """As whom servers run: `nobody` where that one can come to its files, else `root` (a cloud in a closed folder)."""
    path = folder.absolute()
    return "nobody" if all(one.stat().st_mode & 0o001 for one in (path, *path.parents)) else "root"


def _own_process(folder: Path) -> int:
    """The process that the pid file names, if it is the server with these files; else 0."""
    try:
        pid = int((folder / "pid").read_text())
    except (FileNotFoundError, ValueError):
        return 0
    return pid if f"--conf-file={folder}/conf" in netns.words(pid) else 0


def _write(path: Path, text: str) -> bool:
    """Write the file where it doesn't say that already; whether it was written."""
    try:
        if path.read_text() == text:
            return False
    except FileNotFoundError:
        pass
    new = path.with_suffix(".new")
    new.write_text(text)
    new.chmod(0o644)  # the server reads them as nobody
    new.replace(path)
    return True


def _stale_leases(folder: Path, service: DhcpService) -> list[tuple[str, str]]:
    """(address, MAC) of leases whose address another port, or nobody, holds now."""
    try:
        leases = [line.split() for line in (folder / "leases").read_text().splitlines()]
    except FileNotFoundError:
        return []
    held = [(words[2], words[1]) for words in leases if len(words) >= 3 and "." in words[2]]
    return [(address, mac) for address, mac in held if service.addresses.get(address, "").lower() != mac.lower()]
