"""The configuration of domains over HTTP."""

from typing import Any

from nephele.identity.api import views
from nephele.identity.domain_config import Options
from nephele.identity.errors import BAD_DOMAIN_CONFIG
from nephele.identity.first_content import DEFAULT_DOMAIN
from nephele.identity.service import Identity
from nephele.kernel.errors import Refused
from nephele.web.bodies import envelope
from nephele.web.call import Call
from nephele.web.routing import Reply

BODY = envelope("config", dict[str, Any])
COMPLIANCE = "security_compliance"


def show(identity: Identity, call: Call) -> views.View:
    """Show all options of a domain, those of a group, or one."""
    group, option = _named(call)
    if group == COMPLIANCE:
        return _compliance(identity, call, option)
    call.enforce("identity:get_domain_config")
    return _view(identity.domain_config.part(call.path["domain_id"], group, option), group, option)


def _compliance(identity: Identity, call: Call, option: str) -> views.View:
    """What is demanded of passwords: anyone may read it."""
    call.enforce("identity:get_security_compliance_domain_config")
    identity.projects.get_domain(call.path["domain_id"])
    if call.path["domain_id"] != DEFAULT_DOMAIN:
        raise BAD_DOMAIN_CONFIG(reason="what is demanded of passwords is read at the default domain")
    told = identity.domain_config.password_rules(option)
    return {"config": told if option else {COMPLIANCE: told}}


def replace(identity: Identity, call: Call) -> Reply:
    """Set all options."""
    domain_id = call.path["domain_id"]
    is_new = identity.domain_config.replace(domain_id, call.body.config)
    return Reply(_view(identity.domain_config.read(domain_id), "", ""), 201 if is_new else 200)


def merge(identity: Identity, call: Call) -> views.View:
    """Set some options."""
    group, option = _named(call)
    domain_id, sent = call.path["domain_id"], call.body.config
    identity.domain_config.merge(domain_id, {group: sent} if option else sent, group, option)
    try:
        return _view(identity.domain_config.part(domain_id, group, option), group, option)
    except Refused:  # what was set is not shown
        return {"config": {}}


def delete(identity: Identity, call: Call) -> None:
    """Remove all options, those of a group, or one."""
    identity.domain_config.delete(call.path["domain_id"], *_named(call))


def defaults(identity: Identity, call: Call) -> views.View:
    """Show what holds where nothing is set."""
    group, option = _named(call)
    return _view(identity.domain_config.defaults(group, option), group, option)


def _named(call: Call) -> tuple[str, str]:
    return call.path.get("group", ""), call.path.get("option", "")


def _view(options: Options, group: str, option: str) -> views.View:
    """A single option stands without its group."""
    return {"config": options[group] if option else options}
