"""Parts of this package that must see records as they are, such as those that add ids."""

import abc
from typing import TYPE_CHECKING

from opentelemetry.sdk._logs import ReadableLogRecord

if TYPE_CHECKING:
    from glasshouse.guard.queued import QueuedLog


class Trusted:
    """Mixed into a processor that changes records and hands none of them on."""


class Queueing(abc.ABC):
    """Mixed into a processor of log records that changes none and queues each as it will be sent.

    It is given what may leave, ready for the queue, which costs less than `on_emit`.
    """

    # Whether a `QueuedLog` may be queued, too: this package encodes what comes out of the queue.
    takes_queued = False

    @abc.abstractmethod
    def queue(self, record: "ReadableLogRecord | QueuedLog") -> None:
        """Put a record into the queue."""
