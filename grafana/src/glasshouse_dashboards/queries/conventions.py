"""Calls that a service answers or makes, under each name that senders use for them.

The stable conventions measure in seconds, in histograms with bounds of their own (classic series,
with `le`) or exponential ones (native). Older senders measure in milliseconds, under other names;
what they send is shown unless the same service sends the stable names, too.
https://opentelemetry.io/docs/specs/semconv/http/http-metrics/
https://opentelemetry.io/docs/specs/semconv/rpc/rpc-metrics/
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from glasshouse_dashboards.queries import history

# What labels of older senders are called in the stable conventions.
_RENAMED: Final = {
    "http_request_method": "http_method",
    "http_response_status_code": "http_status_code",
    "rpc_response_status_code": "rpc_grpc_status_code",
    "server_address": "net_peer_name",
    "db_system_name": "db_system",
    "db_operation_name": "db_operation",
}
ROUTE: Final = ("http_request_method", "http_route", "rpc_service", "rpc_method")
ROUTE_LEGEND: Final = "{{http_request_method}} {{http_route}}{{rpc_service}} {{rpc_method}}"
STATUS: Final = ("http_response_status_code", "rpc_response_status_code")
STATUS_LEGEND: Final = "{{http_response_status_code}}{{rpc_response_status_code}}"


@dataclass(frozen=True, kw_only=True)
class _Form:
    """One way in which calls are stored. each matches other series than the others.

    errors: labels of a call that failed; answered: of one that did not.
    """

    metric: str
    errors: tuple[str, ...]
    answered: str
    native: bool = False
    per_second: int = 1
    # The stable metric beside which this one is not counted.
    unless: str = ""


def _forms(side: str) -> tuple[_Form, ...]:
    # A server answers for 5xx; to who calls, 4xx is an error, too.
    bad = "5.." if side == "server" else "4..|5.."
    codes = '=~"2|4|12|13|14|15"' if side == "server" else '!~"0|"'
    fine = '!~"2|4|12|13|14|15"' if side == "server" else '=~"0|"'
    stable = f"(http_{side}_request|rpc_{side}_call)_duration_seconds"
    errors = (
        f'http_response_status_code=~"{bad}"',
        'error_type!="",http_response_status_code=""',
    )
    answered = f'http_response_status_code!~"{bad}",error_type=""'
    return (
        _Form(metric=stable, errors=errors, answered=answered),
        _Form(metric=stable, errors=errors, answered=answered, native=True),
        _Form(
            metric=f"http_{side}_duration_milliseconds",
            errors=(f'http_status_code=~"{bad}"',),
            answered=f'http_status_code!~"{bad}"',
            per_second=1000,
            unless=f"http_{side}_request_duration_seconds",
        ),
        _Form(
            metric=f"rpc_{side}_duration_milliseconds",
            errors=(f"rpc_grpc_status_code{codes}",),
            answered=f"rpc_grpc_status_code{fine}",
            per_second=1000,
            unless=f"rpc_{side}_call_duration_seconds",
        ),
    )


@dataclass(frozen=True, kw_only=True)
class Calls:
    """Calls of services that ``chosen`` selects: labels as in PromQL, without braces."""

    forms: tuple[_Form, ...]
    chosen: str

    def rate(self, window: str, by: Sequence[str], *, errors: bool = False) -> str:
        """Return calls a second, by labels of the stable conventions."""
        parts: list[str] = []
        for form in self.forms:
            series = form.metric if form.native else f"{form.metric}_count"
            each = [
                self._rate(form, series, window, label)
                for label in (form.errors if errors else [""])
            ]
            total = self._sum(form, " or ".join(each), by)
            parts.append(f"histogram_count({total})" if form.native else total)
        return " or ".join(parts)

    def total(self, window: str, *, errors: bool = False) -> str:
        """Return calls a second by service, whatever protocols it speaks."""
        every = self.rate(window, ["service_name", *ROUTE, *STATUS], errors=errors)
        return f"sum by (service_name) ({every})"

    def failed_share(self, window: str, by: Sequence[str] = ()) -> str:
        """Return the share of calls that failed: 0 while none does, nothing without calls."""
        if by:
            whole, part = self.rate(window, by), self.rate(window, by, errors=True)
        else:
            whole, part = self.total(window), self.total(window, errors=True)
        return f"(({part}) or 0 * ({whole})) / (({whole}) > 0)"

    def quantile(self, percent: int, window: str, by: Sequence[str]) -> str:
        """Return a percentile of the duration in seconds."""
        return self._shaped(f"histogram_quantile(0.{percent:02d}, ", window, by)

    def within(self, limit: str, window: str) -> str:
        """Return the share, by service, of answers without error that took at most ``limit`` s."""
        return self._shaped(
            f"histogram_fraction(0, {limit} * PER, ", window, ["service_name"], True
        )

    def _shaped(self, function: str, window: str, by: Sequence[str], answered: bool = False) -> str:
        parts: list[str] = []
        for form in self.forms:
            series = form.metric if form.native else f"{form.metric}_bucket"
            labels = by if form.native else ["le", *by]
            rated = self._rate(form, series, window, form.answered if answered else "")
            shaped = function.replace(" * PER", f" * {form.per_second}" * (form.per_second > 1))
            value = f"{shaped}{self._sum(form, rated, labels)})"
            if form.per_second > 1 and shaped == function:
                value = f"{value} / {form.per_second}"
            parts.append(value)
        # Without calls it is not a number.
        return f"({' or '.join(parts)}) >= 0"

    def _rate(self, form: _Form, metric: str, window: str, label: str) -> str:
        rated = history.rate(metric, self._selector(label), window)
        if not form.unless:
            return rated
        # Before anything is summed up: the sum need not have the name of the service.
        stable = history.present(f"{form.unless}(_count)?", self._selector(), window)
        return f"(({rated}) unless on (service_name) ({stable}))"

    def _selector(self, label: str = "") -> str:
        return f"{self.chosen},{label}" if label else self.chosen

    def _sum(self, form: _Form, vector: str, by: Sequence[str]) -> str:
        if form.unless or form.metric.startswith("db_"):
            for label in by:
                if label in _RENAMED:
                    vector = f'label_replace({vector},"{label}","$1","{_RENAMED[label]}","(.+)")'
        return f"sum by ({', '.join(by)}) ({vector})"


def served(chosen: str) -> Calls:
    """Return the requests that services answer, over HTTP and RPC."""
    return Calls(forms=_forms("server"), chosen=chosen)


def made(chosen: str) -> Calls:
    """Return the requests that services send to others, over HTTP and RPC."""
    return Calls(forms=_forms("client"), chosen=chosen)


def database(chosen: str) -> Calls:
    """Return the calls of databases. Their metric has had one name and unit all along."""
    metric = "db_client_operation_duration_seconds"
    form = {"metric": metric, "errors": ('error_type!=""',), "answered": 'error_type=""'}
    return Calls(forms=(_Form(**form), _Form(**form, native=True)), chosen=chosen)  # type: ignore[arg-type]
