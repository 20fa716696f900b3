"""JsonFilter: an expression over a host's figures in the scheduler hint `query`.

`["and", [">=", "$free_ram_mb", 1024], ["not", ["=", "$host", "a"]]]`: a list is an operator and its
arguments, `$name` a fact of the host.  Source: Nova's documentation of JsonFilter.
"""

import operator
from collections.abc import Callable
from typing import Any

import msgspec

from nephele.compute.scheduler.decision import Refusal
from nephele.compute.scheduler.errors import BAD_QUERY
from nephele.compute.scheduler.model import HostState, SelectRequest, Settings, Test

_ORDER: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "<": operator.lt,
    ">": operator.gt,
    "<=": operator.le,
    ">=": operator.ge,
}
_OPERATORS = frozenset((*_ORDER, "in", "not", "and", "or"))


def json_filter(request: SelectRequest, _settings: Settings) -> Test | None:
    """JsonFilter: the expression holds for the host.  Raises BAD_QUERY."""
    text = next(iter(request.asked.hints.get("query", ())), "")
    if not text:
        return None
    try:
        query = msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        raise BAD_QUERY(reason=error) from None
    _check(query)
    return Test(
        lambda state: _truth(_evaluate(query, state)),
        lambda _state: Refusal(reason="against the hint query", detail=text),
    )


def _check(query: Any) -> None:
    """Refuse what is not an expression."""
    if not isinstance(query, list) or not query:
        raise BAD_QUERY(reason="it is no list")
    if query[0] not in _OPERATORS:
        raise BAD_QUERY(reason=f"{query[0]!r} is no operator")
    for argument in query[1:]:
        if isinstance(argument, list):
            _check(argument)


def _evaluate(query: Any, state: HostState) -> Any:
    if isinstance(query, str) and query.startswith("$"):
        return _fact(query[1:], state)
    if not isinstance(query, list):
        return query
    name, arguments = query[0], [_evaluate(argument, state) for argument in query[1:]]
    if name == "not":
        return not any(_truth(argument) for argument in arguments)
    if name == "and":
        return all(_truth(argument) for argument in arguments)
    if name == "or":
        return any(_truth(argument) for argument in arguments)
    if name == "in":
        return len(arguments) > 1 and arguments[0] in arguments[1:]
    return len(arguments) > 1 and all(_ordered(name, arguments[0], other) for other in arguments[1:])


def _ordered(name: str, left: Any, right: Any) -> bool:
    try:
        return _ORDER[name](left, right)
    except TypeError:
        return False


def _fact(path: str, state: HostState) -> Any:
    facts = {
        "free_ram_mb": state.free_memory_mb,
        "free_disk_mb": state.free_disk_gb * 1024,
        "vcpus_free": state.free_vcpus,
        "num_io_ops": state.io_ops,
        "num_instances": state.num_instances,
        "host": state.host,
        "hypervisor_hostname": state.hypervisor_hostname,
        "hypervisor_type": state.hypervisor_type,
        "hypervisor_version": state.hypervisor_version,
    }
    return facts.get(path, state.capabilities.get(path.replace(".", ":")))


def _truth(value: Any) -> bool:
    return bool(value)
