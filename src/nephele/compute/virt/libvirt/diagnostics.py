"""What libvirt counts of a guest (virDomainGetVcpus, virDomainBlockStats, virDomainInterfaceStats)."""

from typing import Any

import libvirt

from nephele.compute.virt.driver import CpuCounts, Diagnostics, DiskCounts, NicCounts
from nephele.compute.virt.libvirt.xml import parse


def diagnose(domain: Any) -> Diagnostics:
    """The counters of a guest; those that libvirt has only of running ones are None.  libvirt's errors pass through."""
    _state, max_kib, used_kib, cpus, _time = domain.info()
    live = bool(domain.isActive())
    root = parse(domain.XMLDesc())
    memory = domain.memoryStats() if live else {}
    times = [int(vcpu[2]) for vcpu in domain.vcpus()[0]] if live else []
    return Diagnostics(
        cpus=tuple(CpuCounts(id=id, time_ns=times[id] if id < len(times) else None) for id in range(cpus)),
        disks=tuple(_disk(domain, target.get("dev", ""), live=live) for target in root.findall("devices/disk/target")),
        nics=tuple(_nic(domain, nic, live=live) for nic in root.findall("devices/interface")),
        memory_max_kib=max_kib,
        memory_used_kib=used_kib,
        memory={name: int(value) for name, value in memory.items()},
    )


def _disk(domain: Any, name: str, *, live: bool) -> DiskCounts:
    counts = _ask(lambda: domain.blockStats(name)) if live else None
    if counts is None:
        return DiskCounts(name=name)
    requests_in, bytes_in, requests_out, bytes_out, errors = counts
    return DiskCounts(
        name=name,
        read_requests=requests_in,
        read_bytes=bytes_in,
        write_requests=requests_out,
        write_bytes=bytes_out,
        errors=None if errors < 0 else errors,
    )


def _nic(domain: Any, nic: Any, *, live: bool) -> NicCounts:
    mac, target = nic.find("mac").get("address"), nic.find("target")
    tap = target.get("dev", "") if target is not None else ""
    counts = _ask(lambda: domain.interfaceStats(tap)) if live and tap else None
    if counts is None:
        return NicCounts(tap=tap, mac=mac)
    names = ("rx_octets", "rx_packets", "rx_errors", "rx_drop", "tx_octets", "tx_packets", "tx_errors", "tx_drop")
    return NicCounts(tap=tap, mac=mac, **dict(zip(names, counts, strict=True)))


def _ask(ask: Any) -> Any:
    """What libvirt counts; None where it can't, as for a CD without a disc or a device that is being unplugged."""
    try:
        return ask()
    except libvirt.libvirtError:
        return None
