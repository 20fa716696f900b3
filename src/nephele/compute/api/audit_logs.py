"""`/os-instance_usage_audit_log`: how far hosts are with their audits of usage.

Like a Nova without `instance_usage_audit`, our hosts keep none: the period is shown, and that no host has run it.
What usage there is comes from `/os-simple-tenant-usage`, from truth.
"""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from nephele.compute.hosts import COMPUTE
from nephele.kernel.clock import SECOND
from nephele.kernel.errors import BAD_REQUEST
from nephele.web.call import Call

if TYPE_CHECKING:
    from nephele.compute.service import Compute


def index(compute: "Compute", _call: Call) -> dict[str, Any]:
    """Of the month before this one."""
    now = datetime.fromtimestamp(compute.clock.now() / SECOND, UTC).replace(tzinfo=None)
    return {"instance_usage_audit_logs": _logs(compute, now)}


def show(compute: "Compute", call: Call) -> dict[str, Any]:
    """Of the last whole month before a time."""
    text = call.path["before"]
    try:
        before = datetime.strptime(text, "%Y-%m-%d %H:%M:%S.%f" if "." in text else "%Y-%m-%d %H:%M:%S")
        last_month(before)
    except ValueError:
        raise BAD_REQUEST(reason=f"Invalid timestamp for date {text}") from None
    return {"instance_usage_audit_log": _logs(compute, before)}


def _logs(compute: "Compute", before: datetime) -> dict[str, Any]:
    hosts = sorted({service.host for service in compute.hosts.services(binary=COMPUTE)})
    begin, end = last_month(before)
    return {
        "period_beginning": str(begin),
        "period_ending": str(end),
        "num_hosts": len(hosts),
        "num_hosts_done": 0,
        "num_hosts_running": 0,
        "num_hosts_not_run": len(hosts),
        "hosts_not_run": hosts,
        "total_instances": 0,
        "total_errors": 0,
        "overall_status": f"{'ALL' if not hosts else f'0 of {len(hosts)}'} hosts done. 0 errors.",
        "log": {},
    }


def last_month(before: datetime) -> tuple[datetime, datetime]:
    """Beginning and end of the last month that was over by then."""
    end = datetime(before.year, before.month, 1)
    if end >= before:
        end = _month_before(end)
    return _month_before(end), end


def _month_before(first: datetime) -> datetime:
    return first.replace(year=first.year - (first.month == 1), month=(first.month - 2) % 12 + 1)
