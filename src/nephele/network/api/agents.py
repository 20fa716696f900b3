"""Agents in the API, the networks and routers that they serve, and the zones they make available."""

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa

from nephele.kernel.clock import to_datetime
from nephele.network import errors, placing, tables
from nephele.network.api.listing import view_for
from nephele.network.api.networks import NETWORK
from nephele.network.api.routers import ROUTER
from nephele.network.attributes import Bad, boolean, text
from nephele.network.model import Agent
from nephele.network.networks import NETWORKS
from nephele.network.routers import ROUTERS
from nephele.network.service import Networks
from nephele.network.work import Work
from nephele.web.call import Call

TYPES = {"l2": "Nephele agent", "dhcp": "DHCP agent", "l3": "L3 agent"}
"""What each role is called; clients know the last two by these names."""
TOPICS = {"l2": "N/A", "dhcp": "dhcp_agent", "l3": "l3_agent"}
DEFAULT_ZONE = "nova"
_agents, _placed, _routers = tables.agents, tables.dhcp_placements, tables.routers


def _zone(agent: Agent) -> str:
    return str(agent.settings.get("availability_zone", DEFAULT_ZONE))


def _shown(work: Work, agent: Agent) -> dict[str, Any]:
    def time(instant: int) -> str:
        return to_datetime(instant).strftime("%Y-%m-%d %H:%M:%S")

    return {
        "id": agent.id,
        "agent_type": TYPES[agent.role],
        "binary": "nephele-agent",
        "topic": TOPICS[agent.role],
        "host": agent.host,
        "availability_zone": None if agent.role == "l2" else _zone(agent),
        "admin_state_up": agent.admin_state_up,
        "alive": placing.is_alive(work, agent),
        "description": agent.description or None,
        "configurations": {**agent.settings, "driver": agent.kind},
        "created_at": time(agent.created_at),
        "started_at": time(agent.started_at),
        "heartbeat_timestamp": time(work.now if agent.kind == "sim" else agent.heartbeat_at),
    }


def _all(work: Work, *conditions: sa.ColumnElement[bool]) -> list[Agent]:
    found = sa.select(_agents).where(*conditions).order_by(_agents.c.host, _agents.c.role)
    return [Agent(*row) for row in work.db.execute(found)]


def _fits(shown: dict[str, Any], asked: dict[str, list[str]]) -> bool:
    return all(str(shown.get(name)).lower() in [value.lower() for value in values] for name, values in asked.items())


def index(service: Networks, call: Call) -> dict[str, Any]:
    """List agents; who may not see them sees none."""
    names = call.query.names() - {"fields", "limit", "marker", "page_reverse", "sort_key", "sort_dir"}
    asked = {name: call.query.all(name) for name in names}
    fields = set(call.query.all("fields")) - {""}
    with service.core.reading(call.context) as work:
        agents = _all(work) if work.may("get_agent") else []
        found = [shown for agent in agents if _fits(shown := _shown(work, agent), asked)]
    return {"agents": [{key: one[key] for key in one if not fields or key in fields} for one in found]}


def show(service: Networks, call: Call) -> dict[str, Any]:
    """Show one."""
    with service.core.reading(call.context) as work:
        if not work.may("get_agent"):
            raise errors.AGENT_NOT_FOUND(id=call.path["id"])
        return {"agent": _shown(work, placing.get_agent(work, call.path["id"]))}


def update(service: Networks, call: Call) -> dict[str, Any]:
    """Switch one on or off, or describe it."""
    given = call.body.get("agent")
    readers: dict[str, Callable[[Any], Any]] = {"admin_state_up": boolean, "description": text(255)}
    if not isinstance(given, dict) or given.keys() - readers.keys():
        raise errors.BAD_BODY(reason="Only admin_state_up and description of an agent can be changed")
    try:
        values = {name: readers[name](value) for name, value in given.items()}
    except Bad as bad:
        raise errors.BAD_ATTRIBUTE(attribute="agent", reason=bad) from None
    with service.core.writing(call.context) as work:
        work.enforce("update_agent")
        agent = placing.get_agent(work, call.path["id"])
        return {"agent": _shown(work, placing.change_agent(work, agent, values))}


def delete(service: Networks, call: Call) -> None:
    """Forget one."""
    with service.core.writing(call.context) as work:
        work.enforce("delete_agent")
        placing.delete_agent(work, placing.get_agent(work, call.path["id"]))


def _of_role(work: Work, agent_id: str, role: str) -> Agent:
    agent = placing.get_agent(work, agent_id)
    if agent.role != role:
        raise errors.AGENT_WRONG_ROLE(id=agent_id, role=TYPES[role])
    return agent


