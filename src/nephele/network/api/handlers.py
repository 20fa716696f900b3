"""The five operations that every kind has, and its tags: one handler each, told by the `Kind`."""

import re
from typing import Any

import msgspec

from nephele.network.api.kind import Kind, tag_list
from nephele.network.api.listing import list_all, view_for
from nephele.network.api.reading import bodies_in, body_of, read_changes, read_new
from nephele.network.attributes import Bad
from nephele.network.errors import BAD_BODY, NOT_AUTHORIZED, REVISION_DIFFERS, TAG_NOT_FOUND
from nephele.network.service import Networks
from nephele.network.work import Work
from nephele.web.call import Call

Body = dict[str, Any]


def index(kind: Kind, service: Networks, call: Call) -> Body:
    """List."""
    core = service.core
    if kind.settle is not None:
        with core.reading(call.context) as work:
            kind.settle(work)
    with core.reading(call.context) as work:
        return list_all(work, kind, call)


def show(kind: Kind, service: Networks, call: Call) -> Body:
    """Show one."""
    with service.core.reading(call.context) as work:
        record = kind.records.get(work, call.path["id"])
        if not work.may(f"get_{kind.name}", kind.target(work, record)):
            raise kind.records.missing(id=call.path["id"])
        return {kind.name: view_for(work, kind, call.query)(record)}


def create(kind: Kind, service: Networks, call: Call) -> Body:
    """Make one, or several: all or none."""
    if kind.create is None and kind.create_many is None:
        raise BAD_BODY(reason=f"{kind.plural} cannot be created")
    with service.core.writing(call.context) as work:
        given, several = bodies_in(kind, call.body)
        drafts = [read_new(work, kind, one) for one in given]
        if kind.create_many is not None:
            made = kind.create_many(work, drafts)
        else:
            made = [kind.create(work, draft) for draft in drafts] if kind.create else []
        view = view_for(work, kind)
        if several:
            return {kind.plural: [view(record) for record in made]}
        return {kind.name: view(made[0])}


def update(kind: Kind, service: Networks, call: Call) -> Body:
    """Change one."""
    with service.core.writing(call.context) as work:
        old = _held(work, kind, call)
        changes = read_changes(work, kind, body_of(kind, call.body), kind.target(work, old))
        new = kind.change(work, old, changes) if kind.change and changes else old
        return {kind.name: view_for(work, kind)(new)}


def delete(kind: Kind, service: Networks, call: Call) -> None:
    """Remove one."""
    with service.core.writing(call.context) as work:
        record = _held(work, kind, call)
        work.enforce(f"delete_{kind.name}", kind.target(work, record))
        if kind.delete is not None:
            kind.delete(work, record)


_IF_MATCH = re.compile(r'"?revision_number=(\d+)"?')


def _held(work: Work, kind: Kind, call: Call) -> Any:
    """The record to change or remove, in the revision that `If-Match` names, if it names one."""
    record = kind.records.get(work, call.path["id"])
    wanted = call.header("If-Match")
    if wanted:
        found = _IF_MATCH.fullmatch(wanted.strip())
        if not found:
            raise BAD_BODY(reason=f"Bad format for 'If-Match' header: {wanted}")
        if int(found[1]) != record.revision_number:
            raise REVISION_DIFFERS(wanted=found[1], revision=record.revision_number)
    return record


def get_tags(kind: Kind, service: Networks, call: Call) -> Body:
    """All tags of one."""
    with service.core.reading(call.context) as work:
        return {"tags": kind.records.get(work, call.path["id"]).tags}


def has_tag(kind: Kind, service: Networks, call: Call) -> None:
    """Whether it has this tag: 204 or 404."""
    with service.core.reading(call.context) as work:
        if call.path["tag"] not in kind.records.get(work, call.path["id"]).tags:
            raise TAG_NOT_FOUND(tag=call.path["tag"])


def _set_tags(work: Work, kind: Kind, record: Any, tags: tuple[str, ...]) -> tuple[str, ...]:
    if not work.may(f"update_{kind.name}", kind.target(work, record)):
        raise NOT_AUTHORIZED(rule=f"update_{kind.name}")
    tags = tuple(sorted(tags))
    kind.records.save(work, record, msgspec.structs.replace(record, tags=tags))
    return tags


def replace_tags(kind: Kind, service: Networks, call: Call) -> Body:
    """Set all tags at once."""
    with service.core.writing(call.context) as work:
        record = _held(work, kind, call)
        return {"tags": _set_tags(work, kind, record, _tags_in(call.body))}


def add_tags(kind: Kind, service: Networks, call: Call) -> Body:
    """Add several tags to those that it has."""
    with service.core.writing(call.context) as work:
        record = _held(work, kind, call)
        return {"tags": _set_tags(work, kind, record, tuple(dict.fromkeys(record.tags + _tags_in(call.body))))}


def add_tag(kind: Kind, service: Networks, call: Call) -> None:
    """Add one tag."""
    with service.core.writing(call.context) as work:
        record = _held(work, kind, call)
        tag = call.path["tag"]
        if len(tag) > 255:
            raise BAD_BODY(reason=f"Invalid tag: '{tag[:30]}…' exceeds maximum length of 255")
        _set_tags(work, kind, record, tuple(dict.fromkeys((*record.tags, tag))))


def remove_tag(kind: Kind, service: Networks, call: Call) -> None:
    """Remove one tag."""
    with service.core.writing(call.context) as work:
        record = _held(work, kind, call)
        if call.path["tag"] not in record.tags:
            raise TAG_NOT_FOUND(tag=call.path["tag"])
        _set_tags(work, kind, record, tuple(tag for tag in record.tags if tag != call.path["tag"]))


def remove_tags(kind: Kind, service: Networks, call: Call) -> None:
    """Remove all tags."""
    with service.core.writing(call.context) as work:
        record = _held(work, kind, call)
        _set_tags(work, kind, record, ())


def _tags_in(body: Body) -> tuple[str, ...]:
    if "tags" not in body:
        raise BAD_BODY(reason="Invalid tags body: 'tags' is missing")
    try:
        return tuple(tag_list(body["tags"]))
    except Bad as bad:
        raise BAD_BODY(reason=f"Invalid input for tags. Reason: {bad}.") from None
