"""What can be wrong in a cloud."""

from enum import StrEnum

from msgspec import Struct


class Kind(StrEnum):
    """What can be wrong."""

    OVERDUE = "overdue operation"
    STUCK = "server without an owner of its task"
    UNRECLAIMED = "softly deleted server that nobody ends"
    ALLOCATION = "allocation of no server"
    UNCLAIMED = "server without allocation"
    PORT = "port of no server"
    ATTACHMENT = "volume attached to no server"
    DISK = "disk of no volume"
    BASE = "image base of no volume"
    BACKUP = "backup objects of no backup"
    BACKUP_STORE = "backup store that does not answer"
    IMAGE_DATA = "image data of no image"
    STUCK_VOLUME = "volume without an owner of its status"
    GUEST = "guest of no server"
    ASIDE = "disks set aside for no resize"
    MOVE = "migration without an owner"
    GUEST_GONE = "server without its guest"
    HOST_SILENT = "host that does not answer"


class Finding(Struct, frozen=True, kw_only=True):
    """One thing that is wrong.

    `subject` is the id of what is left over, `host` where it is, `reaps` whether it can be removed.
    """

    kind: Kind
    subject: str
    detail: str
    host: str = ""
    reaps: bool = True
