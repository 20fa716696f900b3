"""Hypervisor hosts on one machine, for the demo, the tests and test clusters.

A host here is a network namespace, a mount namespace and a UTS namespace with a libvirtd of its own: nothing in
the machine's own network or libvirt changes, and stopping a host leaves nothing behind.  Needs root and
the packages of `debian-packages.txt`.

    from nephele.lab import start_host

    with start_host("compute-1", Path("/tmp/compute-1")) as host:
        subprocess.run(["virsh", "-c", host.uri, "list"])
        subprocess.run(host.command("ip", "link"))

The same from a shell: `python -m nephele.lab start|stop|list|exec NAME`.
"""

from nephele.lab.host import LabHost, find_host, hosts, start_host

__all__ = ["LabHost", "find_host", "hosts", "start_host"]
