"""Definitions of guests, as libvirt gets them.  Needs no libvirt."""

from pathlib import Path
from typing import Any

import pytest

from nephele.compute.virt.driver import (
    BlankDisk,
    Disk,
    DiskFormat,
    FileDisk,
    GuestSpec,
    ImageDisk,
    NbdDisk,
    Nic,
    RbdDisk,
)
from nephele.compute.virt.errors import SPEC_UNSUPPORTED
from nephele.compute.virt.libvirt.domain import domain_xml
from nephele.compute.virt.libvirt.layout import InstanceDir
from nephele.compute.virt.libvirt.xml import Element, parse
from nephele.kernel.errors import Refused

WHERE = InstanceDir(Path("/instances/one"), Path("/instances/one"))
ROOT = Disk(
    device_name="/dev/vda",
    source=ImageDisk(base="/images/b", base_format=DiskFormat.QCOW2, size_gb=1),
    boot_index=0,
)


def spec(**changes: Any) -> GuestSpec:
    fields: dict[str, Any] = {
        "server_id": "11111111-2222-4333-8444-555555555555",
        "name": "<web & co>",
        "domain_name": "instance-00000001",
        "project_id": "p",
        "user_id": "u",
        "flavor_name": "m1.nano",
        "vcpus": 2,
        "memory_mb": 64,
        "disks": (ROOT,),
        "nics": (),
    }
    return GuestSpec(**fields | changes)


def define(virt_type: str = "qemu", **changes: Any) -> Element:
    return parse(domain_xml(spec(**changes), WHERE, virt_type))


def look(root: Element, path: str, attribute: str) -> str | None:
    found = root.find(path)
    assert found is not None, path
    return found.get(attribute)


def test_names_and_marks() -> None:
    root = define()
    assert root.findtext("name") == "instance-00000001"
    assert root.findtext("uuid") == spec().server_id
    assert root.findtext("metadata/{urn:nephele:server:1}server/{urn:nephele:server:1}name") == "<web & co>"
    assert root.findtext("sysinfo/system/entry[@name='product']") == "OpenStack Nova"
    assert root.findtext("memory") == "64"


@pytest.mark.parametrize(("virt_type", "mode"), [("kvm", "host-model"), ("qemu", "custom")])
def test_processor_and_translation_cache(virt_type: str, mode: str) -> None:
    root = define(virt_type)
    assert root.get("type") == virt_type
    assert look(root, "cpu", "mode") == mode
    assert root.findtext("features/tcg/tb-cache") == ("32" if virt_type == "qemu" else None)


@pytest.mark.parametrize(
    ("properties", "path", "attribute", "value"),
    [
        ({}, "os/type", "machine", "pc"),
        ({"hw_machine_type": "q35"}, "os/type", "machine", "q35"),
        ({"hw_machine_type": "q35"}, "devices/disk[@device='cdrom']/target", "bus", "sata"),
        ({}, "devices/disk[@device='cdrom']/target", "bus", "ide"),
        ({"hw_cdrom_bus": "scsi"}, "devices/disk[@device='cdrom']/target", "dev", "sda"),
        ({"hw_disk_bus": "scsi"}, "devices/disk[@device='disk']/target", "bus", "scsi"),
        ({"hw_disk_bus": "scsi"}, "devices/controller[@type='scsi']", "model", "virtio-scsi"),
        ({"hw_disk_bus": "scsi", "hw_scsi_model": "lsilogic"}, "devices/controller[@type='scsi']", "model", "lsilogic"),
        ({}, "devices/interface/model", "type", "virtio"),
        ({"hw_vif_model": "e1000"}, "devices/interface/model", "type", "e1000"),
        ({"hw_vif_multiqueue_enabled": "true"}, "devices/interface/driver", "queues", "2"),
        ({"hw_video_model": "cirrus"}, "devices/video/model", "type", "cirrus"),
        ({"hw_pointer_model": "usbtablet"}, "devices/input", "bus", "usb"),
        ({"hw_firmware_type": "uefi"}, "os", "firmware", "efi"),
        ({"os_type": "windows"}, "clock", "offset", "localtime"),
        ({"hw_cpu_cores": "2"}, "cpu/topology", "cores", "2"),
        ({}, "cpu/topology", "sockets", "2"),
    ],
)
def test_image_properties_choose_hardware(properties: dict[str, str], path: str, attribute: str, value: str) -> None:
    nic = Nic(port_id="port", mac="fa:16:3e:00:00:01", bridge="br", tap="tap0", mtu=1450, model="")
    disk = Disk(device_name="/dev/vda", source=ROOT.source, bus="")
    root = define(image_properties=properties, nics=(nic,), disks=(disk,), config_drive={})
    assert look(root, path, attribute) == value


