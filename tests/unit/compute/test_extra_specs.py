"""What flavors' extra specs may hold."""

import pytest

from nephele.compute.extra_specs import check_specs
from nephele.kernel.errors import Refused


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("hw:cpu_policy", "dedicated"),
        ("hw:numa_cpus.1", "0-3,^1"),
        ("hw:mem_page_size", "2MB"),
        ("resources:VCPU", "0"),
        ("resources1:CUSTOM_GOLD", "2"),
        ("trait:HW_CPU_X86_AVX2", "required"),
        ("trait_GPU:CUSTOM_FAST", "forbidden"),
        ("quota:disk_read_iops_sec", "100"),
        ("my:own", "anything"),
        ("plain", ""),
    ],
)
def test_what_is_meant_passes(key: str, value: str) -> None:
    check_specs({key: value})


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("hw:cpu_policy", "sharrred"),
        ("hw:numa_nodes", "0"),
        ("hw:numa_nodes", "foo"),
        ("hw:cpu_realtime", "maybe"),
        ("resources:VCPU", "many"),
        ("resources:VCPUS", "1"),
        ("trait:HW_CPU_X86_AVX2", "wanted"),
        ("trait:HW_CPU_Y86", "required"),
        ("group_policy", "together"),
    ],
)
def test_what_cannot_be_meant_is_refused(key: str, value: str) -> None:
    with pytest.raises(Refused, match=key):
        check_specs({key: value})
