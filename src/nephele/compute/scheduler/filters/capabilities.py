"""What a host's hypervisor can do."""

from collections.abc import Mapping

from nephele.compute.scheduler.decision import Refusal
from nephele.compute.scheduler.filters.matching import matches
from nephele.compute.scheduler.model import HostState, SelectRequest, Settings, Test

_OF_HOST = frozenset(("host", "hypervisor_hostname", "hypervisor_type", "hypervisor_version", "num_instances"))
_VERSIONS = {
    "<": lambda have, want: have < want,
    "<=": lambda have, want: have <= want,
    ">": lambda have, want: have > want,
    ">=": lambda have, want: have >= want,
    "==": lambda have, want: have == want,
    "!=": lambda have, want: have != want,
}


def compute_capabilities(request: SelectRequest, _settings: Settings) -> Test | None:
    """ComputeCapabilitiesFilter: each `capabilities:NAME` extra spec matches what the host says of itself."""
    wanted = {}
    for key, value in request.asked.flavor.extra_specs.items():
        scope, _, name = key.partition(":")
        if scope == "capabilities" and name:
            wanted[name] = value
    if not wanted:
        return None

    def unmet(state: HostState) -> str:
        for name, value in wanted.items():
            found = _capability(state, name)
            if found is None or not matches(found, value):
                return f"{name} is {found}, wanted {value}"
        return ""

    return Test(
        lambda state: not unmet(state),
        lambda state: Refusal(reason="without the capabilities asked for", detail=unmet(state)),
    )


def _capability(state: HostState, name: str) -> str | None:
    if name in _OF_HOST:
        return str(getattr(state, name))
    if name in state.capabilities:
        return state.capabilities[name]
    return {"free_ram_mb": str(state.free_memory_mb), "vcpus_free": str(state.free_vcpus)}.get(name)


def image_properties(request: SelectRequest, _settings: Settings) -> Test | None:
    """ImagePropertiesFilter: hw_architecture, img_hv_type, hw_vm_mode and img_hv_requested_version of the image."""
    asked: Mapping[str, str] = request.asked.image_properties
    arch = _arch(asked.get("hw_architecture", ""))
    kind = asked.get("img_hv_type", "").lower()
    mode = asked.get("hw_vm_mode", "").lower()
    version = asked.get("img_hv_requested_version", "")
    if not (arch or kind or mode or version):
        return None

    def runs(state: HostState) -> bool:
        return any(
            (not arch or arch == _arch(has_arch))
            and (not kind or kind == has_kind.lower())
            and (not mode or mode == has_mode.lower())
            for has_arch, has_kind, has_mode in state.supported
        )

    wanted = ", ".join(word for word in (arch, kind, mode, version) if word)
    return Test(
        lambda state: runs(state) and _version_fits(state.hypervisor_version, version),
        lambda state: Refusal(
            reason="unable to run the image",
            detail=f"wanted {wanted}, runs {'; '.join(' '.join(line) for line in state.supported) or 'nothing'}",
        ),
    )


def _arch(name: str) -> str:
    """One name for each architecture."""
    name = name.lower()
    return {"amd64": "x86_64", "x86-64": "x86_64", "arm64": "aarch64", "i386": "i686", "x86": "i686"}.get(name, name)


def _version_fits(version: int, wanted: str) -> bool:
    """Whether 7002000 fits `>=6.0, <8.0`."""
    have = (version // 1_000_000, version // 1000 % 1000, version % 1000)
    for condition in filter(None, (part.strip() for part in wanted.split(","))):
        sign = condition.rstrip("0123456789. ")
        numbers = [int(part) for part in condition[len(sign) :].strip().split(".") if part.isdigit()]
        compare = _VERSIONS.get(sign.strip() or "==")
        if compare is None or not compare(have, tuple([*numbers, 0, 0, 0][:3])):
            return False
    return True


def pci_passthrough(request: SelectRequest, _settings: Settings) -> Test | None:
    """PciPassthroughFilter: hosts here pass no PCI devices through, and the refusal says so."""
    alias = request.asked.flavor.extra_specs.get("pci_passthrough:alias", "")
    if not alias:
        return None
    return Test(
        lambda _state: False,
        lambda _state: Refusal(reason="without PCI passthrough, which this cloud does not support", detail=alias),
    )
