"""Random commands from several clients on a simulated cloud that fails and dies now and then.

`python -m tests.soak.soak --seconds 3600` from the project's root prints what was done and seen.
"""

import argparse
import json
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import yaml
from msgspec import Struct, field
from tests.running import RunningCloud, start_cloud, stop_cloud
from tests.soak.history import is_legal, record, recorded

SETTINGS = """
[quotas]
instances = 1000
cores = 10000
ram = 10000000
[sim_host]
vcpus = 64
memory_mb = 262144
[sim_host.delays]
shutdown = 0.05
[sim_host.faults]
spawn = 0.02
start = 0.02
stop = 0.02
reboot = 0.02
pause = 0.02
unpause = 0.02
suspend = 0.02
resume = 0.02
destroy = 0.02
attach_disk = 0.02
detach_disk = 0.02
attach_nic = 0.02
detach_nic = 0.02
"""
ACTIONS: dict[str, Any] = {
    "os-start": None,
    "os-stop": None,
    "pause": None,
    "unpause": None,
    "suspend": None,
    "resume": None,
    "unrescue": None,
    "rescue": {},
    "confirmResize": None,
    "revertResize": None,
    "shelve": None,
    "unshelve": None,
    "lock": None,
    "unlock": None,
    "trigger_crash_dump": None,
}
"""Actions that need nothing but their name."""
FINE = {200, 201, 202, 204, 400, 403, 404, 409}
"""Answers that are no fault of the cloud."""
INTENDED = ("a simulated fault", "was not answered within")
"""What waits for a host's answer tells of the faults that the soak makes."""


class Report(Struct, kw_only=True):
    """What a soak did and saw."""

    seconds: float
    sent: dict[str, int] = field(default_factory=dict)
    answers: dict[int, int] = field(default_factory=dict)
    bad: list[str] = field(default_factory=list)
    kills: int = 0
    stuck: list[str] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)
    illegal: dict[str, int] = field(default_factory=dict)
    changes: int = 0
    memory_mb: list[float] = field(default_factory=list)

    @property
    def grows(self) -> float:
        """How much more memory the last quarter needed than the second, once all was warm; 1 is flat."""
        quarter = len(self.memory_mb) // 4
        if not quarter:
            return 1.0
        warm, last = self.memory_mb[quarter : 2 * quarter], self.memory_mb[-quarter:]
        return (sum(last) / len(last)) / (sum(warm) / len(warm))


class Client:
    """A user who does whatever comes to mind."""

    def __init__(self, soak: "Soak", seed: int) -> None:
        self.soak, self.dice = soak, random.Random(seed)

    def run(self) -> None:
        while not self.soak.over.is_set():
            try:
                self.act()
            except httpx.TransportError:
                time.sleep(0.1)  # the cloud is dead for a moment

    def act(self) -> None:
        """One command on one server, or a launch where there is room for one."""
        servers = self.soak.servers()
        if len(servers) < self.soak.most and self.dice.random() < 0.3:
            self.soak.launch()
            return
        if not servers:
            return
        server_id = self.dice.choice(servers)
        doing = self.dice.random()
        if doing < 0.04:
            self.soak.send("delete", "DELETE", f"/servers/{server_id}")
        elif doing < 0.14:
            self.soak.plug(server_id, self.dice)
        elif doing < 0.3:
            name, body = self.dice.choice(self.soak.richer)
            self.soak.send(name, "POST", f"/servers/{server_id}/action", {name: body})
        else:
            name = self.dice.choice(list(ACTIONS))
            self.soak.send(name, "POST", f"/servers/{server_id}/action", {name: ACTIONS[name]})


