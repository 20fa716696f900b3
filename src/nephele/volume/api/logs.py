"""How much services log, looked at and changed while they run; and the failover that no backend here has."""

import logging

from nephele.volume.errors import INVALID_INPUT, SERVICE_NOT_FOUND
from nephele.volume.model import ServiceRow
from nephele.volume.service import Volumes
from nephele.volume.services import VOLUME
from nephele.web.call import Call

_LEVELS = {"critical": "CRITICAL", "error": "ERROR", "warning": "WARNING", "info": "INFO", "debug": "DEBUG"}
OURS = "nephele"
"""Loggers of other libraries are not the services' own."""


def _chosen(service: Volumes, binary: str | None, server: str | None) -> list[ServiceRow]:
    if binary not in (None, "", "*", "cinder-api", "cinder-volume", "cinder-scheduler", "cinder-backup"):
        raise INVALID_INPUT(reason=f"{binary} is not a valid binary")
    rows = service.services.find("" if binary in (None, "*") else str(binary), server or "")
    return [row for row in rows if service.services.is_up(row)]


def _loggers(prefix: str) -> dict[str, logging.Logger]:
    names = [OURS, *sorted(name for name in logging.root.manager.loggerDict if name.startswith(f"{OURS}."))]
    return {name: logging.getLogger(name) for name in names if name.startswith(prefix)}


def get(service: Volumes, call: Call) -> object:
    """The levels of the loggers whose names begin with a prefix; the services of one process share them."""
    asked = call.body
    levels = {
        name: logging.getLevelName(logger.getEffectiveLevel()) for name, logger in _loggers(asked.prefix or "").items()
    }
    return {
        "log_levels": [
            {"binary": row.binary, "host": row.host, "levels": levels}
            for row in _chosen(service, asked.binary, asked.server)
        ]
    }


def set_(service: Volumes, call: Call) -> None:
    """Change them; what another process runs is not reached."""
    asked = call.body
    level = _LEVELS.get((asked.level or "").lower())
    if level is None:
        raise INVALID_INPUT(reason="Level must be one of critical, error, warning, info, debug.")
    if _chosen(service, asked.binary, asked.server):
        for logger in _loggers(asked.prefix or "").values():
            logger.setLevel(level)


def failover(service: Volumes, call: Call) -> None:
    """`failover_host`: to a backend that has copies; none replicates its volumes here."""
    asked = call.body
    host = asked.host or (service.clusters.member_of(asked.cluster) if getattr(asked, "cluster", None) else "")
    if not service.services.find(VOLUME, host) or not host:
        raise SERVICE_NOT_FOUND(binary=VOLUME, host=host)
    raise INVALID_INPUT(reason=f"Host {host} must have replication enabled to fail over; its backend has none.")
