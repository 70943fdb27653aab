"""What a forked child makes anew, so that it does not speak for its parent."""

import contextlib
import os
import threading
from collections.abc import Sequence
from typing import Any, Final

from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider

Provider = TracerProvider | LoggerProvider | MeterProvider
INSTANCE: Final = "service.instance.id"


def install(providers: Sequence[Provider]) -> None:
    """Prepare the providers of this process for forks."""

    def after_in_child() -> None:
        # A change of upstream's inner parts must not end the application's child.
        with contextlib.suppress(Exception):
            keep_given_instance(providers)
        for provider in providers:
            if isinstance(provider, MeterProvider):
                with contextlib.suppress(Exception):
                    forget_counts(provider)

    os.register_at_fork(after_in_child=after_in_child)


def keep_given_instance(providers: Sequence[Provider]) -> None:
    """Give the resource back the instance's id that the environment names, if it does.

    The SDK gives each child an id of its own, which is right, but it does so, too, where somebody
    has chosen one.
    """
    given = OTELResourceDetector().detect().attributes.get(INSTANCE)
    if given is None:
        return
    for provider in providers:
        provider._update_resource(Resource({INSTANCE: given}))  # pyright: ignore[reportPrivateUsage]  # there is no public way


def forget_counts(provider: MeterProvider) -> None:
    """Let all counts of a provider begin at zero.

    The parent goes on reporting what was counted before the fork; the child would report it a
    second time. The locks are made anew: another thread may have held one.
    """
    consumer: Any = vars(provider)["_measurement_consumer"]
    _put(consumer, "_lock", threading.Lock())
    storages: dict[Any, Any] = consumer._reader_storages  # pyright: ignore[reportPrivateUsage]  # as above
    for reader, storage in storages.items():
        _put(storage, "_lock", threading.RLock())
        _put(storage, "_instrument_view_instrument_matches", {})
        _put(reader, "_export_lock", threading.Lock())
    # The light instruments hold sums for as long as this mapping is the same one.
    _put(consumer, "_reader_storages", dict(storages))


def _put(owner: Any, name: str, value: Any) -> None:
    if hasattr(owner, name):
        setattr(owner, name, value)
