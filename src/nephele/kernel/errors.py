"""The catalogue of refusals.

An `Error` is declared once, in the `errors.py` of its domain: a code that never changes, the HTTP
status, a sentence for the user and the next step for the operator.  Called with its facts it
makes the exception to raise:

    SERVER_NOT_FOUND = Error("server.not_found", 404, "Instance {server_id} could not be found.")
    raise SERVER_NOT_FOUND(server_id=server_id)

API, command line, page, log and bus all print from that one record.
"""

from dataclasses import dataclass

ERRORS: dict[str, "Error"] = {}
"""Every declared error by its code."""


@dataclass(frozen=True, slots=True)
class Error:
    """One kind of refusal.

    `name` is the exception name that the OpenStack API shows where it shows one (Neutron's
    `NeutronError.type`, Placement's `code`).
    """

    code: str
    status: int
    sentence: str
    next_step: str = ""
    name: str = ""

    def __post_init__(self) -> None:
        if ERRORS.setdefault(self.code, self) != self:
            raise ValueError(f"error code {self.code} is declared twice")

    def __call__(self, **facts: object) -> "Refused":
        return Refused(self, facts)


class Refused(Exception):  # noqa: N818 - a refusal is an answer, not a malfunction
    """A request that is answered with no, and why."""

    def __init__(self, error: Error, facts: dict[str, object]) -> None:
        self.error = error
        self.facts = facts
        super().__init__(error.sentence.format_map(facts))

    @property
    def message(self) -> str:
        """The sentence with its facts filled in."""
        return str(self.args[0])

    @property
    def status(self) -> int:
        """The HTTP status of the answer."""
        return self.error.status


BAD_REQUEST = Error("bad_request", 400, "{reason}")
UNAUTHORIZED = Error("unauthorized", 401, "The request you have made requires authentication.")
FORBIDDEN = Error("forbidden", 403, "Policy doesn't allow {rule} to be performed.")
ROLE_NEEDED = Error("forbidden.role", 403, FORBIDDEN.sentence + " A role that would do: {roles}.")
SCOPE_NEEDED = Error("forbidden.scope", 403, FORBIDDEN.sentence + " It takes a token for a {scopes}.")
"""What FORBIDDEN says to those who give roles to others or look after the cloud."""
NOT_FOUND = Error("not_found", 404, "The resource could not be found.")
NOT_ALLOWED = Error(
    "method_not_allowed", 405, "The method {method} is not allowed for this resource. Allowed: {allowed}."
)
CONFLICT = Error("conflict", 409, "{reason}")
TOO_LARGE = Error("too_large", 413, "Request is too large: at most {limit} bytes are accepted.")
INTERNAL = Error(
    "internal",
    500,
    "An unexpected error prevented the server from fulfilling your request ({request_id}).",
    "This is a defect: the log has the traceback under the same request id.",
)
UNSUPPORTED = Error("unsupported", 501, "{what} is not supported by this cloud.")
CANNOT_STORE = Error(
    "cannot_store", 503, "Nothing can be stored now: {reason}.", "What was accepted before goes on once that is over."
)
UNAVAILABLE = Error("unavailable", 503, "{what} does not answer.", "Look at its log; it may be restarting.")
