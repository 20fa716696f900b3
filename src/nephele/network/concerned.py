"""Which hosts a change concerns: those with ports beside a changed one, or whose rules name its groups."""

from collections.abc import Iterable

import sqlalchemy as sa

from nephele.network import tables

_ports, _bound, _rules = tables.ports, tables.port_groups, tables.security_rules


class Concerned:
    """What was changed in one work, as far as hosts may have to hear of it."""

    def __init__(self) -> None:
        self.everyone = False
        self._hosts: set[str] = set()
        self._networks: set[str] = set()
        self._groups: set[str] = set()

    def __bool__(self) -> bool:
        return self.everyone or bool(self._networks)

    def port(self, host: str, network_id: str, groups: Iterable[str]) -> None:
        """A port came, changed or went."""
        self._hosts.add(host)
        self._networks.add(network_id)
        self._groups.update(groups)

    def among(self, db: sa.Connection, real: list[str]) -> list[str]:
        """Those of the `real` hosts that are concerned."""
        if self.everyone or len(real) < 2:
            return real
        beside = sa.select(_ports.c.host).where(_ports.c.network_id.in_(self._networks))
        named = (
            sa.select(_ports.c.host)
            .join(_bound, _bound.c.port_id == _ports.c.id)
            .join(_rules, _rules.c.security_group_id == _bound.c.group_id)
            .where(_rules.c.remote_group_id.in_(self._groups))
        )
        found = self._hosts | set(db.execute(sa.union(beside, named)).scalars())
        return [host for host in real if host in found]
