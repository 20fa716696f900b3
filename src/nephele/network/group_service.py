"""Security groups as other parts of the cloud ask for them, in the name of a caller."""

from collections.abc import Collection

import msgspec
import sqlalchemy as sa

from nephele.kernel.context import Context
from nephele.network import tables
from nephele.network.errors import GROUP_NOT_FOUND
from nephele.network.model import SecurityGroup, SecurityRule
from nephele.network.ports import PORTS, change_port
from nephele.network.records import BLANK
from nephele.network.security_groups import (
    GROUPS,
    RULES,
    NewRule,
    change_group,
    create_group,
    create_rules,
    default_group,
    delete_group,
    delete_rule,
    has_default,
    read_protocol,
    resolve_groups,
)
from nephele.network.work import Core

_groups, _bound, _ports = tables.security_groups, tables.port_groups, tables.ports


class SecurityGroups:
    """Security groups, their rules, and which of them a server's ports have."""

    def __init__(self, core: Core) -> None:
        self.core = core

    def list_all(self, context: Context, *, everyone: bool = False) -> list[SecurityGroup]:
        """The groups of the caller's project, its default one at least; for administrators those of `everyone`."""
        with self.core.reading(context) as work:
            missing = not has_default(work, work.me)
        if missing:
            with self.core.writing(context) as work:
                default_group(work, work.me)
        with self.core.reading(context) as work:
            mine = [] if everyone and work.everything else [_groups.c.project_id == work.me]
            return GROUPS.where(work, *mine)

    def get(self, context: Context, group_id: str) -> SecurityGroup:
        """One group.  Raises GROUP_NOT_FOUND."""
        with self.core.reading(context) as work:
            return GROUPS.get(work, group_id)

    def create(self, context: Context, name: str, description: str) -> SecurityGroup:
        """A new group of the caller's project, which lets everything out.  Raises OVER_QUOTA, DEFAULT_EXISTS."""
        with self.core.writing(context) as work:
            work.enforce("create_security_group")
            draft = {**BLANK, "description": description, "project_id": work.me, "name": name, "stateful": True}
            return create_group(work, SecurityGroup(**draft))

    def change(self, context: Context, group_id: str, name: str, description: str) -> SecurityGroup:
        """Another name and description.  Raises GROUP_NOT_FOUND, DEFAULT_FIXED."""
        with self.core.writing(context) as work:
            old = GROUPS.get(work, group_id)
            work.enforce("update_security_group", {"project_id": old.project_id})
            return change_group(work, old, msgspec.structs.replace(old, name=name, description=description))

    def delete(self, context: Context, group_id: str) -> None:
        """Remove one.  Raises GROUP_NOT_FOUND, GROUP_IN_USE, GROUP_IS_DEFAULT."""
        with self.core.writing(context) as work:
            group = GROUPS.get(work, group_id)
            work.enforce("delete_security_group", {"project_id": group.project_id})
            delete_group(work, group)

    def let_in(
        self,
        context: Context,
        group_id: str,
        *,
        protocol: str | None,
        ports: tuple[int | None, int | None],
        cidr: str | None,
        remote_group_id: str | None,
    ) -> SecurityRule:
        """Add a rule for what comes in: `ports` are the first and the last, or ICMP's type and code."""
        with self.core.writing(context) as work:
            new = NewRule(
                project_id=work.me,
                security_group_id=group_id,
                direction="ingress",
                ethertype="IPv6" if ":" in (cidr or "") else "IPv4",
                protocol=read_protocol(protocol),
                port_range_min=ports[0],
                port_range_max=ports[1],
                remote_ip_prefix=cidr,
                remote_group_id=remote_group_id,
            )
            return create_rules(work, [new])[0]

    def delete_rule(self, context: Context, rule_id: str) -> None:
        """Remove a rule.  Raises RULE_NOT_FOUND."""
        with self.core.writing(context) as work:
            rule = RULES.get(work, rule_id)
            work.enforce("delete_security_group_rule", {"project_id": rule.project_id})
            delete_rule(work, rule)

    def of_server(self, context: Context, server_id: str) -> list[SecurityGroup]:
        """The groups that a server's ports have, each once."""
        mine = sa.select(_bound.c.group_id).join(_ports, _ports.c.id == _bound.c.port_id)
        with self.core.reading(context) as work:
            return GROUPS.where(work, _groups.c.id.in_(mine.where(_ports.c.device_id == server_id)))

    def owners(self, context: Context, group_ids: Collection[str]) -> dict[str, tuple[str, str]]:
        """Each group's name and project."""
        wanted = sa.select(_groups.c.id, _groups.c.name, _groups.c.project_id).where(_groups.c.id.in_(group_ids))
        with self.core.reading(context) as work:
            return {group_id: (name, project_id) for group_id, name, project_id in work.db.execute(wanted)}

    def give(self, context: Context, server_id: str, name_or_id: str) -> None:
        """Let all ports of a server have a group.  Raises GROUP_NOT_FOUND, GROUP_AMBIGUOUS."""
        with self.core.writing(context) as work:
            (group_id,) = resolve_groups(work, [name_or_id])
            for port in PORTS.where(work, _ports.c.device_id == server_id):
                if group_id not in port.security_groups:
                    groups = (*port.security_groups, group_id)
                    change_port(work, port, msgspec.structs.replace(port, security_groups=groups))

    def take(self, context: Context, server_id: str, name_or_id: str) -> None:
        """Take a group from all ports of a server.  Raises GROUP_NOT_FOUND, where no port has it too."""
        with self.core.writing(context) as work:
            (group_id,) = resolve_groups(work, [name_or_id])
            having = [p for p in PORTS.where(work, _ports.c.device_id == server_id) if group_id in p.security_groups]
            if not having:
                raise GROUP_NOT_FOUND(id=name_or_id)
            for port in having:
                groups = tuple(one for one in port.security_groups if one != group_id)
                change_port(work, port, msgspec.structs.replace(port, security_groups=groups))
