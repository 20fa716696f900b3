"""Why the scheduler says no."""

from nephele.kernel.errors import Error

NO_VALID_HOST = Error(
    "scheduler.no_valid_host",
    500,
    "{summary}",
    "`nephele explain SERVER` shows every check of every host.",
    "NoValidHost",
)
"""`decision` among its facts is the whole `Decision`."""
BAD_QUERY = Error("scheduler.bad_query", 400, "The scheduler hint 'query' can't be read: {reason}.")
UNKNOWN_FILTER = Error("scheduler.unknown_filter", 500, "There is no filter or weigher {name!r}; known: {known}.")
