"""One request as a handler sees it: verified, negotiated, decoded."""

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from nephele.kernel.context import Context
from nephele.kernel.errors import BAD_REQUEST
from nephele.web.microversions import Version

if TYPE_CHECKING:
    import falcon.asgi

    from nephele.kernel.policy import Target
    from nephele.web.routing import Api


_MOST = 0x7FFFFFFF


class Query:
    """The query string: names may come more than once."""

    __slots__ = ("pairs",)

    def __init__(self, text: str) -> None:
        self.pairs = parse_qsl(text, keep_blank_values=True) if text else []

    def get(self, name: str, default: str = "") -> str:
        """The last value of `name`."""
        return next((value for key, value in reversed(self.pairs) if key == name), default)

    def all(self, name: str) -> list[str]:
        """Every value of `name`, in order."""
        return [value for key, value in self.pairs if key == name]

    def names(self) -> set[str]:
        """What was asked."""
        return {key for key, _value in self.pairs}

    def flag(self, name: str, *, default: bool = False) -> bool:
        """A truth value in any of OpenStack's spellings.  Raises BAD_REQUEST for anything else."""
        text = self.get(name).lower()
        if text in ("1", "t", "true", "on", "y", "yes"):
            return True
        if text in ("0", "f", "false", "off", "n", "no"):
            return False
        if text == "":
            return default
        raise BAD_REQUEST(reason=f"Invalid value for {name}: {text!r}. Accepted: true, false.")

    def whole(self, name: str, default: int) -> int:
        """A whole number ≥ 0 that a 32-bit integer holds.  Raises BAD_REQUEST for anything else."""
        text = self.get(name)
        if not text:
            return default
        if not re.fullmatch(r"[0-9]{1,10}", text) or int(text) > _MOST:
            raise BAD_REQUEST(
                reason=f"Invalid input for query parameter {name}. Value: {text[:40]}. It must be an integer >= 0."
            )
        return int(text)

    def __contains__(self, name: str) -> bool:
        return any(key == name for key, _value in self.pairs)


class Call:
    """One request.

    `base_url` is where the service is as this client sees it (`http://host:port/compute`), without a slash at
    its end; `body` has the type that the route names; `version` is (0, 0) for services without microversions.
    """

    __slots__ = (
        "api",
        "base_url",
        "body",
        "context",
        "path",
        "query",
        "read_us",
        "received_at",
        "request",
        "subject",
        "verify_us",
        "version",
    )

    def __init__(
        self,
        api: "Api",
        request: "falcon.asgi.Request",
        context: Context,
        path: dict[str, str],
        version: Version,
        base_url: str,
    ) -> None:
        self.api = api
        self.request = request
        self.context = context
        self.path = path
        self.version = version
        self.base_url = base_url
        self.query = Query(request.query_string)
        self.body: Any = None
        self.received_at = 0
        """The instant when the request came; what follows are microseconds."""
        self.subject: Context | None = None
        """Whom a sign-in was for, as far as that is known; the audit says so."""
        self.verify_us = 0
        self.read_us = 0

    def header(self, name: str) -> str:
        """A request header, empty where it was not sent."""
        return self.request.get_header(name) or ""

    def enforce(self, rule: str, target: "Target | None" = None) -> None:
        """Raise FORBIDDEN unless the policy's `rule` lets the caller act on the target."""
        self.api.policy.enforce(rule, self.context, target)

    def may(self, rule: str, target: "Target | None" = None) -> bool:
        """Whether the policy's `rule` lets the caller act on the target (its own project where none is given)."""
        own = {"project_id": self.context.project_id, "user_id": self.context.user_id}
        return self.api.policy.allows(rule, self.context, own if target is None else target)
