"""OpenStack's policy language: from a rule's text to checks that decide and can say why.

Checks are `role:R`, `rule:NAME`, `@` (always), `!` (never), `ATTRIBUTE:%(target attribute)s`,
`ATTRIBUTE:literal`, `literal:%(target attribute)s`, `field:KIND:ATTRIBUTE=VALUE` (or `=~EXPRESSION`);
joined by `and`, `or`, `not` and parentheses.
An empty text is `@`.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from nephele.kernel.context import Context

Target = Mapping[str, object]
Decide = Callable[[Context, Target], bool]

_WORD = re.compile(r"\(|\)|(?:%\([^)]*\)s|'[^']*'|\"[^\"]*\"|[^\s()])+")


class PolicyError(ValueError):
    """A rule that can't be read: says which, and where it stops making sense."""


@dataclass(frozen=True)
class Check:
    """One check, or several that are joined.

    Args:
        kind: `or`, `and`, `not`, `always`, `never`, `role`, `rule`, `field` or `match`.
        text: as it is written; for `role` and `rule` the name.
        parts: what is joined.
    """

    kind: str
    text: str
    parts: tuple["Check", ...] = ()


def parse(name: str, text: str) -> Check:
    """The check that `text` says, for the rule `name`.  Raises PolicyError."""
    if not text.strip():
        return Check("always", "@")
    words = _Words(name, text)
    check = _joined(words, "or")
    if words.next is not None:
        raise PolicyError(f"{name}: unexpected {words.next!r} in {text!r}")
    return check


def _joined(words: "_Words", by: str) -> Check:
    """`and` binds closer than `or`."""
    parts: list[Check] = []
    while not parts or words.take(by):
        parts.append(_joined(words, "and") if by == "or" else _single(words))
    return parts[0] if len(parts) == 1 else Check(by, f" {by} ".join(spoken(part) for part in parts), tuple(parts))


def _single(words: "_Words") -> Check:
    if words.take("not"):
        denied = _single(words)
        return Check("not", f"not {spoken(denied)}", (denied,))
    if words.take("("):
        check = _joined(words, "or")
        if not words.take(")"):
            raise PolicyError(f"{words.name}: a parenthesis is not closed in {words.text!r}")
        return check
    word = words.pop()
    if word == "@":
        return Check("always", word)
    if word == "!":
        return Check("never", word)
    kind, colon, value = word.partition(":")
    if not colon or not kind or not value:
        raise PolicyError(f"{words.name}: {word!r} is not a check in {words.text!r}")
    if kind in ("role", "rule"):
        return Check(kind, value)
    if kind in ("http", "https"):
        raise PolicyError(f"{words.name}: {word!r}: checks that ask a server are not supported")
    if kind == "field":
        _field(words.name, word)
        return Check(kind, word)
    return Check("match", word)


def spoken(check: Check) -> str:
    """The check as it is written, in parentheses where it is joined of others."""
    if check.kind in ("role", "rule"):
        return f"{check.kind}:{check.text}"
    return f"({check.text})" if check.kind in ("or", "and") else check.text


def names(check: Check, kind: str) -> Iterator[str]:
    """The roles or rules that a check names."""
    if check.kind == kind:
        yield check.text
    for part in check.parts:
        yield from names(part, kind)


class _Words:
    """The words of a rule, read one by one."""

    def __init__(self, name: str, text: str) -> None:
        self.name, self.text = name, text
        self._rest: Iterator[str] = iter(_WORD.findall(text))
        self.next = next(self._rest, None)

    def pop(self) -> str:
        word = self.next
        if word is None:
            raise PolicyError(f"{self.name}: {self.text!r} ends too early")
        self.next = next(self._rest, None)
        return word

    def take(self, word: str) -> bool:
        if self.next is None or self.next.lower() != word:
            return False
        self.pop()
        return True


def compiled(check: Check, rules: Mapping[str, Decide]) -> Decide:
    """A function that decides; other rules are looked up in `rules` when it is asked."""
    if check.kind in ("or", "and", "not"):
        parts = [compiled(part, rules) for part in check.parts]
        if check.kind in ("or", "and"):
            return _joining(parts, decides=check.kind == "or")
        return lambda caller, target: not parts[0](caller, target)
    if check.kind == "role":
        role = check.text.lower()
        return lambda caller, _target: role in caller.roles
    if check.kind == "rule":
        return lambda caller, target: rules[check.text](caller, target)
    if check.kind == "match":
        return _match(check.text)
    if check.kind == "field":
        return _field("", check.text)
    return _always if check.kind == "always" else _never


def _joining(parts: list[Decide], *, decides: bool) -> Decide:
    """`or` where a True decides, `and` where a False does; a loop costs half of what `any` over a generator does."""

    def joined(caller: Context, target: Target) -> bool:
        for part in parts:
            if part(caller, target) is decides:
                return decides
        return not decides

    return joined


def _always(_caller: Context, _target: Target) -> bool:
    return True


def _never(_caller: Context, _target: Target) -> bool:
    return False


_TRUTHS = {True: ("true", "1"), False: ("false", "0")}
_OTHER_NAMES = {
    "tenant": "project_id",
    "tenant_id": "project_id",
    "user": "user_id",
    "token.domain.id": "domain_id",
    "token.project.domain.id": "project_domain_id",
    "token.project.id": "project_id",
    "None": "'None'",
    "True": "'True'",
    "False": "'False'",
}
"""What OpenStack's rules also call an attribute of the caller."""


def _match(word: str) -> Decide:
    """`user_id:%(user_id)s`, `is_admin:True`, `'literal':%(key)s`, `None:%(key)s`, `system_scope:all`."""
    attribute, _, value = word.partition(":")
    attribute = _OTHER_NAMES.get(attribute, attribute)
    literal = attribute[1:-1] if attribute[0] in "'\"" else attribute if attribute.isdecimal() else None
    wanted = re.fullmatch(r"%\(([^)]*)\)s", value)
    name = wanted[1] if wanted else ""

    def check(caller: Context, target: Target) -> bool:
        have = literal if literal is not None else getattr(caller, attribute, None)
        want = target.get(name) if name else value
        if type(have) is str and type(want) is str and have:
            return have == want
        if have in (None, "") and wanted is None:
            return value == "None"
        if have is True or have is False:
            return str(want).lower() in _TRUTHS[have]
        return have is not None and have != "" and str(have) == str(want)

    return check


def _field(rule: str, word: str) -> Decide:
    """`field:networks:shared=True`: an attribute of what is acted on.  Raises PolicyError."""
    found = re.fullmatch(r"field:[^:]+:(.+?)=(~?)(.*)", word)
    if not found:
        raise PolicyError(f"{rule}: {word!r} is not of the form field:KIND:ATTRIBUTE=VALUE")
    attribute, is_pattern, value = found.groups()
    try:
        pattern = re.compile(value if is_pattern else re.escape(value) + "$")
    except re.error as error:
        raise PolicyError(f"{rule}: {value!r} is no regular expression: {error}") from None
    return lambda _caller, target: pattern.match(str(target.get(attribute, ""))) is not None


def told(word: str, caller: Context, target: Target) -> str:
    """What both sides of a `match` are, for people: `project_id is 'x', the target's project_id is 'y'`."""
    attribute, _, value = word.partition(":")
    wanted = re.fullmatch(r"%\(([^)]*)\)s", value)
    name = _OTHER_NAMES.get(attribute, attribute)
    have = f"{name} is {getattr(caller, name, None) or None!r}" if name[0] not in "'\"" else name
    return f"{have}, the target's {wanted[1]} is {target.get(wanted[1])!r}" if wanted else have
