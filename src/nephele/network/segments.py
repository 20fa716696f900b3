"""Segments: what carries a network.  Each network has exactly one, which comes and goes with it."""

import sqlalchemy as sa

from nephele.network import errors, tables
from nephele.network.model import Network, Segment
from nephele.network.records import Records
from nephele.network.work import Work

_segments, _networks = tables.segments, tables.networks

SEGMENTS: Records[Segment] = Records(
    _segments,
    Segment,
    errors.SEGMENT_NOT_FOUND,
    _segments.c.network_id.in_(sa.select(_networks.c.id).where(_networks.c.project_id == sa.bindparam("me"))),
)


def add_segment(work: Work, network: Network) -> None:
    """Write down what carries a new network; it has the network's own id."""
    SEGMENTS.insert(
        work,
        Segment(
            id=network.id,
            project_id=network.project_id,
            description="",
            tags=(),
            revision_number=0,
            created_at=work.now,
            updated_at=work.now,
            name=None,
            network_id=network.id,
            network_type=network.kind,
            physical_network=network.physical_network,
            segmentation_id=network.segmentation_id,
        ),
    )


def change_segment(work: Work, old: Segment, new: Segment) -> Segment:
    """Name or describe it."""
    return SEGMENTS.save(work, old, new)


def refuse_another(work: Work, draft: Segment) -> Segment:
    """A second segment of a network.  Raises NETWORK_NOT_FOUND or ONE_SEGMENT."""
    from nephele.network.networks import NETWORKS

    raise errors.ONE_SEGMENT(network_id=NETWORKS.get(work, draft.network_id).id)


def refuse_removal(_work: Work, segment: Segment) -> None:
    """A network without a segment.  Raises SEGMENT_IN_USE."""
    raise errors.SEGMENT_IN_USE(id=segment.id, network_id=segment.network_id)
