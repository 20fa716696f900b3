"""Identity providers, the protocols that they are asked by, and the mappings of what they assert."""

import msgspec
import sqlalchemy as sa
from msgspec import UNSET, Struct, UnsetType

from nephele.identity.errors import (
    IDENTITY_PROVIDER_NOT_FOUND,
    INVALID,
    MAPPING_NOT_FOUND,
    PROTOCOL_NOT_FOUND,
    REMOTE_ID_TAKEN,
)
from nephele.identity.mapping import Rules, read_rules
from nephele.identity.model import Project
from nephele.identity.projects import Projects
from nephele.identity.revocations import EVERYONE, Kind
from nephele.identity.shared import Filters, Shared, columns_of, narrowed, store_change, store_new
from nephele.identity.tables import identity_providers, mappings, protocols


class IdentityProvider(Struct, frozen=True):
    """Who vouches for people.  `authorization_ttl`: minutes that memberships by mapping last; None: the token's."""

    id: str
    domain_id: str
    enabled: bool
    description: str | None
    authorization_ttl: int | None
    remote_ids: tuple[str, ...]


class ProviderChange(Struct, frozen=True, kw_only=True):
    """What an update sets."""

    enabled: bool | UnsetType = UNSET
    description: str | UnsetType | None = UNSET
    authorization_ttl: int | UnsetType | None = UNSET
    remote_ids: tuple[str, ...] | UnsetType = UNSET


class Protocol(Struct, frozen=True):
    """How an identity provider is asked, and by which mapping it is understood."""

    provider_id: str
    id: str
    mapping_id: str
    remote_id_attribute: str | None


class AttributeMapping(Struct, frozen=True):
    """Rules of `mapping.py` under a name."""

    id: str
    rules: Rules
    schema_version: str


_PROVIDER, _PROTOCOL, _MAPPING = (
    columns_of(identity_providers, IdentityProvider),
    columns_of(protocols, Protocol),
    columns_of(mappings, AttributeMapping),
)


