"""What is demanded of passwords and of those who use them: Keystone's `[security_compliance]`."""

import re
from functools import lru_cache

from msgspec import Struct

from nephele.identity.errors import PASSWORD_TOO_WEAK
from nephele.kernel.clock import SECOND, Instant

DAY: Instant = 86_400 * SECOND


class Compliance(Struct, frozen=True, forbid_unknown_fields=True):
    """By upstream's names; 0 or empty: not demanded.

    Args:
        lockout_failure_attempts: wrong passwords in a row after which a user is locked out.
        lockout_duration: for so many seconds; 0: until an administrator sets a new password.
        password_expires_days: days after which a password must be changed.
        unique_last_password_count: passwords, the present one included, that a new one must differ from.
        minimum_password_age: days that a password must be used before its user may change it again.
        password_regex: what a password must match.
        password_regex_description: what the refusal says of it.
        change_password_upon_first_use: a password that an administrator sets is good for changing it only.
        disable_user_account_days_inactive: days without a sign-in after which a user counts as disabled.
    """

    lockout_failure_attempts: int = 0
    lockout_duration: int = 1800
    password_expires_days: int = 0
    unique_last_password_count: int = 0
    minimum_password_age: int = 0
    password_regex: str = ""
    password_regex_description: str = ""
    change_password_upon_first_use: bool = False
    disable_user_account_days_inactive: int = 0

    def __post_init__(self) -> None:
        try:
            _pattern(self.password_regex)
        except re.error as error:
            raise ValueError(f"password_regex is no regular expression: {error}") from None

    def check_strength(self, password: str) -> None:
        """Raise PASSWORD_TOO_WEAK where the password does not match."""
        if self.password_regex and not _pattern(self.password_regex).match(password):
            raise PASSWORD_TOO_WEAK(requirements=self.password_regex_description or self.password_regex)

    def expiry(self, set_at: Instant) -> Instant:
        """When a password that was set then expires; 0: never."""
        return set_at + self.password_expires_days * DAY if self.password_expires_days else 0


@lru_cache(8)
def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text)
