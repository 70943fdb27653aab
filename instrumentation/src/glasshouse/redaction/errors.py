"""What can be wrong with a policy."""

from glasshouse.errors import ConfigurationError


class PolicyError(ConfigurationError):
    """The policy is unusable; the message names file, line and rule."""


class OwnKeyError(PolicyError):
    """A name of one's own is not that of an id."""


class UnknownRuleError(PolicyError):
    """A rule or entity to leave out is in no row of the policy."""
