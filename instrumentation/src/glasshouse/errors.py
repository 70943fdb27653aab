"""The package's exceptions.

GlasshouseError
└── ConfigurationError
"""


class GlasshouseError(Exception):
    """Base of every exception this package raises."""


class ConfigurationError(GlasshouseError):
    """A setting is unusable; the message names the variable and what to do."""
