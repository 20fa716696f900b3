"""What a hypervisor host has, as libvirt tells it."""

import os
from pathlib import Path
from typing import Any

from nephele.compute.virt.driver import HostInventory
from nephele.compute.virt.libvirt.xml import Element, parse

GIB = 1 << 30
TRAITS = (
    "COMPUTE_DEVICE_TAGGING",
    "COMPUTE_IMAGE_TYPE_QCOW2",
    "COMPUTE_IMAGE_TYPE_RAW",
    "COMPUTE_NET_ATTACH_INTERFACE",
    "COMPUTE_NET_ATTACH_INTERFACE_WITH_TAG",
    "COMPUTE_NET_VIF_MODEL_E1000",
    "COMPUTE_NET_VIF_MODEL_E1000E",
    "COMPUTE_NET_VIF_MODEL_NE2K_PCI",
    "COMPUTE_NET_VIF_MODEL_PCNET",
    "COMPUTE_NET_VIF_MODEL_RTL8139",
    "COMPUTE_NET_VIF_MODEL_VIRTIO",
    "COMPUTE_NET_VIF_MODEL_VMXNET3",
    "COMPUTE_NODE",
    "COMPUTE_RESCUE_BFV",
    "COMPUTE_STORAGE_BUS_IDE",
    "COMPUTE_STORAGE_BUS_SATA",
    "COMPUTE_STORAGE_BUS_SCSI",
    "COMPUTE_STORAGE_BUS_USB",
    "COMPUTE_STORAGE_BUS_VIRTIO",
    "COMPUTE_VOLUME_ATTACH_WITH_TAG",
)
_QEMU64 = ("sse", "sse2", "sse3")
"""What QEMU's own processor model has of the features that have traits."""
_FEATURE_TRAITS = {
    name: f"HW_CPU_X86_{trait}"
    for name, trait in {
        "aes": "AESNI",
        "avx": "AVX",
        "avx2": "AVX2",
        "avx512f": "AVX512F",
        "bmi1": "BMI",
        "bmi2": "BMI2",
        "f16c": "F16C",
        "fma": "FMA3",
        "mmx": "MMX",
        "pclmuldq": "CLMUL",
        "sha-ni": "SHA",
        "sse": "SSE",
        "sse2": "SSE2",
        "sse3": "SSE3",
        "pni": "SSE3",
        "sse4.1": "SSE41",
        "sse4.2": "SSE42",
        "ssse3": "SSSE3",
        "svm": "SVM",
        "vmx": "VMX",
    }.items()
}


class Capabilities:
    """libvirt's capabilities document (formatcaps)."""

    def __init__(self, text: str) -> None:
        self._root = parse(text)

    @property
    def arch(self) -> str:
        """The host's processor architecture: `x86_64`."""
        return self._root.findtext("host/cpu/arch") or ""

    @property
    def emulator(self) -> str:
        """The QEMU program for the host's own architecture."""
        return self._root.findtext(f"guest/arch[@name='{self.arch}']/emulator") or "qemu-system-x86_64"

    @property
    def qemu_owner(self) -> int:
        """The user id that guests run as; -1 where libvirt does not say."""
        for label in self._root.iterfind("host/secmodel[model='dac']/baselabel"):
            user = (label.text or "").removeprefix("+").partition(":")[0]
            if user.isdecimal():
                return int(user)
        return -1

    def cpu(self) -> tuple[str, str, tuple[str, ...]]:
        """Model, vendor and features of the host's processor."""
        cpu = self._root.find("host/cpu")
        if cpu is None:
            return "", "", ()
        features = tuple(sorted(str(feature.get("name")) for feature in cpu.iterfind("feature")))
        return cpu.findtext("model") or "", cpu.findtext("vendor") or "", features

    def supported(self, virt_type: str) -> tuple[tuple[str, str, str], ...]:
        """What guests can run: (architecture, hypervisor type, VM mode)."""
        return tuple(
            (str(arch.get("name")), domain, guest.findtext("os_type") or "hvm")
            for guest in self._root.iterfind("guest")
            for arch in guest.iterfind("arch")
            for domain in dict.fromkeys(("qemu", virt_type))
            if _runs(arch, domain)
        )


def take_inventory(connection: Any, capabilities: Capabilities, virt_type: str, instances_dir: Path) -> HostInventory:
    """What the host has; `connection` is a libvirt.virConnect, whose errors pass through."""
    memory_kib = connection.getMemoryStats(-1)["total"]  # getInfo's figure lacks what was plugged in since boot
    model, vendor, features = capabilities.cpu()
    disk = os.statvfs(instances_dir)
    offered = features if virt_type == "kvm" else _QEMU64
    cpu_traits = {_FEATURE_TRAITS[name] for name in offered if name in _FEATURE_TRAITS}
    return HostInventory(
        hypervisor_type=connection.getType(),
        hypervisor_version=connection.getVersion(),
        vcpus=connection.getInfo()[2],
        memory_mb=memory_kib // 1024,
        disk_gb=disk.f_blocks * disk.f_frsize // GIB,
        cpu_arch=capabilities.arch,
        cpu_model=model,
        cpu_vendor=vendor,
        cpu_features=features,
        traits=(*TRAITS, *sorted(cpu_traits)),
        supported=capabilities.supported(virt_type),
        virt_type=virt_type,
    )


def _runs(arch: Element, domain: str) -> bool:
    return any(offered.get("type") == domain for offered in arch.iterfind("domain"))
