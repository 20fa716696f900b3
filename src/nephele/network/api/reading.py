"""From a request's body to checked values: each attribute by its reader, and by its policy rule."""

from typing import Any

from nephele.network.api.kind import Kind, Values, default_of
from nephele.network.attributes import Attribute, Bad
from nephele.network.errors import BAD_ATTRIBUTE, BAD_BODY, NO_PROJECT
from nephele.network.work import Work


def bodies_in(kind: Kind, body: dict[str, Any]) -> tuple[list[dict[str, Any]], bool]:
    """The things that a POST's body describes, and whether it is a list of them."""
    if kind.name in body:
        return [_thing(kind, body[kind.name])], False
    things = body.get(kind.plural)
    if not isinstance(things, list) or not things:
        raise BAD_BODY(reason=f"Unable to find '{kind.name}' in request body")
    return [_thing(kind, thing) for thing in things], True


def body_of(kind: Kind, body: dict[str, Any]) -> dict[str, Any]:
    """The changes that a PUT's body describes."""
    if kind.name not in body:
        raise BAD_BODY(reason=f"Unable to find '{kind.name}' in request body")
    return _thing(kind, body[kind.name])


def _thing(kind: Kind, thing: Any) -> dict[str, Any]:
    if not isinstance(thing, dict):
        raise BAD_BODY(reason=f"Body for '{kind.name}' is not a dictionary")
    if "tenant_id" not in thing:
        return thing
    project_id = thing["tenant_id"]
    if thing.get("project_id", project_id) != project_id:
        raise BAD_BODY(reason="'project_id' and 'tenant_id' do not match")
    return {**{key: value for key, value in thing.items() if key != "tenant_id"}, "project_id": project_id}


def read_new(work: Work, kind: Kind, given: dict[str, Any]) -> Values:
    """Checked values for a new one, with defaults where nothing is given."""
    _refuse_unknown(kind, given)
    values: Values = {"project_id": _project(work, given)}
    for attribute in kind.postable:
        name = attribute.name
        values[attribute.key] = _read(attribute, given[name]) if name in given else default_of(attribute)
    for name in given:
        attribute = kind.by_name[name]
        if name != "project_id" and not (attribute.read and attribute.post):
            raise BAD_BODY(reason=f"Attribute '{name}' not allowed in POST")
    _enforce(work, kind, f"create_{kind.name}", given, values, kind.new_target(work, values))
    return values


def read_changes(work: Work, kind: Kind, given: dict[str, Any], target: dict[str, object]) -> Values:
    """Checked values of what a PUT changes."""
    _refuse_unknown(kind, given)
    values: Values = {}
    for name, value in given.items():
        attribute = kind.by_name[name]
        if not (attribute.read and attribute.put):
            raise BAD_BODY(reason=f"Cannot update read-only attribute {name}")
        values[attribute.key] = _read(attribute, value)
    _enforce(work, kind, f"update_{kind.name}", given, None, target)
    return values


def _project(work: Work, given: dict[str, Any]) -> str:
    project_id = given.get("project_id", work.me)
    if not isinstance(project_id, str) or len(project_id) > 255:
        raise BAD_BODY(reason="Invalid input for tenant_id. Reason: it is not a valid string")
    if not project_id:
        raise NO_PROJECT()
    return project_id


def _refuse_unknown(kind: Kind, given: dict[str, Any]) -> None:
    unknown = given.keys() - kind.by_name.keys()
    if unknown:
        raise BAD_BODY(reason=f"Unrecognized attribute(s) '{', '.join(sorted(unknown))}'")


def _read(attribute: Attribute, value: Any) -> Any:
    try:
        return attribute.read(value) if attribute.read else None
    except Bad as bad:
        raise BAD_ATTRIBUTE(attribute=attribute.name, reason=bad) from None


def _enforce(
    work: Work, kind: Kind, rule: str, given: dict[str, Any], values: Values | None, target: dict[str, object]
) -> None:
    """The rule of the operation, and those of the attributes that are given (unless they are the defaults)."""
    work.enforce(rule, target)
    rules = work.core.policy.texts
    for name, value in given.items():
        attribute = kind.by_name[name]
        if values is not None and values.get(attribute.key) == attribute.default:
            continue
        for guard in (f"{rule}:{name}", *(f"{rule}:{name}:{key}" for key in _keys(value))):
            if guard in rules:
                work.enforce(guard, target)


def _keys(value: Any) -> set[str]:
    """The names inside a nested value."""
    if isinstance(value, dict):
        return set(value)
    if isinstance(value, list):
        return {key for one in value if isinstance(one, dict) for key in one}
    return set()
