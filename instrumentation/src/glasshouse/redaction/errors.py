"""What can be wrong with a policy."""

from glasshouse.errors import ConfigurationError


class PolicyError(ConfigurationError):
    """The policy is unusable; the message names file, line and rule."""
