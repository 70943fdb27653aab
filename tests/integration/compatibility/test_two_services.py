"""Two services with one name for their counters, one of which counts from zero at each point."""

import time
from contextlib import closing

from support import otlp
from support.oddities import neighbour, trial
from support.oddities.harness import Harness
from support.waiting import until

POINTS = 50
INTERVAL_S = 0.02


def test_delta_beside_cumulative_costs_no_sample_and_adds_up(harness: Harness) -> None:
    run = trial.new_run()
    name = f"shared.{run}"
    start = since = time.time_ns()
    with (
        closing(
            otlp.Sender(harness.stack.otlp, f"cumulative-{run}", harness.stack.sender)
        ) as cumulative,
        closing(otlp.Sender(harness.stack.otlp, f"delta-{run}", harness.stack.sender)) as delta,
    ):
        for number in range(1, POINTS + 1):
            cumulative.metrics([neighbour.counter(name, number, start)])
            added = neighbour.counter(name, 1, since, temporality=neighbour.DELTA)
            delta.metrics([added])
            since = int(added["sum"]["dataPoints"][0]["timeUnixNano"])
            time.sleep(INTERVAL_S)  # Prometheus distinguishes moments by milliseconds

    def values(service: str) -> list[float]:
        found = harness.backends.samples(f'shared_{run}_total{{service_name="{service}-{run}"}}')
        return found[0] if len(found) == 1 else []

    def probe() -> tuple[bool | None, object]:
        seen = {service: values(service) for service in ("cumulative", "delta")}
        every = [float(number) for number in range(1, POINTS + 1)]
        whole = seen["cumulative"] == every and seen["delta"][-1:] == [POINTS]
        return whole or None, seen

    until(probe, what=f"{POINTS} samples, and {POINTS} counted by delta")