class Soak:
    """One cloud, its clients, and what watches them."""

    def __init__(
        self,
        folder: Path,
        *,
        seconds: float,
        clients: int,
        most: int,
        seed: int,
        kill_every: float,
        program: tuple[str, ...],
    ) -> None:
        self.folder, self.seconds, self.most, self.kill_every = folder, seconds, most, kill_every
        self.program = program
        self.report = Report(seconds=seconds)
        self.over = threading.Event()
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._answers: Counter[int] = Counter()
        (folder / "soak.toml").write_text(SETTINGS)
        self.cloud = self._start(0)
        record(self.cloud.state_dir / "nephele.db")
        self.http = httpx.Client(timeout=30, limits=httpx.Limits(max_connections=clients + 2))
        self._sign_in()
        self._find_things()
        self.clients = [Client(self, seed * 1000 + number) for number in range(clients)]

    def _start(self, port: int) -> RunningCloud:
        options = ("--hosts", "5", "--config", str(self.folder / "soak.toml"))
        return start_cloud(self.folder / "state", *options, port=port, program=self.program)

    def _sign_in(self) -> None:
        entry = yaml.safe_load(self.cloud.clouds_yaml.read_text())["clouds"]["nephele-admin"]["auth"]
        user = {"name": entry["username"], "password": entry["password"], "domain": {"name": "Default"}}
        scope = {"project": {"name": entry["project_name"], "domain": {"name": "Default"}}}
        body = {"auth": {"identity": {"methods": ["password"], "password": {"user": user}}, "scope": scope}}
        answer = self.http.post(f"{self.cloud.url}/identity/v3/auth/tokens", json=body)
        self.http.headers["X-Auth-Token"] = answer.headers["X-Subject-Token"]
        self.http.headers["OpenStack-API-Version"] = "compute 2.90"

    def _find_things(self) -> None:
        url = self.cloud.url
        images = self.http.get(f"{url}/image/v2/images").json()["images"]
        self.image = images[0]["id"]
        flavors = {flavor["name"]: flavor["id"] for flavor in self.get("/flavors")["flavors"]}
        self.flavor = flavors["m1.nano"]
        networks = self.http.post(f"{url}/network/v2.0/networks", json={"network": {"name": "soak"}}).json()["network"]
        self.network = networks["id"]
        subnet = {"subnet": {"network_id": self.network, "ip_version": 4, "cidr": "10.77.0.0/20"}}
        self.http.post(f"{url}/network/v2.0/subnets", json=subnet).raise_for_status()
        self.richer: list[tuple[str, Any]] = [
            ("reboot", {"type": "SOFT"}),
            ("reboot", {"type": "HARD"}),
            ("rebuild", {"imageRef": self.image}),
            ("resize", {"flavorRef": flavors["m1.tiny"]}),
            ("resize", {"flavorRef": flavors["m1.nano"]}),
            ("createImage", {"name": "soaked"}),
            ("createBackup", {"name": "kept", "backup_type": "daily", "rotation": 1}),
            ("migrate", None),
            ("os-migrateLive", {"host": None, "block_migration": "auto"}),
        ]

    # -- what clients use --------------------------------------------------------------------------------------

    def get(self, path: str) -> Any:
        return self.http.get(f"{self.cloud.url}/compute/v2.1{path}").json()

    def send(self, name: str, method: str, path: str, body: Any = None) -> httpx.Response:
        answer = self.http.request(method, f"{self.cloud.url}/compute/v2.1{path}", json=body)
        with self._lock:
            self._counts[name] += 1
            self._answers[answer.status_code] += 1
            if answer.status_code not in FINE and not any(told in answer.text for told in INTENDED):
                self.report.bad.append(f"{method} {path} {name}: {answer.status_code} {answer.text[:200]}")
        return answer

    def servers(self) -> list[str]:
        return [server["id"] for server in self.get("/servers").get("servers", [])]

    def launch(self) -> None:
        server = {
            "name": "soaked",
            "imageRef": self.image,
            "flavorRef": self.flavor,
            "networks": [{"uuid": self.network}],
        }
        self.send("create", "POST", "/servers", {"server": server})

    def plug(self, server_id: str, dice: random.Random) -> None:
        """Plug an interface in, or out."""
        path = f"/servers/{server_id}/os-interface"
        found = self.get(path).get("interfaceAttachments", [])
        if len(found) < 3 and dice.random() < 0.5:
            self.send("attach_interface", "POST", path, {"interfaceAttachment": {"net_id": self.network}})
        elif found:
            self.send("detach_interface", "DELETE", f"{path}/{dice.choice(found)['port_id']}")

    # -- the soak ----------------------------------------------------------------------------------------------

    def run(self) -> Report:
        """Let them loose, then look whether all ends well."""
        begun = time.monotonic()
        threads = [threading.Thread(target=client.run) for client in self.clients]
        for thread in threads:
            thread.start()
        kill_at = begun + self.kill_every
        while (now := time.monotonic()) < begun + self.seconds:
            if now >= kill_at and now < begun + self.seconds / 2:
                self._kill_and_start()
                kill_at = time.monotonic() + self.kill_every
            time.sleep(min(1.0, self.seconds / 60))
            self.report.memory_mb.append(_memory_mb(self.cloud.process.pid))
        self.over.set()
        for thread in threads:
            thread.join()
        self._look()
        stop_cloud(self.cloud)
        return self.report

    def _kill_and_start(self) -> None:
        port = int(self.cloud.url.rsplit(":", 1)[1])
        self.cloud.process.kill()
        self.cloud.process.wait()
        self.cloud = self._start(port)
        self.report.kills += 1
        self.report.memory_mb.clear()

    def _look(self) -> None:
        report = self.report
        report.sent, report.answers = dict(self._counts), dict(self._answers)
        report.stuck = self._wait(
            lambda server: server["OS-EXT-STS:task_state"] is not None or server["status"] == "BUILD"
        )
        for server in self.get("/servers/detail")["servers"]:
            self.http.delete(f"{self.cloud.url}/compute/v2.1/servers/{server['id']}")
        report.stuck += self._wait(lambda _: True)
        url = f"{self.cloud.url}/nephele/v1/doctor"
        deadline = time.monotonic() + 75  # hosts look around every 30 s
        while (findings := self.http.get(url).json()["findings"]) and time.monotonic() < deadline:
            time.sleep(0.5)
        report.findings = [json.dumps(finding) for finding in findings]
        changes = recorded(self.cloud.state_dir / "nephele.db")
        report.changes = changes.total()
        report.illegal = {" ".join(map(repr, change)): n for change, n in changes.items() if not is_legal(change)}

    def _wait(self, busy: Callable[[dict[str, Any]], bool], seconds: float = 90) -> list[str]:
        """The servers that are still busy when the time is over."""
        deadline = time.monotonic() + seconds
        while True:
            found = [server for server in self.get("/servers/detail")["servers"] if busy(server)]
            if not found or time.monotonic() > deadline:
                return [f"{each['id']} {each['status']} {each['OS-EXT-STS:task_state']}" for each in found]
            time.sleep(0.1)


def _memory_mb(pid: int) -> float:
    """The memory of a process that is its own, in MB."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    return 0.0


def soak(
    folder: Path, *, seconds: float, kills: int = 3, seed: int = 1, program: tuple[str, ...] = ("-m", "nephele")
) -> Report:
    """Run one, with eight clients on fifty servers."""
    every = seconds / 2 / (kills + 1) if kills else seconds
    return Soak(folder, seconds=seconds, clients=8, most=50, seed=seed, kill_every=every, program=program).run()


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kills", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="nephele-soak-") as folder:
        report = soak(Path(folder), seconds=options.seconds, seed=options.seed, kills=options.kills)
    shown = {name: getattr(report, name) for name in report.__struct_fields__ if name != "memory_mb"}
    memory = report.memory_mb or [0.0]
    grown = f"memory: {memory[0]:.0f} MB to {memory[-1]:.0f} MB, last quarter {report.grows:.2f} x the second"
    sys.stdout.write(f"{json.dumps(shown, indent=2)}\n{grown}\n")
    return bool(report.bad or report.stuck or report.findings or report.illegal)


if __name__ == "__main__":
    sys.exit(main())
