"""Executes one automation run, step by step.

The result of each step is kept before the next begins. So after a crash a run goes on at the
step it was in, and a second execution at the same time changes nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from opentelemetry import trace

from backend.automation.store import Run, RunId, Runs, RunState, StepResult
from backend.automation.strategies import STRATEGIES, Step, StepContext
from backend.payments.chain import ChainError, ChainRefusedError, ChainUnreachableError
from backend.platform.database import UNAVAILABLE
from glasshouse import traced

_tracer = trace.get_tracer("backend")


@dataclass(frozen=True, kw_only=True)
class Execution:
    """What executing needs."""

    runs: Runs
    context: StepContext
    strategies: Mapping[str, tuple[Step, ...]] = field(default_factory=lambda: STRATEGIES)

    @traced
    async def execute(self, run_id: RunId, *, last_attempt: bool) -> None:
        """Bring the run to completed, or on the last attempt to failed. Safe to repeat.

        Raises:
            ChainError: not now; try again. Never on the last attempt.
            LookupError: there is no such run.
        """
        run = await self.runs.find(run_id)
        if run is None:
            raise LookupError("no such run")
        if run.state is not RunState.REQUESTED:
            return
        try:
            await self._steps(run)
        except ChainError as error:
            if not last_attempt and not isinstance(error, ChainRefusedError):
                raise
            unreachable = isinstance(error, ChainUnreachableError)
            error_type = "chain_unreachable" if unreachable else "chain_error"
            await self.runs.mark_failed(run.id, error_type)
        except UNAVAILABLE:
            raise
        except Exception as error:
            # A fault of ours, which a repeat would meet again.
            await self.runs.mark_failed(run.id, type(error).__qualname__)
            raise
        else:
            await self.runs.mark_completed(run.id)

    async def _steps(self, run: Run) -> None:
        done = await self.runs.steps(run.id)
        results: dict[str, dict[str, Any]] = {step.name: step.result for step in done}
        steps = self.strategies[run.strategy]
        for position, step in enumerate(steps[len(done) :], start=len(done)):
            name = step.__name__
            attributes = {"automation.strategy": run.strategy, "automation.step": name}
            with _tracer.start_as_current_span(f"step {name}", attributes=attributes):
                results[name] = await step(self.context, run, results)
                await self.runs.record_step(
                    run.id, position, StepResult(name=name, result=results[name])
                )
