"""What a test asks of what was captured."""

import dataclasses
import secrets
import threading
from collections.abc import Sequence
from typing import Any, Final

from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk.metrics.export import InMemoryMetricReader, MetricsData
from opentelemetry.sdk.trace import ReadableSpan

from glasshouse.redaction import Redactor
from glasshouse.redaction.process import telemetry_redactor
from glasshouse.testing import leaks, records
from glasshouse.testing.records import Log, Metric, Span
from glasshouse.testing.stable import Stable

# Of a log record, beside its event name: what Loki finds it by.
_EVENT: Final = "event"
# Of the SDK, and of this package.
_ABOUT_ITSELF: Final = ("otel.sdk.", "glasshouse.")
_MOST_SHOWN: Final = 20


class Telemetry:
    """Spans, log records and metrics that were recorded since the start, or since `clear`.

    All of it is redacted, as an exporter gets it. Lists are copies, in the order of arrival: a span
    arrives when it ends.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._spans: list[Span] = []
        self._logs: list[Log] = []
        self._reader = InMemoryMetricReader()
        self._last: list[Metric] | None = None

    @property
    def spans(self) -> list[Span]:
        with self._lock:
            return list(self._spans)

    @property
    def logs(self) -> list[Log]:
        with self._lock:
            return list(self._logs)

    @property
    def metrics(self) -> list[Metric]:
        """Each series with its value up to now, but what telemetry counts about itself."""
        if self._last is not None:
            return list(self._last)
        data: MetricsData | None = self._reader.get_metrics_data()
        found = records.metrics(telemetry_redactor().metrics(data) if data else None)
        return [one for one in found if not one.name.startswith(_ABOUT_ITSELF)]

    def find_span(self, name: str) -> Span:
        """Return the one span of this name.

        Raises:
            AssertionError: there is none, or several; names the spans there are.
        """
        return _only([span for span in self.spans if span.name == name], name, "span", self.spans)

    def find_spans(self, name: str) -> list[Span]:
        """Return all spans of this name."""
        return [span for span in self.spans if span.name == name]

    def events(self, name: str) -> list[Log]:
        """Return the log records of one business event, as `glasshouse.emit_event` makes them."""
        return [
            log for log in self.logs if name in (log.event, log.attributes.get(_EVENT)) and name
        ]

    def find_log(self, body: str) -> Log:
        """Return the one log record whose body holds ``body``.

        Raises:
            AssertionError: there is none, or several; shows the log records there are.
        """
        found = [log for log in self.logs if body in str(log.body)]
        return _only(found, body, "log record", self.logs)

    def find_metric(self, name: str, /, **attributes: Any) -> Metric:
        """Return the one series of this metric with at least these attributes.

        Dots in an attribute's name are written as underscores.

        Raises:
            AssertionError: there is none, or several; names the metrics there are.
        """
        found = [
            metric
            for metric in self.metrics
            if metric.name == name and attributes.items() <= _underscored(metric).items()
        ]
        return _only(found, name, "metric", self.metrics)

    def clear(self) -> None:
        """Forget what there is so far; metrics count from zero again."""
        from glasshouse.testing import capturing  # it needs this module

        with self._lock:
            self._spans.clear()
            self._logs.clear()
        self._reader = capturing.replaced(self._reader)

    def as_dicts(self, *, stable: bool = False, resource: bool = False) -> dict[str, Any]:
        """Return all of it as plain values, by signal; what is empty is left out.

        stable: for snapshots. Ids become ``trace-1`` and the like, times the numbers of their
            order, pseudonyms ``[email:1]``, durations and numbers of lines 0, a stack trace its
            last line. Metrics are sorted.
        resource: with the attributes of the process.
        """
        metrics = sorted(
            self.metrics, key=lambda one: (one.name, sorted(map(str, one.attributes.items())))
        )
        document = {
            "spans": [_dict(one, resource) for one in self.spans],
            "logs": [_dict(one, resource) for one in self.logs],
            "metrics": [_dict(one, resource) for one in metrics],
        }
        return Stable().document(document) if stable else document

    def assert_nothing_personal(self, *texts: str, allow: Sequence[str] = ()) -> None:
        """Fail when anything is left that the policy of this package finds, or one of ``texts``.

        The whole policy is used, whatever this process leaves out of it; ``allow`` names rules and
        entities that may stay. ``texts`` are what no rule can know, such as a name.

        Raises:
            AssertionError: shows each text that leaked, and where it is.
        """
        # Its pseudonyms are thrown away.
        redactor = Redactor.load(key=secrets.token_bytes(16), disable=tuple(allow))
        found = [line for leaf in self._leaves() if (line := leaks.personal(leaf, redactor))]
        _fail("personal data", found)
        self.assert_not_in(*texts)

    def assert_not_in(self, *texts: str) -> None:
        """Fail when one of ``texts`` is in anything that was captured.

        Raises:
            AssertionError: shows the text, and where it is.
        """
        if not all(texts):
            raise ValueError("an empty text is in everything: name one")
        for text in texts:
            found = [line for leaf in self._leaves() if (line := leaks.holds(leaf, text))]
            _fail(repr(text), found)

    def _leaves(self) -> list[leaks.Leaf]:
        return list(leaks.leaves(self.as_dicts(resource=True)))

    def add_span(self, item: ReadableSpan) -> None:
        """Take one span. Called by the processor."""
        [redacted] = telemetry_redactor().spans([item])
        with self._lock:
            self._spans.append(records.span(redacted))

    def add_log(self, item: ReadableLogRecord) -> None:
        """Take one log record. Called by the processor."""
        [redacted] = telemetry_redactor().logs([item])
        with self._lock:
            self._logs.append(records.log(redacted))

    def finish(self) -> None:
        """Keep the metrics as they are now."""
        self._last = self.metrics

    @property
    def reader(self) -> InMemoryMetricReader:
        """What the provider of metrics has to have."""
        return self._reader


def _underscored(metric: Metric) -> dict[str, Any]:
    return {key.replace(".", "_"): value for key, value in metric.attributes.items()}


def _only(found: Sequence[Any], wanted: str, kind: str, there: Sequence[Any]) -> Any:
    __tracebackhide__ = True
    if len(found) == 1:
        return found[0]
    names = [getattr(one, "name", None) or repr(getattr(one, "body", "")) for one in there]
    shown = ", ".join(dict.fromkeys(names)) or "nothing"
    count = "no" if not found else str(len(found))
    raise AssertionError(f"{count} {kind}s for {wanted!r}; captured: {shown}")


def _fail(what: str, found: Sequence[str]) -> None:
    __tracebackhide__ = True
    if not found:
        return
    more = len(found) - _MOST_SHOWN
    lines = [*found[:_MOST_SHOWN], *([f"and {more} more"] if more > 0 else [])]
    raise AssertionError("\n".join([f"{what} was captured:", *lines]))


def _dict(item: Any, resource: bool) -> dict[str, Any]:
    document = dataclasses.asdict(item)
    if not resource:
        del document["resource"]
    for key in ("events", "links"):
        if key in document:
            document[key] = [
                {name: value for name, value in one.items() if value != {}} for one in document[key]
            ]
    return {
        key: value
        for key, value in document.items()
        if value is not None and value not in ("", [], {})
    }
