"""What is set for one domain: where its users come from, chiefly.

Groups and options are Keystone's.  With `identity.driver` set to `ldap`, the domain's users and groups are those of
the directory that its `ldap` options name (`directory.py`); other values are kept and change nothing.
"""

from collections.abc import Mapping

import sqlalchemy as sa

from nephele.identity.errors import BAD_DOMAIN_CONFIG, DOMAIN_CONFIG_NOT_FOUND
from nephele.identity.model import Compliance
from nephele.identity.projects import Projects
from nephele.identity.revocations import Kind
from nephele.identity.shared import Shared
from nephele.identity.tables import domain_options

Options = dict[str, dict[str, object]]
"""Values by option by group."""

_LDAP_DEFAULTS: dict[str, object] = {
    "url": "ldap://localhost",
    "user": None,
    "suffix": "cn=example,cn=com",
    "query_scope": "one",
    "page_size": 0,
    "alias_dereferencing": "default",
    "debug_level": None,
    "chase_referrals": None,
    "user_tree_dn": None,
    "user_filter": None,
    "user_objectclass": "inetOrgPerson",
    "user_id_attribute": "cn",
    "user_name_attribute": "sn",
    "user_mail_attribute": "mail",
    "user_description_attribute": "description",
    "user_pass_attribute": "userPassword",
    "user_enabled_attribute": "enabled",
    "user_enabled_invert": False,
    "user_enabled_mask": 0,
    "user_enabled_default": "True",
    "user_attribute_ignore": ["default_project_id"],
    "user_default_project_id_attribute": None,
    "user_enabled_emulation": False,
    "user_enabled_emulation_dn": None,
    "user_enabled_emulation_use_group_config": False,
    "user_additional_attribute_mapping": [],
    "group_tree_dn": None,
    "group_filter": None,
    "group_objectclass": "groupOfNames",
    "group_id_attribute": "cn",
    "group_name_attribute": "ou",
    "group_members_are_ids": False,
    "group_member_attribute": "member",
    "group_desc_attribute": "description",
    "group_attribute_ignore": [],
    "group_additional_attribute_mapping": [],
    "tls_cacertfile": None,
    "tls_cacertdir": None,
    "use_tls": False,
    "tls_req_cert": "demand",
    "use_pool": True,
    "pool_size": 10,
    "pool_retry_max": 3,
    "pool_retry_delay": 0.1,
    "pool_connection_timeout": -1,
    "pool_connection_lifetime": 600,
    "use_auth_pool": True,
    "auth_pool_size": 100,
    "auth_pool_connection_lifetime": 60,
}
DEFAULTS: Options = {"identity": {"driver": "sql", "list_limit": None}, "ldap": _LDAP_DEFAULTS}
"""What may be set, and what holds where it is not."""
_SECRET = {("ldap", "password")}


