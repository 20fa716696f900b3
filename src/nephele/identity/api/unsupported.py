"""What Keystone can and this cloud does not: said as such, with 501."""

from nephele.identity.service import Identity
from nephele.kernel.errors import UNSUPPORTED
from nephele.web.call import Call


def oauth1(_identity: Identity, _call: Call) -> None:
    """OAuth 1.0a."""
    raise UNSUPPORTED(what="OAuth 1.0a")


def saml(_identity: Identity, _call: Call) -> None:
    """SAML, and being an identity provider for other clouds by it."""
    raise UNSUPPORTED(what="SAML")
