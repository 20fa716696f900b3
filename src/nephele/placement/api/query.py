"""The small languages of Placement's query strings: resources, traits, aggregates, request groups."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping

from nephele.kernel.ids import is_uuid
from nephele.placement.api.schemas import GROUP_KEYS, SUFFIX, SUFFIX_NUMBER
from nephele.placement.errors import BAD_QUERY, BAD_VALUE, DUPLICATE_KEY, MISSING_VALUE
from nephele.placement.model import CandidatesRequest, Group
from nephele.web.call import Query
from nephele.web.microversions import Version

_INVALID = "Invalid query string parameters: "


def read_resources(text: str) -> dict[str, int]:
    """`VCPU:2,MEMORY_MB:1024`.  Raises BAD_QUERY."""
    form = "Expected resources query string parameter in form: ?resources=VCPU:2,MEMORY_MB:1024. Got: "
    if not text.strip():
        raise BAD_QUERY(reason=f"Badly formed resources parameter. {form}empty string.")
    amounts = {}
    for part in text.split(","):
        name, colon, amount = part.partition(":")
        if not colon or ":" in amount:
            raise BAD_QUERY(reason=f"Badly formed resources parameter. {form}{part}.")
        if not re.fullmatch(r"[+-]?\d+", amount.strip()):
            raise BAD_QUERY(reason=f"Requested resource {name} expected positive integer amount. Got: {amount}.")
        if int(amount) < 1:
            raise BAD_QUERY(reason=f"Requested resource {name} requires amount >= 1. Got: {int(amount)}.")
        amounts[name] = int(amount)
    return amounts


def read_traits(values: Iterable[str], version: Version) -> tuple[tuple[frozenset[str], ...], frozenset[str]]:
    """`required` parameters: (sets of which one trait each must be there, traits that must not).

    `!T` is understood from 1.22 on, `in:T1,T2` and more than one parameter from 1.39.  Raises BAD_QUERY.
    """
    required: list[frozenset[str]] = []
    forbidden: set[str] = set()
    values = list(values)
    for value in values if version >= (1, 39) else values[-1:]:
        if value.startswith("in:"):
            required.append(_any_of(value, version))
            continue
        traits = [trait.strip() for trait in value.split(",")]
        unwanted = {trait.lstrip("!") for trait in traits if trait.startswith("!")}
        may_forbid = version >= (1, 22)
        form = f"HW_CPU_X86_VMX,{'!' if may_forbid else ''}CUSTOM_MAGIC"
        if not all((*traits, *unwanted)):
            raise BAD_QUERY(
                reason=f"{_INVALID}Expected 'required' parameter value of the form: {form}. "
                f"Got an empty trait in: {value}"
            )
        if unwanted and not may_forbid:
            raise BAD_QUERY(reason=f"{_INVALID}Expected 'required' parameter value of the form: {form}. Got: {value}")
        required += [frozenset([trait]) for trait in traits if not trait.startswith("!")]
        forbidden |= unwanted
    return tuple(required), frozenset(forbidden)


def _any_of(value: str, version: Version) -> frozenset[str]:
    form = "in:HW_CPU_X86_VMX,CUSTOM_MAGIC"
    if version < (1, 39):
        raise BAD_QUERY(reason=f"{_INVALID}The format '{form}' only supported since microversion 1.39. Got: {value}")
    traits = frozenset(trait.strip() for trait in value[3:].split(","))
    if not all(traits):
        raise BAD_QUERY(
            reason=f"{_INVALID}Expected 'required' parameter value of the form: {form}. Got an empty trait in: {value}"
        )
    if any(trait.startswith("!") for trait in traits):
        raise BAD_QUERY(reason=f"{_INVALID}The format '{form}' does not support forbidden traits. Got: {value}")
    return traits


def read_member_of(
    values: list[str], version: Version, suffix: str = ""
) -> tuple[tuple[frozenset[str], ...], frozenset[str]]:
    """`member_of` parameters: (sets of which one aggregate each, aggregates not to be in).

    More than one parameter from 1.24 on, `!` from 1.32.  Raises BAD_QUERY.
    """
    if version < (1, 24) and len(values) > 1:
        raise BAD_QUERY(reason=f"Multiple member_of{suffix} parameters are not supported")
    required: list[frozenset[str]] = []
    forbidden: set[str] = set()
    for value in values:
        bare = value.removeprefix("!")
        if "," in value and not bare.startswith("in:"):
            raise BAD_QUERY(
                reason="Multiple values for 'member_of' must be prefixed with the 'in:' or '!in:' keyword "
                f"using the valid microversion. Got: {value}"
            )
        aggregates = frozenset(bare.removeprefix("in:").split(","))
        for aggregate in aggregates:
            if not is_uuid(aggregate):
                raise BAD_QUERY(
                    reason=f"{_INVALID}Expected 'member_of' parameter to contain valid UUID(s). Got: {aggregate}"
                )
        if not value.startswith("!"):
            required.append(aggregates)
        elif version < (1, 32):
            raise BAD_QUERY(
                reason=f"Forbidden member_of{suffix} parameters are not supported in the specified microversion"
            )
        else:
            forbidden |= aggregates
    return tuple(required), frozenset(forbidden)


def read_candidates(query: Query, version: Version) -> CandidatesRequest:
    """The whole request of GET /allocation_candidates.  Raises BAD_QUERY and its kin."""
    groups = _read_groups(query, version)
    subtrees = _read_subtrees(query)
    if version >= (1, 36):
        _check_suffixes(groups, frozenset().union(*subtrees))
    else:
        _check_resources(groups)
    if version >= (1, 22):
        _check_conflicts(groups)
    policy = next(iter(query.all("group_policy")), "")
    if not policy and sum(1 for suffix in groups if suffix) > 1:
        raise BAD_QUERY(
            reason='The "group_policy" parameter is required when specifying more than one "resources{N}" parameter.'
        )
    required, forbidden = _read_root(query)
    return CandidatesRequest(
        groups=groups,
        isolate=policy == "isolate",
        same_subtree=subtrees,
        root_required=required,
        root_forbidden=forbidden,
        limit=int(next(iter(query.all("limit")), 0)),
        nested=version >= (1, 29),
    )


def _read_groups(query: Query, version: Version) -> dict[str, Group]:
    names = "|".join(name for since, name in GROUP_KEYS if version >= since)
    pattern = re.compile(f"({names})({SUFFIX if version >= (1, 33) else SUFFIX_NUMBER})?")
    said: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for key, value in query.pairs:
        found = pattern.fullmatch(key)
        if found:
            said[found[2] or ""][found[1]].append(value)
    return {suffix: _read_group(suffix, parts, version) for suffix, parts in said.items()}


def _read_group(suffix: str, parts: Mapping[str, list[str]], version: Version) -> Group:
    resources: dict[str, int] = {}
    for text in parts.get("resources", ()):
        resources = read_resources(text)
    required, forbidden = read_traits(parts.get("required", ()), version)
    member_of, not_member_of = read_member_of(parts.get("member_of", []), version, suffix)
    in_tree = parts.get("in_tree", [""])[-1].strip()
    if "in_tree" in parts and not is_uuid(in_tree):
        raise BAD_QUERY(reason=f"{_INVALID}Expected 'in_tree' parameter to be a format of uuid. Got: {in_tree}")
    return Group(
        resources=resources,
        required=required,
        forbidden=forbidden,
        member_of=member_of,
        not_member_of=not_member_of,
        in_tree=in_tree,
    )


def _check_resources(groups: Mapping[str, Group]) -> None:
    """Until 1.35 every group asks for resources."""
    for name, orphans in (
        ("traits", [f"required{suffix}" for suffix, group in groups.items() if group.required and not group.resources]),
        (
            "member_of",
            [
                f"member_of{suffix}"
                for suffix, group in groups.items()
                if (group.member_of or group.not_member_of) and not group.resources
            ],
        ),
    ):
        if orphans:
            raise BAD_QUERY(
                reason=f"All {name} parameters must be associated with resources. "
                f"Found the following orphaned {name} keys: {', '.join(orphans)}"
            )
    if not all(group.resources for group in groups.values()):
        raise BAD_QUERY(reason="All request groups must specify resources.")
    if not groups:
        raise BAD_QUERY(reason="At least one request group (`resources` or `resources{$S}`) is required.")


def _check_suffixes(groups: Mapping[str, Group], subtree: frozenset[str]) -> None:
    """From 1.36 on a suffixed group of a `same_subtree` may go without resources."""
    without = [suffix for suffix, group in groups.items() if not group.resources]
    if len(without) == len(groups):
        raise MISSING_VALUE(reason="There must be at least one resources or resources[$S] parameter.")
    bad = [suffix for suffix in without if suffix not in subtree]
    if bad:
        raise BAD_VALUE(
            reason="Resourceless suffixed group request should be specified in `same_subtree` query param: "
            f"bad group(s) - {bad}."
        )
    unknown = sorted(suffix for suffix in subtree if suffix not in groups)
    if unknown:
        raise BAD_VALUE(
            reason=f"Real suffixes should be specified in `same_subtree`: {unknown} not found in {list(groups)}."
        )


def _check_conflicts(groups: Mapping[str, Group]) -> None:
    conflicts = [
        f"required{suffix}: ({', '.join(sorted(traits))})"
        for suffix, group in groups.items()
        for traits in group.required
        if traits <= group.forbidden
    ]
    if conflicts:
        raise BAD_QUERY(
            reason="Conflicting required and forbidden traits found in the following traits keys: "
            + ", ".join(sorted(conflicts))
        )


def _read_subtrees(query: Query) -> tuple[frozenset[str], ...]:
    subtrees = tuple(frozenset(suffix.strip() for suffix in value.split(",")) for value in query.all("same_subtree"))
    if any("" in suffixes for suffixes in subtrees):
        raise BAD_VALUE(reason="Empty string (unsuffixed group) can not be specified in `same_subtree`")
    return subtrees


def _read_root(query: Query) -> tuple[frozenset[str], frozenset[str]]:
    values = query.all("root_required")
    if len(values) > 1:
        raise DUPLICATE_KEY(reason="Query parameter 'root_required' may be specified only once.")
    required, forbidden = read_traits(values, (1, 38))
    wanted = frozenset().union(*required)
    if wanted & forbidden:
        raise BAD_VALUE(
            reason="Conflicting required and forbidden traits found in root_required: "
            + ", ".join(sorted(wanted & forbidden))
        )
    return wanted, forbidden
