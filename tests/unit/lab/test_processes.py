"""A signal reaches only the process that was meant."""

import os
import signal
import subprocess
import sys
import time

from nephele.lab.processes import Process, end, is_alive, process

SLEEPER = "import signal, time\n{how}\nprint(flush=True)\ntime.sleep(60)"
STUBBORN = "signal.signal(signal.SIGTERM, signal.SIG_IGN)"


def start(how: str = "") -> subprocess.Popen[str]:
    child = subprocess.Popen([sys.executable, "-c", SLEEPER.format(how=how)], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    child.stdout.readline()
    child.stdout.close()
    return child


def found(child: subprocess.Popen[str]) -> Process:
    one = process(child.pid)
    assert one is not None
    return one


def test_a_willing_process_ends_by_sigterm() -> None:
    child = start()
    assert end([found(child)]) == []
    assert child.wait() == -signal.SIGTERM


def test_a_stubborn_process_is_killed_after_its_grace() -> None:
    child = start(STUBBORN)
    began = time.monotonic()
    assert end([found(child)], grace=0.1) == []
    assert 0.1 <= time.monotonic() - began < 2
    assert child.wait() == -signal.SIGKILL


def test_a_stranger_with_the_same_pid_is_spared() -> None:
    child = start()
    one = found(child)
    earlier = Process(one.pid, one.started - 1)
    assert not is_alive(earlier)
    assert end([earlier]) == []
    assert child.poll() is None
    child.kill()
    child.wait()


def test_a_zombie_counts_as_ended() -> None:
    child = start()
    one = found(child)
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert not is_alive(one)
    assert end([one]) == []
    child.wait()


def test_this_process_knows_itself() -> None:
    one = process(os.getpid())
    assert one is not None
    assert is_alive(one)
