"""Names and values that stand apart: in two members of a map, in two items of a list."""

from typing import Final

_NAMES: Final = frozenset(
    {"name", "Name", "key", "Key", "field", "Field", "fieldName", "field_name", "param", "Param"}
    | {"parameter", "Parameter", "parameterName", "parameter_name", "ParameterKey"}
    | {"ParameterName", "property", "propertyName", "attribute", "attributeName", "header"}
    | {"headerName", "variable", "path", "loc", "k", "option", "setting"}
)
_SECRET_MEMBERS: Final = {
    "Secret": frozenset({"data", "stringData"}),
    "SecretList": frozenset({"items"}),
}
PAIR: Final = 2
KIND: Final = "kind"
# The name under which the members of such an object stand.
SECRET: Final = "secret"  # noqa: S105 (a name)


def holds_name(member: str) -> bool:
    """Return whether a member of a map may hold the name of what another member of it holds."""
    return member in _NAMES


def holds_value(member: str) -> bool:
    """Return whether a member of a map may hold the value to a name in another."""
    return member.endswith(("alue", "alues")) or member in ("input", "val", "v")


def may_be_secret(member: str) -> bool:
    """Return whether a member holds secrets in an object of some kind of Kubernetes."""
    return any(member in members for members in _SECRET_MEMBERS.values())


def is_secret_member(kind: str, member: str) -> bool:
    """Return whether a member of an object of that kind holds secrets as a whole."""
    return member in _SECRET_MEMBERS.get(kind, ())
