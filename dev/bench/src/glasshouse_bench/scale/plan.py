"""What is measured at each part: which rates, how many services, how many values of labels."""

from __future__ import annotations

from dataclasses import dataclass

from glasshouse_bench.scale import traffic
from glasshouse_bench.scale.traffic import Requests

# The names of OTLP's paths, and of the options of `glasshouse size`.
SIGNALS = {"logs": "logs", "traces": "spans", "metrics": "metrics"}
OF_A_BACKEND = {"loki": "logs", "tempo": "traces", "prometheus": "metrics"}
_EXPORT_A_SECOND = 10  # of each sender, at a rate
_FLUSHES_A_SECOND = 5  # of a gateway's queue: flush_timeout of deploy/gateway/config.yaml
_MOST_OF_A_SERVICE = 500
_MOST_OF_A_GATEWAY = 5000
_SENDERS = 3


@dataclass(frozen=True, kw_only=True)
class Plan:
    """rates: records a second. services, labels: three numbers each, at the rate ``at``.

    seconds: at each point. rounds: of which the median counts. stored: records to store.
    """

    rates: tuple[int, ...] = (1_000, 3_000, 9_000)
    services: tuple[int, ...] = (1, 10, 100)
    labels: tuple[int, ...] = (1_000, 5_000, 20_000)
    at: int = 2_000
    seconds: float = 8.0
    rounds: int = 3
    stored: int = 100_000


@dataclass(frozen=True, kw_only=True)
class Step:
    """One point to measure. dimension: rate, services or labels. signal: as in OTLP's paths."""

    dimension: str
    signal: str
    amount: int
    rate: int
    requests: Requests


def of_collectors(plan: Plan) -> list[Step]:
    """Return the steps for what takes all signals, from services: requests of one resource each."""
    steps = [
        _step("rate", signal, rate, rate, _batch(rate, _EXPORT_A_SECOND * _SENDERS))
        for signal in SIGNALS
        for rate in plan.rates
    ]
    for services in plan.services:
        # Each exports once a second, so that many send many small requests.
        batch = max(1, min(_MOST_OF_A_SERVICE, plan.at // services))
        steps.append(_step("services", "logs", services, plan.at, batch, services=services))
    for series in plan.labels:
        batch = _batch(plan.at, _EXPORT_A_SECOND)
        steps.append(_step("labels", "metrics", series, plan.at, batch, labels=series))
    return steps


def of_backend(plan: Plan, name: str) -> list[Step]:
    """Return the steps for a backend: batches of a gateway, of many resources each."""
    signal = OF_A_BACKEND[name]

    def batch(rate: int) -> int:
        return max(1, min(_MOST_OF_A_GATEWAY, rate // _FLUSHES_A_SECOND))

    at = {"rate": plan.at, "batch": batch(plan.at)}
    return [
        *(_step("rate", signal, rate, rate, batch(rate)) for rate in plan.rates),
        *(_step("services", signal, one, **at, services=one) for one in plan.services),
        *(_step("labels", signal, one, **at, labels=one) for one in plan.labels),
    ]


def _step(
    dimension: str,
    signal: str,
    amount: int,
    rate: int,
    batch: int,
    *,
    services: int = 1,
    labels: int = 0,
) -> Step:
    requests = traffic.of(
        signal, batch, services, in_request=services if batch > services else 1, labels=labels
    )
    return Step(dimension=dimension, signal=signal, amount=amount, rate=rate, requests=requests)


def _batch(rate: int, exports_a_second: int) -> int:
    return min(_MOST_OF_A_SERVICE, max(1, rate // exports_a_second))
