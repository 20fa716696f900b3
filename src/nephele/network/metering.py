"""Metering: what passes between a project's networks and the outside, counted by the hosts that run its routers."""

import sqlalchemy as sa

from nephele.network import errors, tables
from nephele.network.ipam import span
from nephele.network.model import MeteringLabel, MeteringRule
from nephele.network.records import ME, Records, born
from nephele.network.wiring import Metered
from nephele.network.work import Work

_labels, _rules, _counts = tables.metering_labels, tables.metering_rules, tables.metering_counts

LABELS: Records[MeteringLabel] = Records(
    _labels, MeteringLabel, errors.METERING_LABEL_NOT_FOUND, sa.or_(_labels.c.project_id == ME, _labels.c.shared)
)
METERING_RULES: Records[MeteringRule] = Records(_rules, MeteringRule, errors.METERING_RULE_NOT_FOUND)


def create_label(work: Work, draft: MeteringLabel) -> MeteringLabel:
    """Make a label: it counts for the routers of its project, or (shared) of all."""
    label = born(work, draft)
    LABELS.insert(work, label)
    work.db.execute(sa.insert(_counts).values(label_id=label.id, packets=0, bytes=0))
    return label


def delete_label(work: Work, label: MeteringLabel) -> None:
    """Remove a label with its rules and what it counted."""
    LABELS.delete(work, label.id)
    work.rewire()


def create_rule(work: Work, draft: MeteringRule) -> MeteringRule:
    """Let a label count what a prefix sends or receives, or (excluded) leave it out.

    Raises METERING_LABEL_NOT_FOUND, METERING_RULE_OVERLAPS, or BAD_BODY without a prefix.
    """
    label = LABELS.get(work, draft.metering_label_id)
    if not (draft.remote_ip_prefix or draft.source_ip_prefix or draft.destination_ip_prefix):
        raise errors.BAD_BODY(reason="One of remote_ip_prefix, source_ip_prefix and destination_ip_prefix is needed")
    for other in METERING_RULES.where(work, _rules.c.metering_label_id == label.id):
        if _overlap(draft, other):
            raise errors.METERING_RULE_OVERLAPS(prefix=draft.remote_ip_prefix)
    rule = born(work, draft)
    METERING_RULES.insert(work, rule)
    work.rewire()
    return rule


def delete_rule(work: Work, rule: MeteringRule) -> None:
    """Remove a rule."""
    METERING_RULES.delete(work, rule.id)
    work.rewire()


def add_counts(work: Work, counted: tuple[Metered, ...]) -> None:
    """Add what a host counted since it said so last; labels that are gone are passed over."""
    for one in counted:
        more = {"packets": _counts.c.packets + one.packets, "bytes": _counts.c.bytes + one.bytes}
        work.db.execute(sa.update(_counts).where(_counts.c.label_id == one.label_id).values(more))


def counts_of(work: Work, label_ids: list[str]) -> dict[str, tuple[int, int]]:
    """(packets, bytes) that labels have counted so far, by label."""
    found = sa.select(_counts).where(_counts.c.label_id.in_(label_ids))
    return {row[0]: (row[1], row[2]) for row in work.db.execute(found)}


def _overlap(one: MeteringRule, other: MeteringRule) -> bool:
    if (one.direction, one.excluded) != (other.direction, other.excluded):
        return False
    if not (one.remote_ip_prefix and other.remote_ip_prefix):
        return False
    (first, last, version), (low, high, kind) = span(one.remote_ip_prefix), span(other.remote_ip_prefix)
    return version == kind and first <= high and low <= last
