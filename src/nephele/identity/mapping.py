"""From what an identity provider asserts of somebody to a user, groups and projects here: Keystone's mapping rules.

A rule applies where all its `remote` conditions hold; then its `local` parts count, with `{0}`, `{1}` … replaced by
the asserted values that the conditions without `any_one_of` and `not_any_of` name, in order.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import UNSET, Struct, UnsetType, field

from nephele.identity.errors import BAD_MAPPING, NOT_MAPPED

Assertion = Mapping[str, Sequence[str]]
"""Values by name, as the identity provider asserts them."""
Rules = list[dict[str, Any]]
Values = list[Sequence[str]]
_PLACE = re.compile(r"\{(\d+)\}")


class Remote(Struct, frozen=True, forbid_unknown_fields=True):
    """A condition on an asserted attribute, or one whose values are to be used."""

    type: str
    any_one_of: tuple[str, ...] | UnsetType = UNSET
    not_any_of: tuple[str, ...] | UnsetType = UNSET
    whitelist: tuple[str, ...] | UnsetType = UNSET
    blacklist: tuple[str, ...] | UnsetType = UNSET
    regex: bool = False


class Place(Struct, frozen=True):
    """A domain, by id or name; none of both: the identity provider's own."""

    id: str = ""
    name: str = ""


class MappedUser(Struct, frozen=True):
    """Who it is here.  `type` is `ephemeral` (made as needed) or `local` (there already)."""

    name: str = ""
    id: str = ""
    email: str = ""
    type: str = "ephemeral"
    domain: Place = Place()


class GroupRef(Struct, frozen=True):
    """A group by id, or by name in a domain."""

    id: str = ""
    name: str = ""
    domain: Place = Place()


class RoleRef(Struct, frozen=True):
    """A role by name."""

    name: str


class MappedProject(Struct, frozen=True):
    """A project that is made as needed, and the roles that the user gets on it."""

    name: str
    roles: tuple[RoleRef, ...] = ()


class Local(Struct, frozen=True, forbid_unknown_fields=True):
    """What a rule makes of somebody."""

    user: MappedUser | None = None
    group: GroupRef | None = None
    groups: tuple[str, ...] | str = ()
    group_ids: tuple[str, ...] | str = ()
    domain: Place | None = None
    projects: tuple[MappedProject, ...] = ()


class Rule(Struct, frozen=True, forbid_unknown_fields=True):
    """One rule, as it is written."""

    local: list[dict[str, Any]]
    remote: list[Remote] = field(default_factory=list)


class Mapped(Struct, frozen=True):
    """What all rules together make of somebody."""

    user: MappedUser
    groups: tuple[GroupRef, ...]
    projects: tuple[MappedProject, ...]


def read_rules(rules: Rules) -> list[Rule]:
    """The rules, checked.  Raises BAD_MAPPING with what is wrong where."""
    if not rules:
        raise BAD_MAPPING(reason="it has no rules")
    try:
        found = msgspec.convert(rules, list[Rule])
        for rule in found:
            if not rule.local or not rule.remote:
                raise BAD_MAPPING(reason="a rule has a local and a remote part")
            for condition in rule.remote:
                _check(condition)
            count = len(_used(rule.remote))
            for part in rule.local:
                for place in _PLACE.findall(msgspec.json.encode(part).decode()):
                    if int(place) >= count:
                        raise BAD_MAPPING(reason=f"{{{place}}} names a value that no remote part gives")
                _local(_filled(part, [("x",)] * count))
    except msgspec.ValidationError as error:
        raise BAD_MAPPING(reason=error) from None
    return found


def _check(condition: Remote) -> None:
    ways = ("any_one_of", "not_any_of", "whitelist", "blacklist")
    if sum(getattr(condition, way) is not UNSET for way in ways) > 1:
        raise BAD_MAPPING(reason=f"{condition.type} has more than one of {', '.join(ways)}")
    if condition.regex:
        for pattern in _words(condition):
            try:
                re.compile(pattern)
            except re.error as error:
                raise BAD_MAPPING(reason=f"{pattern!r} is no regular expression: {error}") from None


def _words(condition: Remote) -> tuple[str, ...]:
    for words in (condition.any_one_of, condition.not_any_of, condition.whitelist, condition.blacklist):
        if words is not UNSET:
            return words
    return ()


def _used(remote: Sequence[Remote]) -> list[Remote]:
    """Those whose values may be used."""
    return [one for one in remote if one.any_one_of is UNSET and one.not_any_of is UNSET]


def apply(rules: Sequence[Rule], assertion: Assertion) -> Mapped:
    """Who somebody is here, of whom that was asserted.  Raises NOT_MAPPED where no rule applies."""
    parts = []
    for rule in rules:
        values = _values(rule.remote, assertion)
        if values is not None:
            parts += [_local(_filled(part, values)) for part in rule.local]
    if not parts:
        raise NOT_MAPPED()
    user = next((part.user for part in parts if part.user is not None), MappedUser())
    if not user.name and not user.id:
        user = msgspec.structs.replace(user, name=next(iter(assertion.get("REMOTE_USER", ())), ""))
    if user.type not in ("ephemeral", "local") or not (user.name or user.id):
        raise NOT_MAPPED()
    groups = dict.fromkeys(group for part in parts for group in _groups(part))
    return Mapped(user, tuple(groups), tuple(project for part in parts for project in part.projects))


def _values(remote: Sequence[Remote], assertion: Assertion) -> Values | None:
    """What the conditions pass on; None where one does not hold."""
    found: Values = []
    for condition in remote:
        have = assertion.get(condition.type)
        if not have:
            return None
        words = _words(condition)
        meant = [value for value in have if _is_one_of(value, words, regex=condition.regex)]
        if condition.any_one_of is not UNSET:
            if not meant:
                return None
        elif condition.not_any_of is not UNSET:
            if meant:
                return None
        elif condition.whitelist is not UNSET:
            found.append(meant)
        elif condition.blacklist is not UNSET:
            found.append([value for value in have if value not in meant])
        else:
            found.append(have)
    return found


def _is_one_of(value: str, words: Sequence[str], *, regex: bool) -> bool:
    return any(re.search(word, value) for word in words) if regex else value in words


def _filled(part: Any, values: Values) -> Any:
    """The part with its places filled; a place alone may become a list."""
    if isinstance(part, dict):
        return {name: _filled(value, values) for name, value in part.items()}
    if isinstance(part, list):
        return [_filled(value, values) for value in part]
    if not isinstance(part, str):
        return part
    alone = _PLACE.fullmatch(part)
    if alone:
        found = values[int(alone[1])]
        return found[0] if len(found) == 1 else list(found)
    return _PLACE.sub(lambda place: ";".join(values[int(place[1])]), part)


def _local(part: Any) -> Local:
    return msgspec.convert(part, Local)


def _groups(part: Local) -> list[GroupRef]:
    """All groups that a part names."""
    found = [part.group] if part.group else []
    domain = part.domain or Place()
    found += [GroupRef(name=name, domain=domain) for name in _listed(part.groups)]
    return found + [GroupRef(id=group_id) for group_id in _listed(part.group_ids)]


def _listed(words: tuple[str, ...] | str) -> tuple[str, ...]:
    return (words,) if isinstance(words, str) else words
