"""The comparison language of flavor extra specs.

A wanted value is a literal, or words that begin with an operator: `>= 4`, `s== text`, `<in> part`,
`<all-in> a b`, `<or> a <or> b`.  Source: Nova's documentation of ComputeCapabilitiesFilter.
"""

import operator
from collections.abc import Callable

_NUMBERS: dict[str, Callable[[float, float], bool]] = {
    "=": operator.ge,  # as documented: "equal to or greater than"
    "==": operator.eq,
    "!=": operator.ne,
    ">=": operator.ge,
    "<=": operator.le,
}
_TEXTS: dict[str, Callable[[str, str], bool]] = {
    "s==": operator.eq,
    "s!=": operator.ne,
    "s>=": operator.ge,
    "s>": operator.gt,
    "s<=": operator.le,
    "s<": operator.lt,
}


def matches(value: str, wanted: str) -> bool:
    """Whether `value` is as `wanted` says."""
    words = wanted.split()
    if not words:
        return value == ""
    first, rest = words[0], words[1:]
    if first in _NUMBERS:
        return _compare(_NUMBERS[first], value, " ".join(rest))
    if first in _TEXTS:
        return _TEXTS[first](value, " ".join(rest))
    if first == "<in>":
        return bool(rest) and rest[0] in value
    if first == "<all-in>":
        return all(word in value for word in rest)
    if first == "<or>":
        return value in [choice.strip() for choice in wanted.split("<or>")[1:]]
    return value == wanted


def _compare(compare: Callable[[float, float], bool], value: str, wanted: str) -> bool:
    try:
        return compare(float(value), float(wanted))
    except ValueError:
        return False
