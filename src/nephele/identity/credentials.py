"""Things that users and administrators leave with Keystone: credentials (EC2 keys and others) and policy documents.

A credential's blob is text that the cloud keeps for its owner; only that of an EC2 credential is understood.
"""

import secrets
from hashlib import sha256

import msgspec
import sqlalchemy as sa
from msgspec import Struct

from nephele.identity.errors import CREDENTIAL_NOT_FOUND, INVALID, POLICY_NOT_FOUND
from nephele.identity.model import Extra
from nephele.identity.shared import Filters, Shared, columns_of, narrowed, store_change, store_new
from nephele.identity.tables import credentials, policies

EC2 = "ec2"


class Credential(Struct, frozen=True):
    """A credential of a user, for a project if it is an EC2 one."""

    id: str
    user_id: str
    project_id: str
    type: str
    blob: str
    extra: Extra


class Ec2Blob(Struct, frozen=True):
    """What the blob of an EC2 credential holds."""

    access: str
    secret: str
    trust_id: str | None = None


class PolicyDocument(Struct, frozen=True):
    """A policy document for a service outside of this cloud."""

    id: str
    type: str
    blob: str
    extra: Extra


_CREDENTIAL, _POLICY = columns_of(credentials, Credential), columns_of(policies, PolicyDocument)


class Credentials:
    """The credentials of all users."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared

    def get(self, credential_id: str) -> Credential:
        """One credential.  Raises CREDENTIAL_NOT_FOUND."""
        with self._shared.store.read() as db:
            row = db.execute(sa.select(*_CREDENTIAL).where(credentials.c.id == credential_id)).first()
        if row is None:
            raise CREDENTIAL_NOT_FOUND(id=credential_id)
        return Credential(*row)

    def find(self, filters: Filters) -> list[Credential]:
        """Credentials by `user_id` and `type`."""
        columns = {name: credentials.c[name] for name in ("user_id", "type")}
        with self._shared.store.read() as db:
            found = db.execute(narrowed(sa.select(*_CREDENTIAL), filters, columns).order_by(credentials.c.id))
            return [Credential(*row) for row in found]

    def create(self, credential: Credential) -> Credential:
        """A new credential; the id of an EC2 one follows from its access key.  Raises INVALID or DUPLICATE."""
        credential_id = self._shared.ids.hex()
        if credential.type == EC2:
            credential_id = ec2_id(read_ec2(credential).access)
            if not credential.project_id:
                raise INVALID(reason="An EC2 credential needs a project_id.")
        credential = msgspec.structs.replace(credential, id=credential_id)
        with self._shared.store.write() as db:
            store_new(db, credentials, _row(credential), "credential")
        return credential

    def create_ec2(self, user_id: str, project_id: str) -> Credential:
        """A new pair of EC2 keys."""
        keys = Ec2Blob(self._shared.ids.hex(), secrets.token_hex(16))
        blob = msgspec.json.encode(keys).decode()
        return self.create(Credential("", user_id, project_id, EC2, blob, {}))

    def get_ec2(self, user_id: str, access: str) -> Credential:
        """A user's pair of EC2 keys by its access key.  Raises CREDENTIAL_NOT_FOUND."""
        found = self.get(ec2_id(access))
        if found.user_id != user_id or found.type != EC2:
            raise CREDENTIAL_NOT_FOUND(id=access)
        return found

    def update(self, credential: Credential) -> Credential:
        """Replace a credential's attributes.  Raises CREDENTIAL_NOT_FOUND, or INVALID for a bad EC2 blob."""
        if credential.type == EC2:
            read_ec2(credential)
            if not credential.project_id:
                raise INVALID(reason="An EC2 credential needs a project_id.")
        with self._shared.store.write() as db:
            self.get(credential.id)
            store_change(db, credentials, credential.id, _row(credential), "credential")
        return credential

    def delete(self, credential_id: str) -> None:
        """Remove a credential.  Raises CREDENTIAL_NOT_FOUND."""
        with self._shared.store.write() as db:
            self.get(credential_id)
            db.execute(credentials.delete().where(credentials.c.id == credential_id))


class Policies:
    """The policy documents."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared

    def get(self, policy_id: str) -> PolicyDocument:
        """One document.  Raises POLICY_NOT_FOUND."""
        with self._shared.store.read() as db:
            row = db.execute(sa.select(*_POLICY).where(policies.c.id == policy_id)).first()
        if row is None:
            raise POLICY_NOT_FOUND(id=policy_id)
        return PolicyDocument(*row)

    def find(self, filters: Filters) -> list[PolicyDocument]:
        """Documents by `type`."""
        select = narrowed(sa.select(*_POLICY), filters, {"type": policies.c.type})
        with self._shared.store.read() as db:
            return [PolicyDocument(*row) for row in db.execute(select.order_by(policies.c.id))]

    def create(self, policy: PolicyDocument) -> PolicyDocument:
        """A new document; its id is made here."""
        policy = msgspec.structs.replace(policy, id=self._shared.ids.hex())
        with self._shared.store.write() as db:
            store_new(db, policies, _row(policy), "policy")
        return policy

    def update(self, policy: PolicyDocument) -> PolicyDocument:
        """Replace a document's attributes.  Raises POLICY_NOT_FOUND."""
        with self._shared.store.write() as db:
            self.get(policy.id)
            store_change(db, policies, policy.id, _row(policy), "policy")
        return policy

    def delete(self, policy_id: str) -> None:
        """Remove a document.  Raises POLICY_NOT_FOUND."""
        with self._shared.store.write() as db:
            self.get(policy_id)
            db.execute(policies.delete().where(policies.c.id == policy_id))


def ec2_id(access: str) -> str:
    """The id of the credential with that access key."""
    return sha256(access.encode()).hexdigest()


def read_ec2(credential: Credential) -> Ec2Blob:
    """The keys in an EC2 credential's blob.  Raises INVALID."""
    try:
        return msgspec.json.decode(credential.blob, type=Ec2Blob)
    except msgspec.MsgspecError as error:
        raise INVALID(reason=f"The blob of an EC2 credential must hold access and secret ({error}).") from None


def _row(thing: Struct) -> dict[str, object]:
    return {name: getattr(thing, name) for name in thing.__struct_fields__}
