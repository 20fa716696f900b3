"""Access rules: an application credential may be good for some requests only."""

import re
from collections.abc import Iterable
from functools import lru_cache

from nephele.kernel.context import AccessRule

_PART = re.compile(r"\*\*|\*|\{[^}/]*\}")
_VOLUME = ("volume", "volumev2", "volumev3", "block-storage", "block-store")
_SAME_SERVICE = dict.fromkeys(_VOLUME, "volume")


def permits(rules: Iterable[AccessRule], service: str, method: str, path: str, prefix: str) -> bool:
    """Whether one of the rules is for this request.

    Args:
        rules: what the token is good for.
        service: type of the service that was asked.
        method: HTTP method.
        path: path of the request.
        prefix: where the service is mounted; a rule's path may begin with it or behind it.
    """
    wanted = _SAME_SERVICE.get(service, service)
    paths = (path, path.removeprefix(prefix))
    return any(
        _SAME_SERVICE.get(rule.service, rule.service) == wanted
        and rule.method == method
        and any(_pattern(rule.path).fullmatch(each) for each in paths)
        for rule in rules
    )


@lru_cache(1000)
def _pattern(path: str) -> re.Pattern[str]:
    """`*` and `{name}` stand for one part of the path, `**` for any number."""
    found, end = "", 0
    for part in _PART.finditer(path):
        found += re.escape(path[end : part.start()]) + (".*" if part[0] == "**" else "[^/]+")
        end = part.end()
    return re.compile(found + re.escape(path[end:]))
