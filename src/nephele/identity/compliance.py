"""How strong a password must be, and how long it lasts."""

import re
from functools import lru_cache

from nephele.identity.errors import PASSWORD_TOO_WEAK
from nephele.identity.model import Compliance
from nephele.kernel.clock import SECOND, Instant

DAY: Instant = 86_400 * SECOND


def check_strength(rules: Compliance, password: str) -> None:
    """Raise PASSWORD_TOO_WEAK where the password does not match."""
    if rules.password_regex and not _pattern(rules.password_regex).match(password):
        raise PASSWORD_TOO_WEAK(requirements=rules.password_regex_description or rules.password_regex)


def expiry(rules: Compliance, set_at: Instant) -> Instant:
    """When a password that was set then expires; 0: never."""
    return set_at + rules.password_expires_days * DAY if rules.password_expires_days else 0


@lru_cache(8)
def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text)