def test_a_disk_s_own_bus_counts_more_than_the_image_s() -> None:
    disk = Disk(device_name="/dev/sda", source=ROOT.source, bus="sata")
    root = define(image_properties={"hw_disk_bus": "scsi"}, disks=(disk,))
    assert look(root, "devices/disk/target", "bus") == "sata"


@pytest.mark.parametrize(
    "asked",
    [
        {"hw_disk_bus": "floppy"},
        {"hw_vif_model": "token-ring"},
        {"hw_cpu_policy": "dedicated"},
        {"hw_mem_page_size": "large"},
        {"hw_cpu_threads": "4"},
        {"hw_cpu_cores": "many"},
    ],
)
def test_what_can_not_be_given_is_refused(asked: dict[str, str]) -> None:
    with pytest.raises(Refused) as refusal:
        define(image_properties=asked)
    assert refusal.value.error is SPEC_UNSUPPORTED


def test_sources_of_disks() -> None:
    volume = "77777777-aaaa-4bbb-8ccc-dddddddddddd"
    sources = (
        ROOT.source,
        BlankDisk(size_mb=16),
        FileDisk(path="/volumes/v", format=DiskFormat.QCOW2),
        NbdDisk(host="127.0.0.1", port=10809, export="v", tls=True),
        RbdDisk(pool="vms", image="v", monitors=("10.0.0.1:6789", "[::1]:3300", "mon"), user="c", secret_uuid=volume),
    )
    disks = tuple(
        Disk(device_name=f"/dev/vd{letter}", source=source, volume_id=volume if letter == "c" else "")
        for letter, source in zip("abcde", sources, strict=True)
    )
    overlay, blank, file, nbd, rbd = define(disks=disks).findall("devices/disk")
    assert look(overlay, "source", "file") == "/instances/one/vda.qcow2"
    assert look(overlay, "driver", "type") == "qcow2"
    assert look(blank, "source", "file") == "/instances/one/vdb.raw"
    assert look(blank, "driver", "type") == "raw"
    assert look(file, "driver", "type") == "qcow2"
    assert file.findtext("serial") == volume[:20]
    assert look(file, "alias", "name") == f"ua-{volume}"
    assert (look(nbd, "source", "tls"), look(nbd, "source/host", "port")) == ("yes", "10809")
    assert look(rbd, "source", "name") == "vms/v"
    hosts = [(host.get("name"), host.get("port")) for host in rbd.iterfind("source/host")]
    assert hosts == [("10.0.0.1", "6789"), ("::1", "3300"), ("mon", None)]
    assert look(rbd, "source/auth/secret", "uuid") == volume


def test_a_nic_is_plugged_under_its_tap_name() -> None:
    nic = Nic(port_id="port", mac="fa:16:3e:00:00:01", bridge="br-1", tap="tap-1", mtu=1450)
    root = define(nics=(nic,))
    assert look(root, "devices/interface/mac", "address") == nic.mac
    assert look(root, "devices/interface/source", "bridge") == "br-1"
    assert look(root, "devices/interface/target", "dev") == "tap-1"
    assert look(root, "devices/interface/mtu", "size") == "1450"


def test_pci_express_machines_have_ports_to_plug_into() -> None:
    ports = define(image_properties={"hw_machine_type": "q35"}).findall("devices/controller[@model='pcie-root-port']")
    assert len(ports) == 8 + len(("disk", "channel", "input", "rng", "memballoon"))
    assert define().find("devices/controller[@model='pcie-root-port']") is None
