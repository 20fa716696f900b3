"""Agents, and what runs where: each host's agent plays roles, and DHCP services and routers are placed on them."""

import uuid
from collections.abc import Sequence

import sqlalchemy as sa

from nephele.network import errors, tables
from nephele.network.binding import SIMULATED
from nephele.network.ipam import WantedIp
from nephele.network.model import Agent, Owner
from nephele.network.work import Work

ROLES = ("l2", "dhcp", "l3")
_agents, _placed, _ports, _networks = tables.agents, tables.dhcp_placements, tables.ports, tables.networks


def register_agent(
    work: Work, host: str, kind: str, settings: dict[str, object], roles: tuple[str, ...] = ROLES, address: str = ""
) -> None:
    """A host's agent has come: it may be given ports, and what its roles say.

    Args:
        work: inside a `writing()`.
        host: as Compute calls it.
        kind: `sim` for a simulated host, else what it wires with, such as `linux`.
        settings: shown as the agent's configurations.
        roles: `l2` takes ports, `dhcp` serves addresses, `l3` routes.
        address: where other hosts send its tunnels' packets.
    """
    known = {agent.role: agent for agent in _of_host(work, host)}
    work.core.forget_hosts()
    for role in roles:
        values = {
            "kind": kind,
            "settings": settings,
            "address": address,
            "started_at": work.now,
            "heartbeat_at": work.now,
        }
        if role in known:
            work.db.execute(sa.update(_agents).where(_agents.c.id == known[role].id).values(values))
        else:
            fixed = {
                "id": str(uuid.uuid5(uuid.NAMESPACE_DNS, f"{role}.{host}")),
                "host": host,
                "role": role,
                "admin_state_up": True,
                "description": "",
                "created_at": work.now,
            }
            work.db.execute(sa.insert(_agents).values(fixed | values))
    if known and {agent.kind for agent in known.values()} == {kind}:
        return
    if "dhcp" in roles:
        for network_id in work.db.execute(sa.select(_networks.c.id)).scalars().all():
            renew_dhcp(work, network_id)
    if "l3" in roles:
        _adopt_routers(work, host)
    work.rewire()


def heartbeat(work: Work, hosts: Sequence[str]) -> None:
    """The agents of these hosts are alive."""
    work.db.execute(sa.update(_agents).where(_agents.c.host.in_(hosts)).values(heartbeat_at=work.now))


def leave_dead_hosts(work: Work) -> list[str]:
    """Routers and DHCP services of hosts that nobody has heard of for a while go to hosts that are alive.

    Where none is, they stay.  Answers with the hosts that were left.
    """
    if work.now - work.core.started_at < work.core.settings.agent_timeout * 1_000_000:
        return []
    silent = work.now - work.core.settings.agent_timeout * 1_000_000
    dead = sa.select(_agents.c.host).where(_agents.c.kind != SIMULATED, _agents.c.heartbeat_at < silent)
    routers = tables.routers
    routed = sa.select(routers.c.id, routers.c.host).where(routers.c.host.in_(dead))
    served = sa.select(_placed.c.network_id, _placed.c.host).where(_placed.c.host.in_(dead))
    left = set()
    for role, things, move in (("l3", routed, move_router), ("dhcp", served, move_dhcp)):
        for one, host in work.db.execute(things).all():
            agent = host_for(work, role)
            if agent is not None and agent.host != host and is_alive(work, agent) and agent.kind != SIMULATED:
                move(work, one, agent.host)
                left.add(host)
    return sorted(left)


def _of_host(work: Work, host: str) -> list[Agent]:
    return [Agent(*row) for row in work.db.execute(sa.select(_agents).where(_agents.c.host == host))]


def get_agent(work: Work, agent_id: str) -> Agent:
    """The agent with that id.  Raises AGENT_NOT_FOUND."""
    row = work.db.execute(sa.select(_agents).where(_agents.c.id == agent_id)).first()
    if row is None:
        raise errors.AGENT_NOT_FOUND(id=agent_id)
    return Agent(*row)


def is_alive(work: Work, agent: Agent) -> bool:
    """Whether its heartbeat is recent; a simulated host is alive as long as this process."""
    return agent.kind == SIMULATED or work.now - agent.heartbeat_at < work.core.settings.agent_timeout * 1_000_000


def change_agent(work: Work, agent: Agent, values: dict[str, object]) -> Agent:
    """Switch an agent's role on or off, or describe it."""
    if values:
        work.db.execute(sa.update(_agents).where(_agents.c.id == agent.id).values(values))
    return get_agent(work, agent.id)


def delete_agent(work: Work, agent: Agent) -> None:
    """Forget a role of a host's agent; it comes back when the agent registers again."""
    work.db.execute(sa.delete(_agents).where(_agents.c.id == agent.id))
    work.core.forget_hosts()


