"""Removes all that the agent made in a host: namespaces with their DHCP servers, links, rules, files."""

import shutil

from nephele.network.agent import netns
from nephele.network.agent.converge import Kernel
from nephele.network.agent.ground import run_folder
from nephele.network.agent.nft import Ruleset
from nephele.network.agent.plan import Plan
from nephele.network.agent.settings import AgentSettings
from nephele.network.agent.spaces import Space


def clean(settings: AgentSettings) -> dict[str, str]:
    """Leave nothing of ours; the answer says what couldn't be removed and why."""
    shutil.rmtree(run_folder(settings), ignore_errors=True)
    kernel = Kernel(settings.host_netns)
    nothing = Plan(host=Space(name=settings.host_netns, is_host=True, rules=Ruleset()))
    if not netns.inode(settings.host_netns):  # the host is gone, its routers may be left
        kernel.remove_spaces(set())
        return {}
    return kernel.converge(nothing, full=True)
