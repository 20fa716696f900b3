"""What the extra specs that Nova knows may hold (microversion 2.86): a table of patterns.

Keys that the table does not know are an operator's own and hold anything; but who asks for a resource class or a
trait that does not exist has mistyped it.  After https://docs.openstack.org/nova/latest/configuration/extra-specs.html.
"""

import re

import os_resource_classes as rc
import os_traits

from nephele.kernel.errors import Error

BAD_SPEC = Error(
    "flavor.bad_extra_spec", 400, "Validation failed; extra spec '{key}' does not accept '{value}': {accepted}."
)
BOOLEAN = (r"(?i)1|t|true|on|y|yes|0|f|false|off|n|no", "it takes true or false")
POSITIVE = (r"[1-9][0-9]*", "it takes a whole number of 1 or more")
NATURAL = (r"[0-9]+", "it takes a whole number")
CPU_SET = (r"\^?[0-9]+(-[0-9]+)?(,\^?[0-9]+(-[0-9]+)?)*", "it takes numbers and ranges, as in 0-3,^1")


def _one_of(*words: str) -> tuple[str, str]:
    return "|".join(words), f"it takes one of {', '.join(words)}"


# fmt: off
SPECS: tuple[tuple[str, tuple[str, str]], ...] = (
    (r"resources\w*:.+",                                   NATURAL),
    (r"trait\w*:.+",                                       _one_of("required", "forbidden")),
    (r"group_policy",                                      _one_of("isolate", "none")),
    (r"hw:cpu_policy",                                     _one_of("dedicated", "shared", "mixed")),
    (r"hw:cpu_thread_policy",                              _one_of("prefer", "isolate", "require")),
    (r"hw:emulator_threads_policy",                        _one_of("isolate", "share")),
    (r"hw:(cpu|cpu_max)_(sockets|cores|threads)",          POSITIVE),
    (r"hw:numa_nodes",                                     POSITIVE),
    (r"hw:numa_cpus\.[0-9]+",                              CPU_SET),
    (r"hw:numa_mem\.[0-9]+",                               POSITIVE),
    (r"hw:cpu_dedicated_mask",                             CPU_SET),
    (r"hw:(cpu_realtime|boot_menu|mem_encryption|pmu|vif_multiqueue_enabled)", BOOLEAN),
    (r"hw:watchdog_action",                                _one_of("none", "pause", "poweroff", "reset", "disabled")),
    (r"hw:mem_page_size",  (r"(?i)large|small|any|[0-9]+([kmgt]i?b)?", "it takes large, small, any or a size")),
    (r"hw_rng:allowed",                                    BOOLEAN),
    (r"hw_rng:rate_(bytes|period)",                        NATURAL),
    (r"hw_video:ram_max_mb",                               NATURAL),
    (r"hide_hypervisor_id",                                BOOLEAN),
    (r"quota:cpu_(shares|period|quota)",                   (r"-?[0-9]+", "it takes a whole number")),
    (r"quota:disk_(read|write|total)_(bytes|iops)_sec(_max)?(_length)?", NATURAL),
    (r"quota:(vif|memory)_\w+",                            (r"\S+", "it takes a value")),
)
# fmt: on
"""(what keys match, (what their values match, how that is said))."""

_SPECS = tuple((re.compile(keys), re.compile(values), said) for keys, (values, said) in SPECS)
_CUSTOM = re.compile(r"CUSTOM_[A-Z0-9_]+")


def check_specs(specs: dict[str, str]) -> None:
    """Raise BAD_SPEC for the first that cannot be meant."""
    for key, value in specs.items():
        _check_name(key, value)
        for keys, values, said in _SPECS:
            if keys.fullmatch(key) and not values.fullmatch(value):
                raise BAD_SPEC(key=key, value=value, accepted=said)


def _check_name(key: str, value: str) -> None:
    kind, colon, name = key.partition(":")
    if not colon or _CUSTOM.fullmatch(name):
        return
    if re.fullmatch(r"resources\w*", kind) and name not in rc.STANDARDS:
        raise BAD_SPEC(key=key, value=value, accepted=f"there is no resource class {name}")
    if re.fullmatch(r"trait\w*", kind) and name not in os_traits.get_traits():
        raise BAD_SPEC(key=key, value=value, accepted=f"there is no trait {name}")
