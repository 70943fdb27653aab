"""Parts of this package that must see records as they are, such as those that add ids."""

import abc

from opentelemetry.sdk._logs import ReadableLogRecord


class Trusted:
    """Mixed into a processor that changes records and hands none of them on."""


class Queueing(abc.ABC):
    """Mixed into a processor of log records that changes none and queues each as it will be sent.

    It is given what may leave, ready for the queue, which costs less than `on_emit`.
    """

    @abc.abstractmethod
    def queue(self, record: ReadableLogRecord) -> None:
        """Put a record into the queue."""
