"""Subnet pools: prefixes that subnets are cut from."""

from typing import TYPE_CHECKING

from nephele.network import errors
from nephele.network.work import Work

if TYPE_CHECKING:
    from nephele.network.subnets import NewSubnet


def cut_prefix(_work: Work, new: "NewSubnet") -> tuple[str | None, str]:
    """The pool and prefix of a new subnet: as given, or cut from a pool."""
    if new.cidr is None:
        raise errors.BAD_INPUT(reason="a subnetpool must be specified in the absence of a cidr")
    return None, new.cidr
