"""Set a password inside the guest; trigger a crash dump."""

from typing import Any

import sqlalchemy as sa

from nephele.compute.conductor import Conductor
from nephele.compute.messages import insides
from nephele.compute.model import Task
from nephele.compute.operations.life import ServerData, server_operation
from nephele.compute.sealing import keep, seal
from nephele.kernel.operations import Failure, Keep, Step, Work


class SetPassword(ServerData, kw_only=True):
    """What a change of password carries; `password` is empty once it is over."""

    password: str


def set_password(conductor: Conductor, work: Work[SetPassword]) -> None:
    """Have the guest's agent set it."""
    answer = conductor.command(
        insides.SET_PASSWORD, insides.SetPassword, work, patience=60, password=work.data.password
    )
    work.data.power_state = answer.power_state


def keep_sealed(conductor: Conductor, db: sa.Connection, work: Work[SetPassword]) -> None:
    """Who has the server's key can read the password; nobody else, and not we."""
    sealed = seal(conductor.server(work.subject).key_data or "", work.data.password)
    if sealed:
        keep(db, work.subject, sealed)
    work.data.password = ""


def forget_password(_conductor: Conductor, _db: sa.Connection, work: Work[SetPassword], _failure: Failure) -> None:
    """Forget it."""
    work.data.password = ""


def inject_nmi(conductor: Conductor, work: Work[Any]) -> None:
    """Press the guest's NMI button."""
    conductor.command(insides.INJECT_NMI, insides.InjectNmi, work, patience=50)


SET_PASSWORD = server_operation(
    "set_password",
    SetPassword,
    (
        Step(
            "guest",
            set_password,
            Keep("nobody knows the password that was"),
            Task.UPDATING_PASSWORD,
            "compute_set_admin_password",
        ),
    ),
    on_done=keep_sealed,
    on_failed=forget_password,
)
CRASH_DUMP = server_operation(
    "crash_dump",
    ServerData,
    (Step("guest", inject_nmi, Keep("an interrupt is over at once"), event="compute_trigger_crash_dump"),),
)
