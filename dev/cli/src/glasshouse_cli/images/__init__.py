"""Images: from a recipe's content to a tag the engine has."""

from glasshouse_cli.images.resolve import Image, obtain, resolve

__all__ = ["Image", "obtain", "resolve"]
