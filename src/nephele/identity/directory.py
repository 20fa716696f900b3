"""A directory (LDAP), read only: its users, who of them gives the right password, and the groups that they are in."""

import ssl
from collections.abc import Iterable, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from nephele.identity.domain_config import DEFAULTS
from nephele.identity.errors import DIRECTORY_AWAY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ldap3 import Connection

_SECONDS = 10
_PAGE = 500


class Entry(Struct, frozen=True):
    """A user as the directory has it; `id` and `name` are the attributes that the options name."""

    dn: str
    id: str
    name: str
    email: str
    enabled: bool


class Directory:
    """One directory.

    Args:
        options: the domain's `ldap` options, by Keystone's names; what is not set has Keystone's default.
    """

    def __init__(self, options: Mapping[str, object]) -> None:
        self._options: dict[str, Any] = {**DEFAULTS["ldap"], "password": None, **options}

    def users(self, name: str = "") -> list[Entry]:
        """All users, or those of that name.  Raises DIRECTORY_AWAY."""
        told = self._options
        found = self._search("user", [(told["user_name_attribute"], name)] if name else [])
        return [entry for one in found if (entry := self._entry(one)) is not None]

    def proves(self, entry: Entry, password: str) -> bool:
        """Whether the directory lets the user in with that password.  Raises DIRECTORY_AWAY."""
        if not password:  # a directory takes that for nobody in particular, and lets it in
            return False
        with self._connected() as connection:
            return bool(connection.rebind(entry.dn, password))

    def groups(self) -> list[str]:
        """The names of all groups.  Raises DIRECTORY_AWAY."""
        name = self._options["group_name_attribute"]
        return sorted({text for one in self._search("group", []) for text in _texts(one["attributes"].get(name))})

    def groups_of(self, entry: Entry) -> list[str]:
        """The names of the groups that a user is in.  Raises DIRECTORY_AWAY."""
        told = self._options
        member = entry.id if told["group_members_are_ids"] else entry.dn
        found = self._search("group", [(told["group_member_attribute"], member)])
        name = told["group_name_attribute"]
        return sorted({text for one in found for text in _texts(one["attributes"].get(name))})

    def _entry(self, found: dict[str, Any]) -> Entry | None:
        attributes, told = found["attributes"], self._options
        ids = _texts(attributes.get(told["user_id_attribute"]))
        names = _texts(attributes.get(told["user_name_attribute"]))
        if not ids or not names:
            return None
        email = _texts(attributes.get(told["user_mail_attribute"])) or [""]
        return Entry(found["dn"], ids[0], names[0], email[0], self._is_enabled(attributes))

    def _is_enabled(self, attributes: Mapping[str, Any]) -> bool:
        """By an attribute that is true, or (with a mask) has none of those bits set; either turned round if told so."""
        told = self._options
        values = _texts(attributes.get(told["user_enabled_attribute"])) or [str(told["user_enabled_default"])]
        mask = int(told["user_enabled_mask"] or 0)
        if mask:
            return not (int(values[0]) & mask if values[0].lstrip("-").isdecimal() else 0)
        enabled = values[0].lower() not in ("false", "0", "no")
        return enabled != bool(told["user_enabled_invert"])

    def _search(self, kind: str, wanted: Iterable[tuple[str, str]]) -> list[dict[str, Any]]:
        """Entries of users or groups whose attributes have those values."""
        from ldap3 import ALL_ATTRIBUTES, LEVEL, SUBTREE
        from ldap3.core.exceptions import LDAPException
        from ldap3.utils.conv import escape_filter_chars

        told = self._options
        parts = [f"(objectClass={escape_filter_chars(told[f'{kind}_objectclass'])})"]
        parts += [f"({name}={escape_filter_chars(value)})" for name, value in wanted]
        base = told[f"{kind}_tree_dn"] or told["suffix"]
        scope = SUBTREE if told["query_scope"] == "sub" else LEVEL
        text = f"(&{told[f'{kind}_filter'] or ''}{''.join(parts)})"
        with self._connected() as connection:
            try:
                found = connection.extend.standard.paged_search(
                    base, text, scope, attributes=[ALL_ATTRIBUTES], paged_size=_PAGE, generator=False
                )
            except LDAPException as error:
                raise DIRECTORY_AWAY(url=told["url"], reason=error) from None
        return [one for one in found if one.get("type") == "searchResEntry"]

    @contextmanager
    def _connected(self) -> "Iterator[Connection]":
        """A connection in the name that the options give.  Raises DIRECTORY_AWAY."""
        from ldap3 import AUTO_BIND_NO_TLS, AUTO_BIND_TLS_BEFORE_BIND, Connection, Server, Tls
        from ldap3.core.exceptions import LDAPException

        told = self._options
        checks = {"never": ssl.CERT_NONE, "allow": ssl.CERT_OPTIONAL}.get(told["tls_req_cert"], ssl.CERT_REQUIRED)
        tls = Tls(validate=checks, ca_certs_file=told["tls_cacertfile"], ca_certs_path=told["tls_cacertdir"])
        try:
            server = Server(str(told["url"]), tls=tls, connect_timeout=_SECONDS)
            connection = Connection(
                server,
                user=told["user"],
                password=told["password"],
                auto_bind=AUTO_BIND_TLS_BEFORE_BIND if told["use_tls"] else AUTO_BIND_NO_TLS,
                receive_timeout=_SECONDS,
                read_only=True,
            )
        except LDAPException as error:
            raise DIRECTORY_AWAY(url=told["url"], reason=error) from None
        try:
            yield connection
        finally:
            connection.unbind()


def _texts(value: object) -> list[str]:
    values = value if isinstance(value, list) else [] if value is None else [value]
    return [one.decode("utf-8", "replace") if isinstance(one, bytes) else str(one) for one in values]