def host_for(work: Work, role: str) -> Agent | None:
    """An agent to give something to: a real host before a simulated one, the least loaded first."""
    able = sa.select(_agents).where(_agents.c.role == role, _agents.c.admin_state_up)
    has = tables.routers if role == "l3" else _placed
    load = sa.select(has.c.host, sa.func.count().label("count")).group_by(has.c.host).subquery()
    real = able.where(_agents.c.kind != SIMULATED).outerjoin(load, load.c.host == _agents.c.host)
    by_load = real.order_by(sa.func.coalesce(load.c.count, 0), _agents.c.host).limit(50)
    agents = [Agent(*row) for row in work.db.execute(by_load)]
    if not agents:
        simulated = able.where(_agents.c.kind == SIMULATED).order_by(_agents.c.host).limit(1)
        agents = [Agent(*row) for row in work.db.execute(simulated)]
    alive = [agent for agent in agents if is_alive(work, agent)] or agents
    return alive[0] if alive else None


def renew_dhcp(work: Work, network_id: str) -> None:
    """Give a network's DHCP service a host and a port with an address of each subnet it serves, or take them away."""
    from nephele.network.networks import NETWORKS
    from nephele.network.ports import PORTS, NewPort, change_port, make_port, remove_ports
    from nephele.network.subnets import subnets_of

    inner = work.as_service()
    served = [subnet for subnet in subnets_of(inner, network_id) if subnet.enable_dhcp]
    ports = PORTS.where(inner, _ports.c.network_id == network_id, _ports.c.device_owner == Owner.DHCP)
    host = _dhcp_host(inner, network_id) if served else None
    if host is None or host.kind == SIMULATED:
        remove_ports(inner, [port.id for port in ports])
        return
    wanted = tuple(WantedIp(subnet.id) for subnet in served)
    if ports:
        change_port(inner, ports[0], ports[0], wanted)
        return
    network = NETWORKS.any(inner, network_id)
    new = NewPort(
        project_id=network.project_id,
        network_id=network_id,
        fixed_ips=wanted,
        device_id=f"dhcp-{network_id}",
        device_owner=Owner.DHCP,
        host=host.host,
    )
    make_port(inner, network, new, counted=False)


def _dhcp_host(work: Work, network_id: str) -> Agent | None:
    """The agent that serves the network; it is placed where it was nowhere yet."""
    placed = sa.select(_agents).join(_placed, _placed.c.host == _agents.c.host)
    row = work.db.execute(placed.where(_placed.c.network_id == network_id, _agents.c.role == "dhcp")).first()
    agent = Agent(*row) if row else None
    if agent is None or agent.kind == SIMULATED:
        chosen = host_for(work, "dhcp")
        if chosen is None or (agent and chosen.host == agent.host):
            return agent
        work.db.execute(sa.delete(_placed).where(_placed.c.network_id == network_id))
        work.db.execute(sa.insert(_placed).values(network_id=network_id, host=chosen.host))
        return chosen
    return agent


def place_router(work: Work, router_id: str) -> None:
    """Give a router a host, where it has none; its ports are bound there."""
    routers = tables.routers
    agent = host_for(work, "l3")
    if agent is None:
        return
    here = sa.update(routers).where(routers.c.id == router_id, routers.c.host == "")
    work.db.execute(here.values(host=agent.host))


def move_dhcp(work: Work, network_id: str, host: str) -> None:
    """Let the DHCP service of a network run on that host."""
    stop_dhcp(work, network_id)
    work.db.execute(sa.insert(_placed).values(network_id=network_id, host=host))
    renew_dhcp(work, network_id)
    work.rewire()


def stop_dhcp(work: Work, network_id: str) -> None:
    """Let nobody serve the network until it is placed again."""
    from nephele.network.ports import remove_ports

    work.db.execute(sa.delete(_placed).where(_placed.c.network_id == network_id))
    served = sa.select(_ports.c.id).where(_ports.c.network_id == network_id, _ports.c.device_owner == Owner.DHCP)
    remove_ports(work, list(work.db.execute(served).scalars()))
    work.rewire()


def move_router(work: Work, router_id: str, host: str) -> None:
    """Let a router run on that host (empty: nowhere); its ports go with it."""
    from nephele.network.binding import bind

    routers = tables.routers
    vif_type, status, failure = bind(work, host)
    work.db.execute(sa.update(routers).where(routers.c.id == router_id).values(host=host))
    legs = sa.update(_ports).where(_ports.c.device_id == router_id, _ports.c.device_owner.like("network:router%"))
    work.db.execute(legs.values(host=host, vif_type=vif_type, status=status, failure=failure))
    work.rewire()


def _adopt_routers(work: Work, host: str) -> None:
    """Routers without a host, or on a simulated one where this one is real, move here; so do their ports."""
    from nephele.network.binding import bind

    routers = tables.routers
    simulated = sa.select(_agents.c.host).where(_agents.c.kind == SIMULATED)
    real = work.db.execute(sa.select(_agents.c.id).where(_agents.c.host == host, _agents.c.kind != SIMULATED)).first()
    homeless = sa.or_(routers.c.host == "", routers.c.host.in_(simulated)) if real else routers.c.host == ""
    ids = list(work.db.execute(sa.select(routers.c.id).where(homeless)).scalars())
    if ids:
        vif_type, status, failure = bind(work, host)
        work.db.execute(sa.update(routers).where(routers.c.id.in_(ids)).values(host=host))
        legs = sa.update(_ports).where(_ports.c.device_id.in_(ids), _ports.c.device_owner.like("network:router%"))
        work.db.execute(legs.values(host=host, vif_type=vif_type, status=status, failure=failure))
