"""What a client may give for an attribute of a resource, as data; readers turn JSON values into ours.

A reader gets what the client sent and answers with the value to keep, or raises `Bad` with the reason.
Like upstream, numbers and truth values may come as text.
"""

import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from nephele.kernel.ids import is_uuid

Reader = Callable[[Any], Any]
REQUIRED: Any = object()
"""The default of attributes that must be given."""


class Bad(ValueError):  # noqa: N818 - reads as "raise Bad(reason)"
    """A value that an attribute can't have, and why."""


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute of a resource.

    Whether a rule of its own guards it is told by the policy: `create_network:shared`, `get_port:binding:host_id`.

    Args:
        name: in the API.
        read: what it accepts; None: clients cannot set it.
        default: where it is not given on creation.
        post: can be given on creation.
        put: can be changed.
        field: the Struct's field; empty: the name.
        show: from the field to what the API shows.
        shown: whether the API shows it at all.
    """

    name: str
    read: Reader | None = None
    default: Any = REQUIRED
    post: bool = True
    put: bool = False
    field: str = ""
    show: Callable[[Any], Any] | None = None
    shown: bool = True

    @property
    def key(self) -> str:
        """The Struct's field."""
        return self.field or self.name


def text(limit: int, *, required: bool = False) -> Reader:
    """At most `limit` characters; null is the empty text."""

    def read(value: Any) -> str:
        if value is None and not required:
            return ""
        if not isinstance(value, str):
            raise Bad(f"'{value}' is not a valid string")
        if len(value) > limit:
            raise Bad(f"'{value}' exceeds maximum length of {limit}")
        if required and not value.strip():
            raise Bad(f"'{value}' Blank strings are not permitted")
        return value

    return read


def boolean(value: Any) -> bool:
    """True or false, also as text or 0 and 1."""
    if isinstance(value, bool):
        return value
    spoken = str(value).lower()
    if spoken in ("true", "1"):
        return True
    if spoken in ("false", "0"):
        return False
    raise Bad(f"'{value}' is not a valid boolean value")


def integer(lowest: int, highest: int) -> Reader:
    """A whole number between the two."""

    def read(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int | str):
            raise Bad(f"'{value}' is not an integer")
        try:
            number = int(value)
        except ValueError:
            raise Bad(f"'{value}' is not an integer") from None
        if number < lowest:
            raise Bad(f"'{number}' is too small - must be at least '{lowest}'")
        if number > highest:
            raise Bad(f"'{number}' is too large - must be no larger than '{highest}'")
        return number

    return read


def maybe(read: Reader) -> Reader:
    """What `read` accepts, or null."""
    return lambda value: None if value is None else read(value)


def one_of(*values: Any) -> Reader:
    """One of a few values."""

    def read(value: Any) -> Any:
        for accepted in values:
            if value == accepted or (isinstance(value, str) and value.lower() == str(accepted).lower()):
                return accepted
        raise Bad(f"'{value}' is not in {list(values)}")

    return read


def uuid(value: Any) -> str:
    """A UUID, as text."""
    if not isinstance(value, str) or not is_uuid(value):
        raise Bad(f"'{value}' is not a valid UUID")
    return value


def many(read: Reader, limit: int = 0) -> Reader:
    """A list of them, none twice; null is the empty list."""

    def read_all(value: Any) -> tuple[Any, ...]:
        if value is None:
            return ()
        if not isinstance(value, list):
            raise Bad(f"'{value}' is not a list")
        values = tuple(map(read, value))
        if len({repr(one) for one in values}) != len(values):
            raise Bad(f"Duplicate items in the list: '{', '.join(map(str, value))}'")
        if limit and len(values) > limit:
            raise Bad(f"more than {limit} items were given")
        return values

    return read_all


def record(kind: type[Any]) -> Reader:
    """A JSON object with the fields of a Struct."""

    def read(value: Any) -> Any:
        try:
            return msgspec.convert(value, kind, strict=False)
        except msgspec.ValidationError as error:
            raise Bad(f"'{value}' is not valid: {error}") from None

    return read


def free(value: Any) -> dict[str, Any]:
    """Any JSON object; null is an empty one."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise Bad(f"'{value}' is not a dictionary")
    return value


def ip(value: Any) -> str:
    """An IPv4 or IPv6 address in its usual spelling."""
    try:
        return str(ipaddress.ip_address(value)) if isinstance(value, str) else _no(value, "a valid IP address")
    except ValueError:
        raise Bad(f"'{value}' is not a valid IP address") from None


def cidr(value: Any) -> str:
    """A network as `address/length`, the host bits cleared."""
    if isinstance(value, str) and "/" in value:
        try:
            return str(ipaddress.ip_network(value, strict=False))
        except ValueError:
            pass
    return _no(value, "a valid IP subnet")


def ip_or_cidr(value: Any) -> str:
    """An address, or a network."""
    return cidr(value) if isinstance(value, str) and "/" in value else ip(value)


_MAC = re.compile(r"[0-9a-f]{2}([:-][0-9a-f]{2}){5}")


def mac(value: Any) -> str:
    """A MAC address in lower case with colons."""
    spoken = str(value).lower().replace("-", ":")
    if not isinstance(value, str) or not _MAC.fullmatch(spoken) or spoken == "00:00:00:00:00:00":
        raise Bad(f"'{value}' is not a valid MAC address")
    return spoken


def dns_label(value: Any) -> str:
    """A host name or domain name; null is none."""
    name = text(255)(value)
    if name and not re.fullmatch(r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)(\.(?!-)[A-Za-z0-9-]{1,63}(?<!-))*\.?", name):
        raise Bad(f"'{name}' not a valid PQDN or FQDN. Reason: it is no host name")
    return str(name)


def _no(value: Any, what: str) -> str:
    raise Bad(f"'{value}' is not {what}")
