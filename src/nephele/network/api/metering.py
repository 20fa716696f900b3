"""Metering labels and their rules in the API, and (Nephele's own) what they have counted."""

from typing import Any

from nephele.network.api.kind import ID, NAME, STANDARD, Kind
from nephele.network.attributes import Attribute, boolean, cidr, maybe, one_of, text
from nephele.network.metering import (
    LABELS,
    METERING_RULES,
    counts_of,
    create_label,
    create_rule,
    delete_label,
    delete_rule,
)
from nephele.network.model import MeteringLabel, MeteringRule
from nephele.network.records import BLANK
from nephele.network.service import Networks
from nephele.web.call import Call

LABEL = Kind(
    "metering_label",
    "metering_labels",
    "metering/metering-labels",
    LABELS,
    (ID, NAME, *STANDARD, Attribute("shared", boolean, False)),
    lambda work, values: create_label(work, MeteringLabel(**BLANK | values)),
    delete=delete_label,
)

METERING_RULE = Kind(
    "metering_label_rule",
    "metering_label_rules",
    "metering/metering-label-rules",
    METERING_RULES,
    (
        ID,
        Attribute("project_id", text(255)),
        Attribute("tenant_id", field="project_id"),
        Attribute("metering_label_id", text(36)),
        Attribute("direction", one_of("ingress", "egress"), "ingress"),
        Attribute("excluded", boolean, False),
        Attribute("remote_ip_prefix", maybe(cidr), None),
        Attribute("source_ip_prefix", maybe(cidr), None),
        Attribute("destination_ip_prefix", maybe(cidr), None),
    ),
    lambda work, values: create_rule(work, MeteringRule(**BLANK | {"description": ""} | values)),
    delete=delete_rule,
)


def counts(service: Networks, call: Call) -> dict[str, Any]:
    """What the labels that the caller may see have counted."""
    with service.core.reading(call.context) as work:
        labels = [
            label
            for label in LABELS.where(work)
            if work.may("get_metering_label", {"project_id": label.project_id, "shared": label.shared})
        ]
        found = counts_of(work, [label.id for label in labels])
    return {
        "metering": [
            {"id": one.id, "name": one.name, "project_id": one.project_id, "packets": packets, "bytes": size}
            for one in labels
            for packets, size in [found.get(one.id, (0, 0))]
        ]
    }
