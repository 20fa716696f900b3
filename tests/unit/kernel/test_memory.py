"""What was needed for a moment is given back."""

import subprocess
import sys

HASH_IN_THREADS = """
import resource, sys, threading
from nephele.identity.passwords import Passwords
from nephele.kernel.memory import give_memory_back

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize() >> 20

if sys.argv[1] == "give back":
    give_memory_back()
passwords = Passwords(memory_kib=20480, passes=1)
passwords.hash("first")
before = resident()
for _ in range(3):
    threads = [threading.Thread(target=passwords.hash, args=("secret",)) for _ in range(4)]
    for each in threads: each.start()
    for each in threads: each.join()
print(resident() - before)
"""


def test_hashing_leaves_no_memory_behind() -> None:
    run = [sys.executable, "-c", HASH_IN_THREADS, "give back"]
    grown = int(subprocess.run(run, check=True, capture_output=True, text=True, timeout=60).stdout)
    assert grown < 8, f"{grown} MiB more than before"
