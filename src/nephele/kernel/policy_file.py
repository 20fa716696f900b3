"""What an operator puts over a service's default rules: a `policy.yaml` in OpenStack's form, followed while it changes.

    "os_compute_api:servers:create": "role:member and project_id:%(project_id)s"

A file that can't be read is refused with its line, and the last good one stays.  Where there is none the defaults hold.
"""

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nephele.kernel.clock import SECOND, Clock, Instant
from nephele.kernel.errors import Error, Refused
from nephele.kernel.policy import Policy, PolicyError

if TYPE_CHECKING:
    import yaml

log = logging.getLogger(__name__)

BAD_POLICY_FILE = Error(
    "policy.bad_file",
    400,
    "{file}, line {line}: {reason}",
    "The rules that held before go on to hold: repair the file.",
)
LOOK_EVERY: Instant = SECOND // 2
"""How long a change may go unnoticed."""


class PolicyFile:
    """The file of one service's rules.

    Args:
        path: the file; it need not be there.
        policy: what it is put over.
        clock: the time.
    """

    def __init__(self, path: Path, policy: Policy, clock: Clock) -> None:
        self.path, self.policy, self._clock = path, policy, clock
        self.refused: Refused | None = None
        """Why the file as it is now does not hold."""
        self.unknown: tuple[str, ...] = ()
        """Rules of the file that no operation asks for and no other rule names."""
        self._seen = self._stamp()
        self._look_at: Instant = 0

    def load(self) -> None:
        """Read the file and let its rules hold.  Raises BAD_POLICY_FILE, and the rules stay as they are."""
        rules, lines = read_rules(self.path)
        try:
            self.policy.override(rules)
        except PolicyError as error:
            line = lines.get(str(error).partition(": ")[0], 1)
            raise BAD_POLICY_FILE(file=self.path, line=line, reason=_rest(error, lines)) from None
        named = {word for text in rules.values() for word in text.replace("(", " ").replace(")", " ").split()}
        self.unknown = tuple(name for name in rules if name not in self.policy.defaults and f"rule:{name}" not in named)
        if self.unknown:
            log.warning("%s: nothing asks for %s", self.path, ", ".join(self.unknown))

    def start(self) -> None:
        """Load the file and follow it from now on.  Raises BAD_POLICY_FILE."""
        self.load()
        self.policy.before_asking = self.follow

    def follow(self) -> None:
        """Load the file again if it changed since it was looked at last."""
        now = self._clock.now()
        if now < self._look_at:
            return
        self._look_at = now + LOOK_EVERY
        stamp = self._stamp()
        if stamp == self._seen:
            return
        self._seen = stamp
        try:
            self.load()
        except Refused as refused:
            self.refused = refused
            log.error("%s. %s", refused.message, refused.error.next_step)
        else:
            self.refused = None
            log.info("%s: read again", self.path)

    def _stamp(self) -> tuple[int, int, int]:
        try:
            found = self.path.stat()
        except FileNotFoundError:
            return 0, 0, 0
        return found.st_mtime_ns, found.st_size, found.st_ino


def _rest(error: PolicyError, lines: dict[str, int]) -> str:
    """The sentence; where a default rule stumbles over one of the file's, the whole of it."""
    name, _, rest = str(error).partition(": ")
    return f"rule {name!r}: {rest}" if name in lines else str(error)


def read_rules(path: Path) -> tuple[dict[str, str], dict[str, int]]:
    """The check texts in a policy file, and the line of each.  Raises BAD_POLICY_FILE."""
    try:
        text = path.read_text()
    except FileNotFoundError:
        return {}, {}
    except (OSError, UnicodeDecodeError) as error:
        raise BAD_POLICY_FILE(file=path, line=1, reason=error) from None
    import yaml

    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        reason = getattr(error, "problem", None) or error
        raise BAD_POLICY_FILE(file=path, line=mark.line + 1 if mark else 1, reason=reason) from None
    if root is None:
        return {}, {}
    if not isinstance(root, yaml.MappingNode):
        raise BAD_POLICY_FILE(file=path, line=1, reason="it must be a mapping of rule names to checks")
    rules: dict[str, str] = {}
    lines: dict[str, int] = {}
    for key, value in root.value:
        line = key.start_mark.line + 1
        if not isinstance(key, yaml.ScalarNode):
            raise BAD_POLICY_FILE(file=path, line=line, reason="the name of a rule must be a text")
        if key.value in rules:
            raise BAD_POLICY_FILE(
                file=path, line=line, reason=f"rule {key.value!r} is there twice, first in line {lines[key.value]}"
            )
        rules[key.value], lines[key.value] = _check_text(path, key.value, value), line
    return rules, lines


def _check_text(path: Path, name: str, value: "yaml.Node") -> str:
    """The text of a rule; oslo.policy's older form, a list of lists, says `or` of `and`s."""
    import yaml

    def refuse(node: Any) -> Refused:
        reason = f"rule {name!r}: the check must be a text"
        return BAD_POLICY_FILE(file=path, line=node.start_mark.line + 1, reason=reason)

    if isinstance(value, yaml.ScalarNode) and value.tag in ("tag:yaml.org,2002:str", "tag:yaml.org,2002:null"):
        return str(value.value) if value.tag.endswith(":str") else ""
    if not isinstance(value, yaml.SequenceNode):
        raise refuse(value)
    either = []
    for part in value.value:
        words = part.value if isinstance(part, yaml.SequenceNode) else [part]
        if not all(isinstance(word, yaml.ScalarNode) for word in words):
            raise refuse(part)
        either.append(" and ".join(word.value for word in words))
    return " or ".join(f"({both})" for both in either if both)
