"""django_settings.py with what `logging.config.dictConfig` takes for granted: Django is silent."""

from django_settings import *  # noqa: F403 (as settings are varied)
from django_settings import LOGGING as TALKING

LOGGING = {**TALKING, "disable_existing_loggers": True}
