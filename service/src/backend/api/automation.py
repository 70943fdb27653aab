"""``/automation/runs``."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, HTTPException, Path, Response
from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from backend.api.auth import RunReader, RunWriter
from backend.api.dependencies import Provided
from backend.api.models import In, NotifyIn, Out, UserId, contact_of
from backend.api.problems import responses
from backend.automation.store import (
    RUN_ID_PATTERN,
    SESSION_ID_PATTERN,
    NewRun,
    Run,
    RunId,
    RunState,
)
from backend.automation.strategies import STRATEGIES
from glasshouse import request_id


def _known_strategy(name: str) -> str:
    if name not in STRATEGIES:
        allowed = ", ".join(STRATEGIES)
        raise PydanticCustomError(
            "strategy_unknown", "strategy must be one of {allowed}", {"allowed": allowed}
        )
    return name


RunIdOut = Annotated[str, Field(pattern=RUN_ID_PATTERN)]
SessionIdOut = Annotated[str, Field(pattern=SESSION_ID_PATTERN)]


class RunIn(In):
    """The body of ``POST /automation/runs``."""

    user_id: UserId
    strategy: Annotated[str, AfterValidator(_known_strategy)]
    notify: NotifyIn | None = None


class RunAccepted(Out):
    """The answer to a write: the work goes on after it."""

    run_id: RunIdOut
    automation_session_id: SessionIdOut
    state: RunState
    request_id: str | None


class RunOut(Out):
    """One run. Times are in UTC; ``duration`` is in seconds, from the request to the end."""

    run_id: RunIdOut
    automation_session_id: SessionIdOut
    strategy: str
    state: RunState
    steps: list[str]
    sla_seconds: float
    within_sla: bool | None
    duration: float | None
    error_type: str | None
    requested_at: datetime
    finished_at: datetime | None

    @classmethod
    def of(cls, run: Run, steps: list[str]) -> "RunOut":
        return cls(
            run_id=run.id,
            automation_session_id=run.session_id,
            strategy=run.strategy,
            state=run.state,
            steps=steps,
            sla_seconds=run.sla_seconds,
            within_sla=run.within_sla,
            duration=run.duration,
            error_type=run.error_type,
            requested_at=run.requested_at,
            finished_at=run.finished_at,
        )


router = APIRouter(prefix="/automation/runs", tags=["automation"])


@router.post("", status_code=202, responses=responses(413, 422, 503))
async def request_run(
    body: RunIn, response: Response, services: Provided, caller: RunWriter
) -> RunAccepted:
    contact = contact_of(body.notify)
    await services.contacts.check(caller.name, body.user_id, contact)
    new = NewRun(
        owner=caller.name,
        user_id=body.user_id,
        strategy=body.strategy,
        sla=services.automation_sla,
        contact=contact,
    )
    run = await services.runs.request(new)
    if run is None:
        raise LookupError("only a scheduled run can be there already")
    response.headers["Location"] = f"/automation/runs/{run.id}"
    return RunAccepted(
        run_id=run.id,
        automation_session_id=run.session_id,
        state=run.state,
        request_id=request_id(),
    )


@router.get("/{runId}", responses=responses(404, 422, 503))
async def read_run(
    run_id: Annotated[str, Path(alias="runId", pattern=RUN_ID_PATTERN)],
    services: Provided,
    caller: RunReader,
) -> RunOut:
    run = await services.runs.find(RunId(run_id))
    if run is None or run.owner != caller.name:
        raise HTTPException(404, "There is no run with this id.")
    steps = await services.runs.steps(run.id)
    return RunOut.of(run, [step.name for step in steps])
