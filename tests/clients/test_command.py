"""The installed `openstack` script itself, once; the other tests fork it from a process that has imported it."""

import json
import subprocess
import sys
from pathlib import Path

from tests.clients.command import openstack
from tests.running import RunningCloud


def test_the_installed_script_and_the_forked_command_say_the_same(cloud: RunningCloud) -> None:
    words = ["network", "list", "-f", "json"]
    environment = cloud.environment("nephele")
    script = Path(sys.executable).parent / "openstack"
    real = subprocess.run([script, *words], env=environment, capture_output=True, text=True, timeout=120, check=True)
    forked = openstack(words, environment)
    assert (forked.status, forked.errors) == (0, "")
    assert json.loads(forked.output) == json.loads(real.stdout)
    assert {network["Name"] for network in json.loads(real.stdout)} >= {"private", "public"}


def test_a_refused_command_says_why_and_fails(cloud: RunningCloud) -> None:
    done = openstack(["network", "show", "no-such-network"], cloud.environment("nephele"))
    assert done.status == 1
    assert "No Network found for no-such-network" in done.errors
