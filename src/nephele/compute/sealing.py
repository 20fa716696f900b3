"""Passwords that only the holder of a server's key can read."""

import base64

import sqlalchemy as sa

from nephele.compute.tables import server_passwords
from nephele.kernel.statements import Statement

MOST = 1020
"""Bytes that are kept of what a guest posts, as upstream has it."""
_c = server_passwords.c
_FIND = Statement(sa.select(_c.sealed).where(_c.server_id == sa.bindparam("server")))


def seal(public_key: str, password: str) -> str:
    """The password, readable with the private half of an `ssh-rsa` key: PKCS#1 v1.5 in base64, as clients expect it.

    Empty for any other key, and for a password too long for the key.
    """
    if not public_key.startswith("ssh-rsa "):
        return ""
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from cryptography.hazmat.primitives.serialization import load_ssh_public_key

    try:
        key = load_ssh_public_key(public_key.encode())
        assert isinstance(key, RSAPublicKey)
        return base64.b64encode(key.encrypt(password.encode(), PKCS1v15())).decode()
    except ValueError:
        return ""


def find(db: sa.Connection, server_id: str) -> str:
    """The sealed password of a server; empty where there is none."""
    ((sealed,),) = _FIND.rows(db, server=server_id) or (("",),)
    return str(sealed)


def keep(db: sa.Connection, server_id: str, sealed: str) -> None:
    """Keep a server's sealed password, in place of the one before."""
    forget(db, server_id)
    db.execute(server_passwords.insert().values(server_id=server_id, sealed=sealed))


def forget(db: sa.Connection, server_id: str) -> None:
    """Keep none."""
    db.execute(server_passwords.delete().where(_c.server_id == server_id))
