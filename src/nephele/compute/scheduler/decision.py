"""A decision as a record: what each check said of each host, and what the weighers gave those that fit."""

from collections.abc import Mapping

from msgspec import Struct


class Refusal(Struct, frozen=True, kw_only=True):
    """Why one check refuses one host.

    Args:
        reason: the kind, the same for all hosts: `short of memory`.
        detail: of this host: `2210 MB free`.
        need: what is needed, where it is a figure.
        have: what the host has of it.
        unit: of both figures.
    """

    reason: str
    detail: str = ""
    need: int | None = None
    have: int | None = None
    unit: str = ""


class Verdict(Struct, frozen=True):
    """What one check says of one host; no refusal: passed."""

    check: str
    refusal: Refusal | None = None


class HostVerdict(Struct, frozen=True, kw_only=True):
    """All that is known of one host: it fits if no verdict refuses it, and has weights then."""

    host: str
    hypervisor_hostname: str
    provider_uuid: str
    verdicts: tuple[Verdict, ...] = ()
    weights: Mapping[str, float] = {}
    weight: float = 0.0


class Tally(Struct, frozen=True, kw_only=True):
    """One reason over all hosts: how many it refused, and how near the best of them came."""

    check: str
    reason: str
    hosts: int
    need: int | None = None
    best: int | None = None
    unit: str = ""


class Decision(Struct, frozen=True, kw_only=True):
    """What was decided.

    Args:
        hosts: how many were looked at.
        fitting: how many of them fit.
        best: those that fit, best first, cut at the number that was asked for.
        refused: those that do not, with every verdict; cut at the same number, and empty unless explaining.
        refused_by: how many hosts each check turned away; each host counts at the first check that did, or at
            every one if `explained`.
        tallies: why the refused ones do not fit, most frequent first; empty unless explaining.
        explained: whether every check was made of every host.
    """

    hosts: int
    fitting: int
    best: tuple[HostVerdict, ...]
    refused: tuple[HostVerdict, ...] = ()
    refused_by: Mapping[str, int] = {}
    tallies: tuple[Tally, ...] = ()
    explained: bool = False

    def summary(self) -> str:
        """One sentence that leads with the truth; of use where nothing fits and all was explained."""
        if not self.hosts:
            return "No host fits: there are no hosts"
        if self.fitting:
            return f"{self.fitting} of {self.hosts} hosts fit"
        return "No host fits: " + "; ".join(self._speak(tally) for tally in self.tallies)

    def _speak(self, tally: Tally) -> str:
        said = f"{tally.hosts} of {self.hosts} {tally.reason}"
        if tally.need is None:
            return said
        unit = f" {tally.unit}" if tally.unit else ""
        return f"{said}, need {tally.need}{unit}, best has {tally.best}{unit}"
