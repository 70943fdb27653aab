"""What the stack costs is read from the engine's counters, and held to what is promised."""

import json
from pathlib import Path

import httpx
import pytest

from glasshouse_cli import idle
from glasshouse_cli.engine import usage
from glasshouse_cli.engine.endpoint import Endpoint
from glasshouse_cli.engine.usage import Container, Engine, Usage
from glasshouse_cli.errors import StackError
from support.deployed import compose

MIB = 1024**2
V1 = {"total_inactive_file": 10 * MIB, "inactive_file": 1, "total_rss": 30 * MIB, "anon": 1}
V2 = {"inactive_file": 10 * MIB, "anon": 30 * MIB}


@pytest.mark.parametrize("parts", [V1, V2], ids=["version 1", "version 2"])
def test_counters_of_both_versions_of_control_groups(parts: dict[str, int]) -> None:
    answer = {
        "cpu_stats": {"cpu_usage": {"total_usage": 2_500_000_000}},
        "memory_stats": {"usage": 50 * MIB, "stats": parts},
    }
    assert usage.parse(answer, 7.0) == Usage(
        at_s=7.0, cpu_s=2.5, memory_bytes=40 * MIB, anonymous_bytes=30 * MIB
    )


class FakeEngine:
    """Answers as an engine with these containers; each look finds them so much further on."""

    def __init__(self, **per_look: float) -> None:
        self.per_look = per_look
        self.looks = dict.fromkeys(per_look, 0)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        match request.url.path.strip("/").split("/"):
            case ["containers", "json"]:
                [label] = json.loads(request.url.params["filters"])["label"]
                found = [
                    {
                        "Id": f"id-{name}",
                        "Names": [f"/x-{name}-1"],
                        "Image": f"image/{name}",
                        "Labels": {"com.docker.compose.service": name},
                    }
                    for name in self.per_look
                ]
                return httpx.Response(200, json=found if label.endswith("=mine") else [])
            case ["containers", name, "stats"]:
                name = name.removeprefix("id-")
                self.looks[name] += 1
                used = {"total_usage": int(1e9 * self.per_look[name] * self.looks[name])}
                memory = {"usage": (100 - self.looks[name]) * MIB, "stats": V2}
                return httpx.Response(
                    200, json={"cpu_stats": {"cpu_usage": used}, "memory_stats": memory}
                )
            case ["images", "image", _, "json"]:
                return httpx.Response(200, json={"Size": 5_000_000})
            case _:
                return httpx.Response(404, json={"message": "no such thing"})


def engine(fake: FakeEngine) -> Engine:
    return Engine(httpx.Client(base_url="http://docker", transport=httpx.MockTransport(fake)))


def test_a_share_is_what_was_used_between_the_first_look_and_the_last() -> None:
    fake = FakeEngine(loki=0.001, worker=0.5)
    asked = engine(fake)
    containers = asked.containers("mine")
    assert [one.service for one in containers] == ["loki", "worker"]

    costs = idle.watch(asked, containers, seconds=0.2, counts_sleeps=False)

    loki, worker = costs.rows
    # Two looks: of each one more step. The share is of the time that really passed.
    assert fake.looks == {"loki": 2, "worker": 2}
    assert loki.cpu_percent * costs.seconds / 100 == pytest.approx(0.001, rel=0.5)
    assert worker.cpu_percent / loki.cpu_percent == pytest.approx(500, rel=0.2)
    assert loki.memory_bytes == 89 * MIB  # the most of both looks, without inactive files
    assert loki.anonymous_bytes == 30 * MIB
    assert (loki.image_bytes, loki.wake_ups) == (5_000_000, None)
    assert (loki.telemetry, worker.telemetry) == (True, False)
    assert costs.telemetry.cpu_percent == loki.cpu_percent
    assert costs.as_dict()["telemetry"]["memory_bytes"] == 89 * MIB


def cost(**changes: float) -> idle.Cost:
    values = {"cpu_percent": 4.9, "memory_bytes": 700 * MIB} | changes
    return idle.Cost(
        service="loki",
        telemetry=True,
        cpu_percent=values["cpu_percent"],
        memory_bytes=int(values["memory_bytes"]),
        anonymous_bytes=0,
        wake_ups=3.0,
        image_bytes=1,
    )


@pytest.mark.parametrize(
    ("rows", "within"),
    [
        ([cost()], True),
        ([cost(cpu_percent=5.1)], False),
        ([cost(memory_bytes=701 * MIB)], False),
        ([cost(cpu_percent=2.4, memory_bytes=1), cost(cpu_percent=2.7, memory_bytes=1)], False),
    ],
)
def test_the_telemetry_stack_together_is_held_to_the_promise(
    rows: list[idle.Cost], within: bool
) -> None:
    costs = idle.Costs(seconds=300, load=0.5, rows=tuple(rows))
    assert costs.within is within
    assert costs.as_dict()["within"] is within


def test_a_container_that_started_anew_is_not_measured() -> None:
    fake = FakeEngine(loki=-1.0)
    asked = engine(fake)
    with pytest.raises(StackError, match="loki started anew meanwhile: measure again"):
        idle.watch(asked, asked.containers("mine"), seconds=0.01, counts_sleeps=False)


def test_an_engine_that_does_not_answer_is_one_line() -> None:
    gone = Container(id="gone", service="loki", image="image/loki")
    with pytest.raises(StackError, match=r"the Docker engine does not answer .*/images"):
        engine(FakeEngine()).image_bytes("other")
    with pytest.raises(StackError, match="does not answer"):
        engine(FakeEngine()).processes(gone)


def test_an_engine_behind_ssh_cannot_be_asked() -> None:
    with (
        pytest.raises(StackError, match=r"ssh://host cannot be asked for counters: run this where"),
        usage.connected(Endpoint(address="ssh://host", setting="DOCKER_HOST")),
    ):
        pass


def test_sleeps_of_all_threads_are_added_up(tmp_path: Path) -> None:
    for process, thread, number in [(7, 7, 100), (7, 8, 20), (9, 9, 3)]:
        folder = tmp_path / str(process) / "task" / str(thread)
        folder.mkdir(parents=True)
        (folder / "status").write_text(
            f"Name:\tx\nvoluntary_ctxt_switches:\t{number}\nnonvoluntary_ctxt_switches:\t5\n"
        )
    assert usage.sleeps([7], tmp_path) == 120
    assert usage.sleeps([7, 9, 404], tmp_path) == 123


def test_the_telemetry_stack_is_what_every_profile_starts() -> None:
    services = compose()["services"]
    lasting = {name for name, one in services.items() if one["restart"] != "no"}
    demo = {name for name in lasting if services[name].get("profiles") == ["demo"]}
    assert set(idle.TELEMETRY) == lasting - demo
