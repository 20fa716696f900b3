"""From a flavor to what Placement is asked for."""

from nephele.compute.scheduler.messages import SelectHost
from nephele.compute.scheduler.model import SelectRequest


def read_request(asked: SelectHost) -> SelectRequest:
    """The resources and traits that a request means.

    Local disk is root, ephemeral and swap together.  `resources:CLASS=N` and `trait:NAME=required|forbidden` of
    the flavor come on top, and override its figures; so do `trait:NAME=required` of the image.
    """
    flavor = asked.flavor
    swap_gb = -(-flavor.swap_mb // 1024)
    root_gb = 0 if asked.volume_backed else flavor.root_gb
    amounts = {
        "VCPU": flavor.vcpus,
        "MEMORY_MB": flavor.memory_mb,
        "DISK_GB": root_gb + flavor.ephemeral_gb + swap_gb,
    }
    required, forbidden = set(), set()
    for key, value in flavor.extra_specs.items():
        kind, _, name = key.partition(":")
        if kind == "resources" and value.isdigit():
            amounts[name] = int(value)
        elif kind == "trait" and value == "required":
            required.add(name)
        elif kind == "trait" and value == "forbidden":
            forbidden.add(name)
    for key, value in asked.image_properties.items():
        if key.startswith("trait:") and value == "required":
            required.add(key.removeprefix("trait:"))
    return SelectRequest(
        asked=asked,
        resources={name: amount for name, amount in amounts.items() if amount},
        required_traits=frozenset(required),
        forbidden_traits=frozenset(forbidden),
    )
