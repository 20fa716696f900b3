"""Microversions: how a client and a service agree on one.

A service has a `Versions` value; the client names the one it wants in a header (`OpenStack-API-Version: compute 2.79`,
or the service's older header); none named means the lowest; `latest` the highest.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from nephele.kernel.errors import Error

Version = tuple[int, int]

BAD_VERSION = Error(
    "microversion.malformed",
    400,
    "API Version String {asked} is of invalid format. Must be of format MajorNum.MinorNum.",
)
NO_SUCH_VERSION = Error(
    "microversion.unknown",
    406,
    "Version {asked} is not supported by the API. Minimum is {minimum} and maximum is {maximum}.",
)
_FORM = re.compile(r"([1-9]\d*)\.(0|[1-9]\d*)")


def spoken(version: Version) -> str:
    """`2.79`."""
    return f"{version[0]}.{version[1]}"


def parse(text: str) -> Version:
    """`2.79` as (2, 79).  Raises BAD_VERSION."""
    found = _FORM.fullmatch(text)
    if not found:
        raise BAD_VERSION(asked=text)
    return int(found[1]), int(found[2])


@dataclass(frozen=True)
class Versions:
    """The microversions that a service speaks.

    Args:
        service: the word in the header: `compute`.
        minimum: lowest.
        maximum: highest.
        old_header: a header of the service's own from before the common one, if any.
        vary: how the answer names the common header in `Vary`.
        read: from what is asked for to the version.
    """

    service: str
    minimum: Version
    maximum: Version
    old_header: str = ""
    vary: str = "OpenStack-API-Version"
    read: Callable[[str], Version] = parse

    def negotiate(self, header: str | None, old: str | None) -> Version:
        """The version to answer in, from the common header and the service's older one.

        Raises BAD_VERSION or NO_SUCH_VERSION.
        """
        asked = old
        for part in (header or "").split(","):
            service, _, version = part.strip().partition(" ")
            if service.lower() == self.service:
                asked = version.strip()
        if not asked:
            return self.minimum
        if asked.lower() == "latest":
            return self.maximum
        version_asked = self.read(asked)
        if not self.minimum <= version_asked <= self.maximum:
            raise NO_SUCH_VERSION(asked=asked, minimum=spoken(self.minimum), maximum=spoken(self.maximum))
        return version_asked
