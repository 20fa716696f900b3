"""What ended tokens, over HTTP: `OS-REVOKE`."""

from nephele.identity.api import views
from nephele.identity.api.auth import time_text
from nephele.identity.errors import INVALID
from nephele.identity.revocations import Event, Kind
from nephele.identity.service import Identity
from nephele.kernel.clock import parse_iso
from nephele.web.call import Call

_SUBJECT = {
    Kind.AUDIT: "audit_id",
    Kind.USER: "user_id",
    Kind.PROJECT: "project_id",
    Kind.DOMAIN: "domain_id",
    Kind.TRUST: "OS-TRUST:trust_id",
    Kind.APPLICATION_CREDENTIAL: "application_credential_id",
}


def index(identity: Identity, call: Call) -> views.View:
    """List events, from a time on if the query names one."""
    since = call.query.get("since")
    try:
        found = identity.revocations.listed(parse_iso(since) if since else 0)
    except ValueError:
        raise INVALID(reason=f"invalid date format {since}") from None
    return views.listing(call, "events", [_view(event) for event in found])


def _view(event: Event) -> views.View:
    return {_SUBJECT[event.kind]: event.subject, "issued_before": time_text(event.created_at)}