class Federation:
    """All that is known of those who vouch for people."""

    def __init__(self, shared: Shared, projects: Projects) -> None:
        self._shared, self._projects = shared, projects

    def provider(self, provider_id: str) -> IdentityProvider:
        """One identity provider.  Raises IDENTITY_PROVIDER_NOT_FOUND."""
        with self._shared.store.read() as db:
            row = db.execute(sa.select(*_PROVIDER).where(identity_providers.c.id == provider_id)).first()
        if row is None:
            raise IDENTITY_PROVIDER_NOT_FOUND(id=provider_id)
        return IdentityProvider(*row)

    def providers(self, filters: Filters) -> list[IdentityProvider]:
        """Identity providers by `id` and `enabled`."""
        row = identity_providers.c
        select = narrowed(sa.select(*_PROVIDER), filters, {"id": row.id, "enabled": row.enabled})
        with self._shared.store.read() as db:
            return [IdentityProvider(*one) for one in db.execute(select.order_by(row.id))]

    def create_provider(self, provider: IdentityProvider) -> IdentityProvider:
        """A new identity provider, with a domain of its own unless one is named.

        Raises DOMAIN_NOT_FOUND, DUPLICATE or REMOTE_ID_TAKEN.
        """
        with self._shared.store.write() as db:
            self._check_remote_ids(provider.id, provider.remote_ids)
            if provider.domain_id:
                self._projects.get_domain(provider.domain_id)
            else:
                about = f"The users of the identity provider {provider.id}"
                name = f"{provider.id[:31]}-{self._shared.ids.hex()[:8]}"
                made = self._projects.create(Project("", name, "", "", True, True, about, {}, {}))
                provider = msgspec.structs.replace(provider, domain_id=made.id)
            store_new(db, identity_providers, _row(provider), "identity_provider")
            return provider

    def update_provider(self, provider_id: str, change: ProviderChange) -> IdentityProvider:
        """Change what is given; whoever came by a provider that is disabled has to sign in anew.

        Raises IDENTITY_PROVIDER_NOT_FOUND or REMOTE_ID_TAKEN.
        """
        values = {name: value for name in change.__struct_fields__ if (value := getattr(change, name)) is not UNSET}
        with self._shared.store.write() as db:
            self.provider(provider_id)
            if change.remote_ids is not UNSET:
                self._check_remote_ids(provider_id, change.remote_ids)
            store_change(db, identity_providers, provider_id, values, "identity_provider")
            self._shared.revocations.add((Kind.RECHECK, EVERYONE))
            return self.provider(provider_id)

    def delete_provider(self, provider_id: str) -> None:
        """Remove an identity provider with its protocols.  Raises IDENTITY_PROVIDER_NOT_FOUND."""
        with self._shared.store.write() as db:
            self.provider(provider_id)
            db.execute(protocols.delete().where(protocols.c.provider_id == provider_id))
            db.execute(identity_providers.delete().where(identity_providers.c.id == provider_id))
            self._shared.revocations.add((Kind.RECHECK, EVERYONE))

    def _check_remote_ids(self, provider_id: str, wanted: tuple[str, ...]) -> None:
        for other in self.providers([]):
            taken = set(wanted) & set(other.remote_ids)
            if other.id != provider_id and taken:
                raise REMOTE_ID_TAKEN(id=min(taken))

    def is_enabled(self, provider_id: str) -> bool:
        """Whether the provider is there and enabled."""
        row = identity_providers.c
        with self._shared.store.read() as db:
            return bool(db.execute(sa.select(row.enabled).where(row.id == provider_id)).scalar())

    def protocol(self, provider_id: str, protocol_id: str) -> Protocol:
        """One protocol.  Raises IDENTITY_PROVIDER_NOT_FOUND or PROTOCOL_NOT_FOUND."""
        self.provider(provider_id)
        row = protocols.c
        which = row.provider_id == provider_id, row.id == protocol_id
        with self._shared.store.read() as db:
            found = db.execute(sa.select(*_PROTOCOL).where(*which)).first()
        if found is None:
            raise PROTOCOL_NOT_FOUND(id=protocol_id)
        return Protocol(*found)

    def protocols(self, provider_id: str) -> list[Protocol]:
        """The protocols of an identity provider.  Raises IDENTITY_PROVIDER_NOT_FOUND."""
        self.provider(provider_id)
        select = sa.select(*_PROTOCOL).where(protocols.c.provider_id == provider_id).order_by(protocols.c.id)
        with self._shared.store.read() as db:
            return [Protocol(*row) for row in db.execute(select)]

    def create_protocol(self, protocol: Protocol) -> Protocol:
        """A new protocol.  Raises IDENTITY_PROVIDER_NOT_FOUND, INVALID where the mapping is not there, or DUPLICATE."""
        with self._shared.store.write() as db:
            self.provider(protocol.provider_id)
            self._check_mapping(protocol.mapping_id)
            store_new(db, protocols, _row(protocol), "federation_protocol")
            return protocol

    def update_protocol(self, protocol: Protocol) -> Protocol:
        """Replace a protocol's attributes.  Raises as `create_protocol` does, or PROTOCOL_NOT_FOUND."""
        with self._shared.store.write() as db:
            self.protocol(protocol.provider_id, protocol.id)
            self._check_mapping(protocol.mapping_id)
            which = protocols.c.provider_id == protocol.provider_id, protocols.c.id == protocol.id
            db.execute(protocols.update().where(*which).values(**_row(protocol)))
            return protocol

    def delete_protocol(self, provider_id: str, protocol_id: str) -> None:
        """Remove a protocol.  Raises IDENTITY_PROVIDER_NOT_FOUND or PROTOCOL_NOT_FOUND."""
        with self._shared.store.write() as db:
            self.protocol(provider_id, protocol_id)
            row = protocols.c
            db.execute(protocols.delete().where(row.provider_id == provider_id, row.id == protocol_id))

    def _check_mapping(self, mapping_id: str) -> None:
        if not any(mapping.id == mapping_id for mapping in self.mappings()):
            raise INVALID(reason=f"Could not find mapping: {mapping_id}.")

    def mapping(self, mapping_id: str) -> AttributeMapping:
        """One mapping.  Raises MAPPING_NOT_FOUND."""
        with self._shared.store.read() as db:
            row = db.execute(sa.select(*_MAPPING).where(mappings.c.id == mapping_id)).first()
        if row is None:
            raise MAPPING_NOT_FOUND(id=mapping_id)
        return AttributeMapping(*row)

    def mappings(self) -> list[AttributeMapping]:
        """All mappings."""
        with self._shared.store.read() as db:
            return [AttributeMapping(*row) for row in db.execute(sa.select(*_MAPPING).order_by(mappings.c.id))]

    def create_mapping(self, mapping: AttributeMapping) -> AttributeMapping:
        """A new mapping.  Raises BAD_MAPPING or DUPLICATE."""
        read_rules(mapping.rules)
        with self._shared.store.write() as db:
            store_new(db, mappings, _row(mapping), "mapping")
            return mapping

    def update_mapping(self, mapping: AttributeMapping) -> AttributeMapping:
        """Replace a mapping's rules.  Raises MAPPING_NOT_FOUND or BAD_MAPPING."""
        read_rules(mapping.rules)
        with self._shared.store.write() as db:
            self.mapping(mapping.id)
            store_change(db, mappings, mapping.id, _row(mapping), "mapping")
            return mapping

    def delete_mapping(self, mapping_id: str) -> None:
        """Remove a mapping.  Raises MAPPING_NOT_FOUND."""
        with self._shared.store.write() as db:
            self.mapping(mapping_id)
            db.execute(mappings.delete().where(mappings.c.id == mapping_id))


def _row(thing: Struct) -> dict[str, object]:
    return {name: getattr(thing, name) for name in thing.__struct_fields__}
