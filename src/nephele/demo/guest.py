"""What the guest says of itself, over ssh from its hypervisor host's network."""

import json
import subprocess
import time

from nephele.demo.errors import NO_LOGIN, WRONG_ANSWER
from nephele.demo.folder import Folder
from nephele.demo.launch import Launched
from nephele.lab import LabHost

LOGIN_SECONDS = 90.0
USER = "cirros"
_OPTIONS = ("StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "LogLevel=ERROR", "ConnectTimeout=3")
_FACTS = {
    "hostname": "hostname",
    "address": "ip -4 -o addr show dev eth0 | awk '{print $4}'",
    "kernel": "uname -r",
    "metadata service": "wget -q -O - http://169.254.169.254/openstack/latest/meta_data.json",
    "EC2 metadata": "wget -q -O - http://169.254.169.254/latest/meta-data/local-ipv4",
    "config drive": "cat /run/config-drive/meta_data.json",
    "user data": "cat /run/user-data-ran",
}
"""What is asked, and the command that answers it inside the guest."""
_WHEN_READY = "for try in $(seq 200); do [ -e /run/ready ] && break; usleep 100000; done"
_MARK = "\x1e"


class Guest:
    """The demo's guest at its external address."""

    def __init__(self, folder: Folder, host: LabHost, address: str) -> None:
        self.address = address
        words = ["ssh", "-i", str(folder.key), "-o", "BatchMode=yes"]
        words += [word for option in _OPTIONS for word in ("-o", option)]
        self.login = host.command(*words, f"{USER}@{address}")
        self.short_login = " ".join(host.command("ssh", "-i", str(folder.key), f"{USER}@{address}"))

    def wait_for_login(self) -> float:
        """Try until the guest lets us in; the answer is how many seconds that took."""
        began = time.monotonic()
        while True:
            answer = self._try("true")
            seconds = time.monotonic() - began
            if answer.returncode == 0:
                return seconds
            if seconds > LOGIN_SECONDS:
                raise NO_LOGIN(seconds=LOGIN_SECONDS, answer=answer.stderr.strip())
            time.sleep(0.1)

    def facts(self) -> dict[str, str]:
        """What the guest says once it has done all that it does at its start; empty where it has nothing to say."""
        answers = self._try(f"; printf '{_MARK}'; ".join([_WHEN_READY, *_FACTS.values()])).stdout.split(_MARK)[1:]
        return {title: answer.strip() for title, answer in zip(_FACTS, answers, strict=True)}

    def _try(self, command: str) -> subprocess.CompletedProcess[str]:
        words = [*self.login, command]
        return subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)


def check(facts: dict[str, str], launched: Launched, name: str) -> dict[str, str]:
    """Hold what the guest says against what the API said, and shorten it to what is worth printing."""
    shown = dict(facts)
    for source in ("metadata service", "config drive"):
        shown[source] = f"instance {json.loads(facts[source])['uuid']}" if facts[source] else ""
    wanted = {
        "hostname": name,
        "metadata service": f"instance {launched.id}",
        "config drive": f"instance {launched.id}",
        "EC2 metadata": launched.fixed_ip,
        "user data": "ran",
    }
    for what, value in wanted.items():
        if shown[what] != value:
            raise WRONG_ANSWER(what=what, got=shown[what], wanted=value)
    if shown["address"].partition("/")[0] != launched.fixed_ip:
        raise WRONG_ANSWER(what="address", got=shown["address"], wanted=launched.fixed_ip)
    return shown
