"""The definitions that a new cloud knows: the properties by which images and flavors speak to Nova and Glance.

Namespaces and prefixes are those that dashboards look for; the properties and their values are Nova's and Glance's
public words, as documented for `openstack flavor set --property` and `openstack image set --property`.
"""

from collections.abc import Iterator
from typing import Any

from nephele.image.metadefs.model import NewNamespace, Property, ResourceType

IMAGE, FLAVOR, VOLUME, AGGREGATE = "OS::Glance::Image", "OS::Nova::Flavor", "OS::Cinder::Volume", "OS::Nova::Aggregate"
_BOTH = ((IMAGE, "hw_"), (VOLUME, "hw_"), (FLAVOR, "hw:"))
_Words = tuple[str, ...]
_NUMBER, _TEXT, _TRUTH = "integer", "string", "boolean"

_TOPOLOGY = ("cpu_cores", "cpu_max_cores", "cpu_max_sockets", "cpu_max_threads", "cpu_sockets", "cpu_threads")

_STANDARD: tuple[tuple[str, tuple[tuple[str, str], ...], dict[str, str | _Words]], ...] = (
    #  namespace                              for, with prefix          property: its type, or its values
    ("OS::Compute::AggregateDiskFilter", ((AGGREGATE, ""),), {"disk_allocation_ratio": _TEXT}),
    ("OS::Compute::AggregateIoOpsFilter", ((AGGREGATE, ""),), {"max_io_ops_per_host": _NUMBER}),
    ("OS::Compute::AggregateNumInstancesFilter", ((AGGREGATE, ""),), {"max_instances_per_host": _NUMBER}),
    (
        "OS::Compute::CPUPinning",
        _BOTH,
        {
            "cpu_policy": ("shared", "dedicated", "mixed"),
            "cpu_thread_policy": ("prefer", "isolate", "require"),
            "emulator_threads_policy": ("share", "isolate"),
        },
    ),
    ("OS::Compute::GuestMemoryBacking", _BOTH, {"mem_page_size": _TEXT}),
    ("OS::Compute::GuestShutdownBehavior", ((IMAGE, ""),), {"os_shutdown_timeout": _NUMBER}),
    ("OS::Compute::Hypervisor", ((IMAGE, ""),), {"img_hv_type": ("kvm", "qemu"), "img_hv_requested_version": _TEXT}),
    ("OS::Compute::InstanceData", ((IMAGE, ""), (VOLUME, "")), {"img_config_drive": ("mandatory", "optional")}),
    (
        "OS::Compute::Libvirt",
        ((IMAGE, "hw_"), (FLAVOR, "hw:")),
        {"boot_menu": _TRUTH, "mem_encryption": _TRUTH, "serial_port_count": _NUMBER, "pmu": _TRUTH},
    ),
    (
        "OS::Compute::LibvirtImage",
        ((IMAGE, ""),),
        {
            "hw_cdrom_bus": ("virtio", "scsi", "ide", "sata", "usb"),
            "hw_disk_bus": ("virtio", "scsi", "ide", "sata", "usb"),
            "hw_firmware_type": ("bios", "uefi"),
            "hw_input_bus": ("usb", "virtio"),
            "hw_machine_type": _TEXT,
            "hw_pointer_model": ("usbtablet",),
            "hw_qemu_guest_agent": _TRUTH,
            "hw_rescue_bus": ("virtio", "scsi", "ide", "sata", "usb"),
            "hw_rescue_device": ("disk", "cdrom", "floppy"),
            "hw_rng_model": ("virtio",),
            "hw_scsi_model": ("virtio-scsi", "lsilogic"),
            "hw_video_model": ("vga", "cirrus", "vmvga", "xen", "qxl", "virtio", "gop", "none", "bochs"),
            "hw_video_ram": _NUMBER,
            "hw_vif_model": ("e1000", "e1000e", "ne2k_pci", "pcnet", "rtl8139", "virtio", "vmxnet3"),
            "hw_vif_multiqueue_enabled": _TRUTH,
            "os_command_line": _TEXT,
            "os_require_quiesce": _TRUTH,
            "os_secure_boot": ("required", "disabled", "optional"),
        },
    ),
    (
        "OS::Compute::Quota",
        ((FLAVOR, "quota:"),),
        {
            "cpu_period": _NUMBER,
            "cpu_quota": _NUMBER,
            "cpu_shares": _NUMBER,
            "disk_read_bytes_sec": _NUMBER,
            "disk_read_iops_sec": _NUMBER,
            "disk_total_bytes_sec": _NUMBER,
            "disk_total_iops_sec": _NUMBER,
            "disk_write_bytes_sec": _NUMBER,
            "disk_write_iops_sec": _NUMBER,
            "vif_inbound_average": _NUMBER,
            "vif_inbound_burst": _NUMBER,
            "vif_inbound_peak": _NUMBER,
            "vif_outbound_average": _NUMBER,
            "vif_outbound_burst": _NUMBER,
            "vif_outbound_peak": _NUMBER,
        },
    ),
    (
        "OS::Compute::RandomNumberGenerator",
        ((FLAVOR, "hw_rng:"),),
        {"allowed": _TRUTH, "rate_bytes": _NUMBER, "rate_period": _NUMBER},
    ),
    (
        "OS::Compute::VirtCPUTopology",
        _BOTH,
        dict.fromkeys(_TOPOLOGY, _NUMBER),
    ),
    ("OS::Compute::VTPM", _BOTH, {"tpm_model": ("tpm-tis", "tpm-crb"), "tpm_version": ("1.2", "2.0")}),
    ("OS::Compute::Watchdog", _BOTH, {"watchdog_action": ("disabled", "reset", "poweroff", "pause", "none")}),
    (
        "OS::Glance::CommonImageProperties",
        ((IMAGE, ""),),
        {
            "architecture": _TEXT,
            "description": _TEXT,
            "instance_uuid": _TEXT,
            "kernel_id": _TEXT,
            "os_admin_user": _TEXT,
            "os_distro": _TEXT,
            "os_version": _TEXT,
            "ramdisk_id": _TEXT,
        },
    ),
    (
        "OS::Glance::Signatures",
        ((IMAGE, ""),),
        {
            "img_signature": _TEXT,
            "img_signature_certificate_uuid": _TEXT,
            "img_signature_hash_method": ("SHA-224", "SHA-256", "SHA-384", "SHA-512"),
            "img_signature_key_type": ("DSA", "ECC_SECT571K1", "ECC_SECP521R1", "ECC_SECP384R1", "RSA-PSS"),
        },
    ),
    (
        "OS::OperatingSystem",
        ((IMAGE, ""), (VOLUME, "")),
        {"os_distro": _TEXT, "os_type": ("linux", "windows"), "os_version": _TEXT},
    ),
    ("OS::Cinder::Volumetype", ((IMAGE, "cinder_"),), {"img_volume_type": _TEXT}),
)


def standard() -> Iterator[NewNamespace]:
    """Every namespace that a new cloud knows, public and protected."""
    for namespace, types, properties in _STANDARD:
        yield NewNamespace(
            namespace=namespace,
            display_name=namespace.rpartition("::")[2],
            visibility="public",
            protected=True,
            resource_type_associations=[_association(*each) for each in types],
            properties={name: _property(name, what) for name, what in properties.items()},
        )


def _association(name: str, prefix: str) -> ResourceType:
    told: dict[str, Any] = {"prefix": prefix} if prefix else {}
    return ResourceType(name=name, **told, **({"properties_target": "image"} if name == VOLUME else {}))


def _property(name: str, what: str | _Words) -> Property:
    title = name.replace("_", " ").capitalize()
    if isinstance(what, tuple):
        return Property(type="string", title=title, enum=list(what))
    return Property(type=what, title=title)  # type: ignore[arg-type]