class DomainConfig:
    """The options of all domains.

    Args:
        shared: store, revocations.
        projects: where domains are.
        compliance: what is demanded of passwords, for who asks.
    """

    def __init__(self, shared: Shared, projects: Projects, compliance: Compliance) -> None:
        self._shared, self._projects, self._compliance = shared, projects, compliance

    def read(self, domain_id: str, *, secrets: bool = False) -> Options:
        """All options of a domain; passwords only with `secrets`."""
        row, found = domain_options.c, dict[str, dict[str, object]]()
        select = sa.select(row.group, row.option, row.value).where(row.domain_id == domain_id)
        with self._shared.store.read() as db:
            for group, option, value in db.execute(select.order_by(row.group, row.option)):
                if secrets or (group, option) not in _SECRET:
                    found.setdefault(group, {})[option] = value
        return found

    def drivers(self) -> dict[str, str]:
        """The driver of each domain that names one."""
        row = domain_options.c
        select = sa.select(row.domain_id, row.value).where(row.group == "identity", row.option == "driver")
        with self._shared.store.read() as db:
            return {domain_id: str(value) for domain_id, value in db.execute(select)}

    def part(self, domain_id: str, group: str, option: str) -> Options:
        """Some of them: of a group, or one.  Raises DOMAIN_NOT_FOUND, DOMAIN_CONFIG_NOT_FOUND or BAD_DOMAIN_CONFIG."""
        self._projects.get_domain(domain_id)
        check_names(group, option)
        found = self.read(domain_id)
        chosen = narrowed(found, group, option) if group else found
        if not chosen:
            raise _not_found(domain_id, group, option)
        return chosen

    def replace(self, domain_id: str, options: Options) -> bool:
        """Set just these; whether there was none before.  Raises DOMAIN_NOT_FOUND or BAD_DOMAIN_CONFIG."""
        self._projects.get_domain(domain_id)
        check_options(options)
        with self._shared.store.write() as db:
            had = bool(self.read(domain_id, secrets=True))
            db.execute(domain_options.delete().where(domain_options.c.domain_id == domain_id))
            self._insert(db, domain_id, options)
        return not had

    def merge(self, domain_id: str, options: Options, group: str, option: str) -> None:
        """Set these besides the others: only of a group or only one, where those are named, and are there.

        Raises DOMAIN_NOT_FOUND, DOMAIN_CONFIG_NOT_FOUND or BAD_DOMAIN_CONFIG.
        """
        self._projects.get_domain(domain_id)
        check_names(group, option)
        check_options(options)
        if group and set(options) != {group}:
            raise BAD_DOMAIN_CONFIG(reason=f"the request is about the group {group} and must hold that alone")
        if option and set(options[group]) != {option}:
            raise BAD_DOMAIN_CONFIG(reason=f"the request is about the option {option} and must hold that alone")
        with self._shared.store.write() as db:
            if group and not narrowed(self.read(domain_id, secrets=True), group, option):
                raise _not_found(domain_id, group, option)
            row = domain_options.c
            for name, values in options.items():
                ours = row.domain_id == domain_id, row.group == name, row.option.in_(values)
                db.execute(domain_options.delete().where(*ours))
            self._insert(db, domain_id, options)

    def delete(self, domain_id: str, group: str, option: str) -> None:
        """Remove all, a group, or one.  Raises DOMAIN_NOT_FOUND, DOMAIN_CONFIG_NOT_FOUND or BAD_DOMAIN_CONFIG."""
        self._projects.get_domain(domain_id)
        check_names(group, option)
        with self._shared.store.write() as db:
            if group and not narrowed(self.read(domain_id, secrets=True), group, option):
                raise _not_found(domain_id, group, option)
            row = domain_options.c
            which = [row.domain_id == domain_id, *([row.group == group] if group else [])]
            db.execute(domain_options.delete().where(*which, *([row.option == option] if option else [])))
            self._shared.revocations.add((Kind.CHANGE, "domain config"))

    def _insert(self, db: sa.Connection, domain_id: str, options: Options) -> None:
        for group, values in options.items():
            for option, value in values.items():
                row = {"domain_id": domain_id, "group": group, "option": option, "value": value}
                db.execute(domain_options.insert().values(**row))
        self._shared.revocations.add((Kind.CHANGE, "domain config"))

    def defaults(self, group: str, option: str) -> Options:
        """What holds where nothing is set.  Raises BAD_DOMAIN_CONFIG."""
        check_names(group, option)
        if (group, option) in _SECRET:
            raise BAD_DOMAIN_CONFIG(reason=f"the default of {option} in {group} is not shown")
        return narrowed(DEFAULTS, group, option) if group else DEFAULTS

    def password_rules(self, option: str) -> dict[str, object]:
        """What is demanded of passwords, as anyone may know.  Raises BAD_DOMAIN_CONFIG for other options."""
        told: dict[str, object] = {
            "password_regex": self._compliance.password_regex or None,
            "password_regex_description": self._compliance.password_regex_description or None,
        }
        if option and option not in told:
            raise BAD_DOMAIN_CONFIG(reason="only password_regex and password_regex_description may be read")
        return {option: told[option]} if option else told


def narrowed(options: Mapping[str, Mapping[str, object]], group: str, option: str) -> Options:
    """Those of one group, or the one of that name; nothing where there is none."""
    chosen = {name: value for name, value in options.get(group, {}).items() if option in ("", name)}
    return {group: chosen} if chosen else {}


def check_options(options: Options) -> None:
    """Raise BAD_DOMAIN_CONFIG unless all may be set, and something is."""
    if not options:
        raise BAD_DOMAIN_CONFIG(reason="no options are given")
    for group, values in options.items():
        if not isinstance(values, dict) or not values:
            raise BAD_DOMAIN_CONFIG(reason=f"the group {group} must hold options")
        for option in values:
            check_names(group, option)


def check_names(group: str, option: str) -> None:
    """Raise BAD_DOMAIN_CONFIG where there is no such group or option."""
    if group and group not in DEFAULTS:
        raise BAD_DOMAIN_CONFIG(reason=f"the group {group} is not one that domains have")
    if option and option not in DEFAULTS[group] and (group, option) not in _SECRET:
        raise BAD_DOMAIN_CONFIG(reason=f"the group {group} has no option {option}")


def _not_found(domain_id: str, group: str, option: str) -> Exception:
    what = f"option {option} in group {group}" if option else f"group {group}" if group else "any options"
    return DOMAIN_CONFIG_NOT_FOUND(what=what, domain_id=domain_id)
