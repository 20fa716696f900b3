"""The rules that new security groups begin with: templates that administrators change."""

import msgspec
import sqlalchemy as sa

from nephele.network import errors, tables
from nephele.network.model import DefaultRule
from nephele.network.records import Records, born
from nephele.network.security_groups import NewRule, check_rule
from nephele.network.work import Work

_templates = tables.default_rules
PARENT = "PARENT"
"""As `remote_group_id`: the group that the rule will be in."""

DEFAULT_RULES: Records[DefaultRule] = Records(
    _templates, DefaultRule, errors.DEFAULT_RULE_NOT_FOUND, sa.literal_column("1") == sa.literal_column("1")
)


def create_default_rule(work: Work, draft: DefaultRule) -> DefaultRule:
    """Add a template; groups that are there stay as they are."""
    spoken = _as_rule(draft, project_id=work.me, group_id="")
    if draft.remote_group_id == PARENT:
        spoken = msgspec.structs.replace(spoken, remote_group_id=None)
    checked = check_rule(work, spoken)
    draft = msgspec.structs.replace(draft, protocol=checked.protocol)
    for other in DEFAULT_RULES.where(work):
        if _as_rule(other, "", "") == _as_rule(draft, "", ""):
            raise errors.DEFAULT_RULE_EXISTS(id=other.id)
    rule = born(work, draft)
    DEFAULT_RULES.insert(work, rule)
    return rule


def delete_default_rule(work: Work, rule: DefaultRule) -> None:
    """Remove a template."""
    DEFAULT_RULES.delete(work, rule.id)


def first_rules(work: Work, project_id: str, group_id: str, *, is_default: bool) -> list[NewRule]:
    """What a new group begins with."""
    flag = _templates.c.used_in_default_sg if is_default else _templates.c.used_in_non_default_sg
    return [_as_rule(template, project_id, group_id) for template in DEFAULT_RULES.where(work, flag)]


def _as_rule(template: DefaultRule, project_id: str, group_id: str) -> NewRule:
    fields = {name: getattr(template, name) for name in _FIELDS}
    if fields["remote_group_id"] == PARENT and group_id:
        fields["remote_group_id"] = group_id
    return NewRule(**fields, project_id=project_id, security_group_id=group_id)


_FIELDS = tuple(name for name in NewRule.__struct_fields__ if name not in ("project_id", "security_group_id"))
