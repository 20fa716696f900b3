"""The scheduler: picks the best host and claims what the server needs there (step 7 of a launch)."""

import logging

import msgspec
from msgspec.structs import replace

from nephele.compute.scheduler.decision import Decision, HostVerdict
from nephele.compute.scheduler.errors import NO_VALID_HOST
from nephele.compute.scheduler.filters import prepare
from nephele.compute.scheduler.hosts import JoinedHosts
from nephele.compute.scheduler.messages import (
    CHECK_HOST,
    SELECT_HOST,
    CheckHost,
    HostChecked,
    SelectHost,
    Selection,
)
from nephele.compute.scheduler.model import HostSource, HostState, SelectRequest, Settings
from nephele.compute.scheduler.resources import read_request
from nephele.compute.scheduler.select import select_hosts
from nephele.kernel.bus import Bus
from nephele.kernel.errors import Refused
from nephele.kernel.store import Store
from nephele.kernel.trace import Recorder
from nephele.placement.service import Placement

log = logging.getLogger(__name__)

ALTERNATES = 3
OF_THE_IMAGE = frozenset({"Traits", "ImagePropertiesFilter", "IsolatedHostsFilter"})
"""The checks whose answer another image can change."""


class Scheduler:
    """Answers SELECT_HOST.

    Args:
        store: claims and the source's `place` share one transaction of it.
        placement: where claims are made.
        source: the hosts.
        settings: filters, weighers, multipliers.
    """

    def __init__(
        self, store: Store, placement: Placement, source: HostSource, settings: Settings | None = None
    ) -> None:
        self._store = store
        self._placement = placement
        self._source = source
        self.settings = settings or Settings()
        self._hosts = JoinedHosts(source, placement)

    def serve(self, bus: Bus) -> None:
        """Take requests from the bus."""
        bus.serve(SELECT_HOST, self._answer_bus)
        bus.serve(CHECK_HOST, self.check_host)

    def _answer_bus(self, asked: SelectHost) -> Selection:
        """Steps 6 and 7 of a launch, recorded."""
        trace = Recorder()
        with trace.span("nova-scheduler", "picks the request up", 6) as span:
            span.detail["server"] = asked.server_id
        with trace.span("nova-scheduler", "filters, weighs, claims; the instance gets its host", 7) as span:
            chosen = self.select_host(asked)
            span.detail |= {
                "host": chosen.host,
                "fitting": f"{chosen.fitting} of {chosen.hosts}",
                "weights": [f"{name} {value:.2f}" for name, value in chosen.weights.items()],
                "claimed": [f"{name} {amount}" for name, amount in chosen.resources.items()],
            }
        return msgspec.structs.replace(chosen, spans=trace.take())

    def select_host(self, asked: SelectHost) -> Selection:
        """Choose a host, claim there, and say why it was chosen.

        A host that somebody else's claim filled meanwhile is passed over for the next best.  In a dry run
        nothing is claimed, and where no host fits the answer names none and has the decision.

        Raises:
            NO_VALID_HOST: with the sentence that says why, and the decision as a fact.
        """
        request = read_request(asked)
        if asked.dry_run:
            decision = self._decide(request, explain=asked.explain)
            if not (decision.best or decision.explained):
                decision = self._decide(request, explain=True)
            return self._answer(request, decision, None, {})
        if asked.forced:
            return self._force(request)
        lost: dict[str, str] = {}
        trying = request
        while (decision := self._decide(trying, explain=asked.explain)).best:
            for verdict in decision.best:
                refused = self._claim(request, self._hosts.find(verdict.provider_uuid))
                if not refused:
                    return self._answer(request, decision, verdict, lost)
                lost[verdict.host] = refused
            exclude = asked.exclude_hosts | lost.keys()
            trying = replace(request, asked=replace(asked, exclude_hosts=exclude))
        decision = self._decide(request, explain=True)
        summary = decision.summary()
        if decision.fitting:
            summary = f"No host fits: {len(lost)} of {decision.hosts} were lost to others: {next(iter(lost.values()))}"
        raise NO_VALID_HOST(summary=summary, decision=decision, server_id=asked.server_id)

    def _force(self, request: SelectRequest) -> Selection:
        """The host that was named, whatever the checks would say of it; only room must be there."""
        asked, hosts = request.asked, self._hosts.now()
        host = next((host for host in hosts if host.host == asked.host), None)
        refused = self._claim(request, host)
        if host is None or refused:
            summary = f"No host fits: {asked.host}: {refused}"
            raise NO_VALID_HOST(summary=summary, server_id=asked.server_id)
        chosen = HostVerdict(
            host=host.host, hypervisor_hostname=host.hypervisor_hostname, provider_uuid=host.provider_uuid
        )
        return self._answer(request, Decision(hosts=len(hosts), fitting=1, best=(chosen,)), chosen, {})

    def check_host(self, ask: CheckHost) -> HostChecked:
        """Whether a server's own host can run another image; only what an image may ask for is checked."""
        request = read_request(ask.asked)
        host = next((host for host in self._hosts.now() if host.host == ask.host), None)
        if host is None:
            return HostChecked("the host is gone")
        for name, test in prepare(request, self.settings):
            if name in OF_THE_IMAGE and not test.passes(host):
                refusal = test.why(host)
                return HostChecked(f"{refusal.reason} {refusal.detail}".strip())
        return HostChecked()

    def _decide(self, request: SelectRequest, *, explain: bool) -> Decision:
        return select_hosts(request, self._hosts.now(), self.settings, explain=explain)

    def _claim(self, request: SelectRequest, host: HostState | None) -> str:
        """Claim on the host and let compute take the server in, both or neither; says why not, if not."""
        asked = request.asked
        if host is None:
            return "the host is gone"
        try:
            with self._store.write():
                self._placement.claim(
                    asked.consumer_id or asked.server_id,
                    {host.provider_uuid: request.resources},
                    project_id=asked.project_id,
                    user_id=asked.user_id,
                )
                self._source.place(asked, host)
        except Refused as refused:
            log.info("server %s lost host %s: %s", asked.server_id, host.host, refused.message)
            return refused.message
        return ""

    def _answer(
        self, request: SelectRequest, decision: Decision, chosen: HostVerdict | None, lost: dict[str, str]
    ) -> Selection:
        asked = request.asked
        if chosen is None and decision.best:
            chosen = decision.best[0]
        others = [verdict.host for verdict in decision.best if verdict is not chosen and verdict.host not in lost]
        return Selection(
            host=chosen.host if chosen else "",
            hypervisor_hostname=chosen.hypervisor_hostname if chosen else "",
            provider_uuid=chosen.provider_uuid if chosen else "",
            resources=request.resources,
            weight=chosen.weight if chosen else 0.0,
            weights=chosen.weights if chosen else {},
            hosts=decision.hosts,
            fitting=decision.fitting,
            refused=decision.refused_by,
            alternates=tuple(others[:ALTERNATES]),
            lost_races=tuple(lost),
            decision=decision if asked.explain or asked.dry_run else None,
        )