def dhcp_networks(service: Networks, call: Call) -> dict[str, Any]:
    """The networks that an agent serves."""
    with service.core.reading(call.context) as work:
        work.enforce("get_dhcp-networks")
        agent = placing.get_agent(work, call.path["id"])
        here = sa.select(_placed.c.network_id).where(_placed.c.host == agent.host)
        view = view_for(work, NETWORK)
        return {"networks": [view(one) for one in NETWORKS.where(work, tables.networks.c.id.in_(here))]}


def dhcp_agents(service: Networks, call: Call) -> dict[str, Any]:
    """The agents that serve a network."""
    with service.core.reading(call.context) as work:
        work.enforce("get_dhcp-agents")
        network = NETWORKS.get(work, call.path["id"])
        hosts = sa.select(_placed.c.host).where(_placed.c.network_id == network.id)
        return {
            "agents": [_shown(work, one) for one in _all(work, _agents.c.role == "dhcp", _agents.c.host.in_(hosts))]
        }


def add_dhcp_network(service: Networks, call: Call) -> dict[str, Any]:
    """Let an agent serve a network, in place of the one that does."""
    with service.core.writing(call.context) as work:
        work.enforce("create_dhcp-network")
        agent = _of_role(work, call.path["id"], "dhcp")
        network = NETWORKS.get(work, str(call.body.get("network_id")))
        placing.move_dhcp(work, network.id, agent.host)
        return {}


def remove_dhcp_network(service: Networks, call: Call) -> None:
    """Let an agent no longer serve a network: nobody does then."""
    with service.core.writing(call.context) as work:
        work.enforce("delete_dhcp-network")
        agent = _of_role(work, call.path["id"], "dhcp")
        here = sa.and_(_placed.c.network_id == call.path["other_id"], _placed.c.host == agent.host)
        if not work.db.execute(sa.select(_placed.c.host).where(here)).first():
            raise errors.NOT_HOSTED(what="network", id=call.path["other_id"], agent_id=agent.id)
        placing.stop_dhcp(work, call.path["other_id"])


def l3_routers(service: Networks, call: Call) -> dict[str, Any]:
    """The routers that an agent runs."""
    with service.core.reading(call.context) as work:
        work.enforce("get_l3-routers")
        agent = placing.get_agent(work, call.path["id"])
        view = view_for(work, ROUTER)
        return {"routers": [view(one) for one in ROUTERS.where(work, _routers.c.host == agent.host)]}


def l3_agents(service: Networks, call: Call) -> dict[str, Any]:
    """The agent that runs a router."""
    with service.core.reading(call.context) as work:
        work.enforce("get_l3-agents")
        router = ROUTERS.get(work, call.path["id"])
        found = _all(work, _agents.c.role == "l3", _agents.c.host == router.host)
        return {"agents": [_shown(work, one) | {"ha_state": None} for one in found]}


def add_l3_router(service: Networks, call: Call) -> dict[str, Any]:
    """Let an agent run a router that none runs."""
    with service.core.writing(call.context) as work:
        work.enforce("create_l3-router")
        agent = _of_role(work, call.path["id"], "l3")
        router = ROUTERS.get(work, str(call.body.get("router_id")))
        if router.host and router.host != agent.host:
            raise errors.ROUTER_HOSTED(id=router.id, host=router.host)
        placing.move_router(work, router.id, agent.host)
        return {}


def remove_l3_router(service: Networks, call: Call) -> None:
    """Let an agent no longer run a router."""
    with service.core.writing(call.context) as work:
        work.enforce("delete_l3-router")
        agent = _of_role(work, call.path["id"], "l3")
        router = ROUTERS.get(work, call.path["other_id"])
        if router.host != agent.host:
            raise errors.NOT_HOSTED(what="router", id=router.id, agent_id=agent.id)
        placing.move_router(work, router.id, "")


def zones(service: Networks, call: Call) -> dict[str, Any]:
    """Availability zones: where agents are that serve networks and routers."""
    with service.core.reading(call.context) as work:
        work.enforce("get_availability_zone")
        state: dict[tuple[str, str], bool] = {}
        for agent in _all(work, _agents.c.role != "l2"):
            place = (_zone(agent), "network" if agent.role == "dhcp" else "router")
            state[place] = state.get(place, False) or (agent.admin_state_up and placing.is_alive(work, agent))
    names = {True: "available", False: "unavailable"}
    return {
        "availability_zones": [
            {"name": name, "resource": resource, "state": names[up]} for (name, resource), up in sorted(state.items())
        ]
    }
