"""Speaking with a guest's system through its agent, past all networks."""

import base64
import json
import subprocess
import time
from typing import Any

from nephele.lab import LabHost


class Inside:
    """A guest's system.

    Args:
        host: where it runs.
        domain: what the hypervisor calls it.
    """

    def __init__(self, host: LabHost, domain: str) -> None:
        self.host, self.domain = host, domain

    def run(self, script: str, within: float = 60) -> str:
        """What a shell script printed; it has to end well."""
        deadline = time.monotonic() + within
        self._wait_for_agent(deadline)
        ask = {"path": "/bin/sh", "arg": ["-c", script], "capture-output": True}
        pid = self._ask("guest-exec", **ask)["pid"]
        while not (status := self._ask("guest-exec-status", pid=pid))["exited"]:
            assert time.monotonic() < deadline, f"{script!r} still runs"
            time.sleep(0.1)
        words = {name: base64.b64decode(status.get(name, "")).decode() for name in ("out-data", "err-data")}
        assert status.get("exitcode") == 0, (script, words)
        return words["out-data"]

    def tell(self, script: str) -> None:
        """Begin a script that may end the agent too."""
        self._wait_for_agent(time.monotonic() + 60)
        self._ask("guest-exec", path="/bin/sh", arg=["-c", script])

    def _wait_for_agent(self, deadline: float) -> None:
        while True:
            try:
                self._ask("guest-ping")
            except subprocess.CalledProcessError:
                assert time.monotonic() < deadline, "the agent does not answer"
                time.sleep(0.3)
            else:
                return

    def _ask(self, command: str, **arguments: Any) -> Any:
        question = json.dumps({"execute": command, "arguments": arguments})
        words = ["virsh", "-q", "-c", self.host.uri, "qemu-agent-command", "--timeout", "5", self.domain, question]
        done = subprocess.run(words, check=True, capture_output=True, text=True, timeout=30)
        return json.loads(done.stdout)["return"]
