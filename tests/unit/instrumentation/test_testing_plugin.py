"""The fixture `telemetry`, as a project with nothing but Glasshouse and pytest has it.

Providers are set once in a process, so each case is a run of pytest in a process of its own.
"""

import json
import os
import subprocess
import sys
import textwrap
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest

from support import otlp_sink

ASYNCIO = ("-o", "asyncio_mode=auto", "-o", "asyncio_default_fixture_loop_scope=function")
SHOP = '''
"""A service that says too much."""
import logging
from opentelemetry import metrics, trace
from glasshouse import emit_event

tracer = trace.get_tracer("shop")
orders = metrics.get_meter("shop").create_counter("shop.orders")
seconds = metrics.get_meter("shop").create_histogram("shop.duration", unit="s")
logger = logging.getLogger("shop")


def buy(order="ord-1", mail="jane.doe@example.com"):
    with tracer.start_as_current_span("buy", attributes={"mail": mail, "order": order}) as span:
        span.add_event("checked", {"by": mail})
        logger.info("bought by %s", mail, extra={"order": order})
        emit_event("order.created", "Order created", order_id=order, user_id="u-1")
        orders.add(1, {"shop.kind": "book"})
        seconds.record(0.25)
'''
CASES = """
import asyncio
import logging
import logging.config
import threading

import pytest

import shop


def test_all_signals_are_there_and_redacted(telemetry):
    shop.buy()
    span = telemetry.find_span("buy")
    assert span.attributes["order"] == "ord-1"
    assert span.attributes["mail"].startswith("[email:")
    assert span.events[0].attributes["by"] == span.attributes["mail"]
    assert (span.kind, span.status, span.parent_id) == ("internal", "unset", "")
    log = telemetry.find_log("bought by [email:")
    assert (log.severity, log.scope, log.attributes["order"]) == ("INFO", "shop", "ord-1")
    assert (log.trace_id, log.span_id) == (span.trace_id, span.span_id)
    [event] = telemetry.events("order.created")
    assert event.attributes["order.order_id"] == "ord-1"
    assert event.attributes["order.user_id"].startswith("[user:")
    assert telemetry.find_metric("shop.orders", shop_kind="book").value == 1
    duration = telemetry.find_metric("shop.duration")
    assert (duration.value, duration.count, duration.kind) == (0.25, 1, "histogram")
    assert telemetry.metrics == telemetry.metrics
    telemetry.assert_nothing_personal("Jane Doe", "jane.doe@example.com")


def test_the_next_test_starts_from_nothing(telemetry):
    assert telemetry.as_dicts() == {"spans": [], "logs": [], "metrics": []}
    shop.buy()
    shop.buy()
    assert telemetry.find_metric("shop.orders").value == 2


def test_clear_forgets_metrics_too(telemetry):
    shop.buy()
    telemetry.clear()
    assert telemetry.as_dicts() == {"spans": [], "logs": [], "metrics": []}
    shop.buy()
    assert telemetry.find_metric("shop.orders").value == 1
    assert len(telemetry.spans) == 1


def test_threads_are_captured(telemetry):
    threads = [threading.Thread(target=shop.buy, args=(f"ord-{n}",)) for n in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(telemetry.find_spans("buy")) == 20
    assert telemetry.find_metric("shop.orders").value == 20


def test_what_runs_in_a_loop_is_captured(telemetry):
    async def main():
        await asyncio.gather(*(asyncio.to_thread(shop.buy) for _ in range(3)))
        shop.buy()

    asyncio.run(main())
    assert len(telemetry.find_spans("buy")) == 4


def test_helpers_say_what_there_is(telemetry):
    shop.buy()
    with pytest.raises(AssertionError, match="no spans for 'sell'; captured: buy"):
        telemetry.find_span("sell")
    shop.buy()
    with pytest.raises(AssertionError, match="2 spans for 'buy'; captured: buy"):
        telemetry.find_span("buy")
    with pytest.raises(AssertionError, match=r"no metrics for 'x'; captured: shop\\.orders"):
        telemetry.find_metric("x")
    with pytest.raises(AssertionError, match="no metrics for 'shop.orders'"):
        telemetry.find_metric("shop.orders", shop_kind="film")
    with pytest.raises(AssertionError, match="no log records for 'sold'; captured: 'bought by"):
        telemetry.find_log("sold")
    assert telemetry.events("order.sold") == []


def test_a_text_that_no_rule_knows_is_found(telemetry):
    with shop.tracer.start_as_current_span("greet", attributes={"url.path": "/hi/Jane%20Doe"}):
        shop.logger.warning("hello Jane Doe", extra={"Jane Doe": 1})
    with pytest.raises(AssertionError) as failed:
        telemetry.assert_not_in("jane doe")
    first, *places = str(failed.value).splitlines()
    assert first == "'jane doe' was captured:"
    assert places == [
        "span 'greet', attributes.url.path: '/hi/Jane%20Doe'",
        "log 'hello Jane Doe', body: 'hello Jane Doe'",
        "log 'hello Jane Doe', attributes: a name: 'Jane Doe'",
    ]
    with pytest.raises(AssertionError, match="'Jane Doe' was captured"):
        telemetry.assert_nothing_personal("Jane Doe")
    telemetry.assert_not_in("John Doe")
    with pytest.raises(ValueError, match="empty"):
        telemetry.assert_not_in("")


def test_log_records_come_whatever_handlers_there_are(telemetry, caplog):
    quiet = logging.getLogger("shop.quiet")
    quiet.propagate = False
    quiet.addHandler(logging.NullHandler())
    quiet.warning("not propagated")
    logging.config.dictConfig(
        {"version": 1, "disable_existing_loggers": False, "root": {"level": "INFO", "handlers": []}}
    )
    shop.buy()
    assert [log.body for log in telemetry.logs][0] == "not propagated"
    assert len(telemetry.logs) == 3


def test_other_handlers_see_what_they_saw_before(telemetry, caplog):
    shop.logger.warning("to jane.doe@example.com")
    assert caplog.messages == ["to jane.doe@example.com"]
    assert telemetry.logs[0].body.startswith("to [email:")


class TestOfAClass:
    def test_first(self, class_telemetry):
        shop.buy()
        assert len(class_telemetry.spans) == 1

    def test_second(self, class_telemetry, telemetry):
        shop.buy()
        assert (len(class_telemetry.spans), len(telemetry.spans)) == (2, 1)
        assert class_telemetry.find_metric("shop.orders").value == 2
        assert telemetry.find_metric("shop.orders").value == 1


def test_of_the_session(session_telemetry):
    shop.buy()
    assert len(session_telemetry.spans) == 1


def test_of_the_session_goes_on(session_telemetry):
    shop.buy()
    assert len(session_telemetry.spans) == 2


def test_nothing_stays_behind():
    from glasshouse.testing import capture

    root = logging.getLogger()
    before = (list(root.handlers), root.level, logging.Logger.callHandlers)
    with capture() as first:
        shop.buy()
    assert (list(root.handlers), root.level, logging.Logger.callHandlers) == before
    # What was captured can be read after the end, and nothing comes in any more.
    shop.buy()
    assert (len(first.spans), first.find_metric("shop.orders").value) == (1, 1)


def test_a_failing_block_ends_its_capture():
    from glasshouse.testing import capture

    with pytest.raises(RuntimeError, match="mine"), capture() as captured:
        raise RuntimeError("mine")
    shop.buy()
    assert captured.spans == []
"""


class Project:
    """A folder with a service and its tests."""

    def __init__(self, folder: Path, cases: str) -> None:
        self.folder = folder
        (folder / "shop.py").write_text(SHOP, encoding="utf-8")
        (folder / "test_shop.py").write_text(textwrap.dedent(cases), encoding="utf-8")

    def run(
        self, *arguments: str, start: tuple[str, ...] = (), plugins: bool = False, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        # What is said to the run that this test is in is not said to the project's.
        kept = {name: text for name, text in os.environ.items() if not name.startswith("PYTEST_")}
        environ = {**kept, **variables, "PYTHONPATH": str(self.folder)}
        chosen = ["-p", "no:faker", "-p", "no:locust", *ASYNCIO]
        if not plugins:
            environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
            chosen = ["-p", "_glasshouse_pytest"]
        command = [*start, sys.executable, "-m", "pytest", "-q", "-W", "error", "-rf", *chosen]
        return subprocess.run(
            [*command, *arguments, "test_shop.py"],
            cwd=self.folder,
            env=environ,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )


def passed(ran: subprocess.CompletedProcess[str], count: int) -> None:
    last = ran.stdout.strip().splitlines()[-1]
    assert (ran.returncode, last.split(" in ")[0]) == (0, f"{count} passed"), (
        ran.stdout + ran.stderr
    )


def test_the_fixtures(tmp_path: Path) -> None:
    passed(Project(tmp_path, CASES).run(), CASES.count("def test_"))


def test_with_workers_of_xdist(tmp_path: Path) -> None:
    ran = Project(tmp_path, CASES).run("-n", "2", "--dist", "loadscope", plugins=True)
    passed(ran, CASES.count("def test_"))


def test_pytest_finds_the_plugin_by_itself(tmp_path: Path) -> None:
    [entry] = entry_points(group="pytest11", name="glasshouse")
    assert entry.value == "_glasshouse_pytest"
    project = Project(tmp_path, "def test_it(telemetry): assert telemetry.spans == []")
    passed(project.run(plugins=True), 1)
    without = project.run("-p", "no:glasshouse", plugins=True)
    assert without.returncode == 1
    assert "fixture 'telemetry' not found" in without.stdout


def test_it_costs_nothing_where_it_is_not_used(tmp_path: Path) -> None:
    cases = """
    import sys

    def test_it():
        loaded = {name.partition(".")[0] for name in sys.modules}
        assert "_glasshouse_pytest" in loaded
        assert loaded & {"glasshouse", "opentelemetry", "re2", "yaml"} == set()
    """
    passed(Project(tmp_path, cases).run(), 1)


def test_async_tests_and_fixtures(tmp_path: Path) -> None:
    cases = """
    import asyncio
    import pytest
    import shop

    @pytest.fixture
    async def bought(telemetry):
        await asyncio.to_thread(shop.buy)

    @pytest.mark.asyncio
    async def test_it(bought, telemetry):
        shop.buy()
        assert len(telemetry.find_spans("buy")) == 2
    """
    passed(Project(tmp_path, cases).run(plugins=True), 1)


def test_behind_a_distro_that_is_set_up_already(tmp_path: Path) -> None:
    start = (str(Path(sys.executable).parent / "opentelemetry-instrument"),)
    with otlp_sink.running() as sink:
        ran = Project(tmp_path, CASES).run(
            start=start,
            OTEL_PYTHON_DISTRO="glasshouse",
            OTEL_EXPORTER_OTLP_ENDPOINT=sink.url,
            OTEL_SERVICE_NAME="shop",
        )
        passed(ran, CASES.count("def test_"))
        # The exporters that were there go on, once.
        sent = [span for span in sink.spans() if span["name"] == "greet"]
        bodies = [record["body"]["stringValue"] for record in sink.log_records()]
    assert len(sent) == 1
    assert bodies.count("hello Jane Doe") == 1


def test_what_a_weaker_policy_lets_through_is_found(tmp_path: Path) -> None:
    cases = """
    import pytest
    import shop

    def test_it(telemetry):
        shop.buy()
        with pytest.raises(AssertionError) as failed:
            telemetry.assert_nothing_personal()
        first, *places = str(failed.value).splitlines()
        assert first == "personal data was captured:"
        assert len(places) == 3
        assert places[0].startswith("span 'buy', attributes.mail: 'jane.doe@example.com' (would be")
        assert places[2].startswith("log 'bought by jane.doe@example.com', body: 'bought by jane.")
        telemetry.assert_nothing_personal(allow=["email"])
    """
    passed(Project(tmp_path, cases).run(GLASSHOUSE_REDACTION_DISABLE="email"), 1)


def test_a_service_that_sets_itself_up_within_a_test_is_captured_once(tmp_path: Path) -> None:
    cases = """
    import logging
    import glasshouse
    import shop

    BODIES = ["bought by nobody", "Order created"]

    def test_it(telemetry):
        glasshouse.configure(service_name="shop", OTEL_TRACES_EXPORTER="none",
            OTEL_METRICS_EXPORTER="none", OTEL_LOGS_EXPORTER="none", instrument=False)
        shop.buy(mail="nobody")
        assert [log.body for log in telemetry.logs][-2:] == BODIES
        telemetry.find_log(BODIES[0])
        assert len(telemetry.spans) == 1

    def test_it_stays_set_up(telemetry):
        assert logging.Logger.callHandlers.__module__ == "glasshouse.capture.install"
        shop.buy(mail="nobody")
        assert [log.body for log in telemetry.logs] == BODIES
        assert len(telemetry.spans) == 1
    """
    passed(Project(tmp_path, cases).run("-W", "ignore"), 2)


def test_where_the_sdk_is_switched_off_or_samples_nothing(tmp_path: Path) -> None:
    cases = """
    import os
    import shop

    def test_it(telemetry):
        shop.buy()
        telemetry.find_span("buy")
        assert len(telemetry.logs) == 2
        assert telemetry.find_metric("shop.orders").value == 1
        assert os.environ["OTEL_SDK_DISABLED"] == "true"
    """
    ran = Project(tmp_path, cases).run(OTEL_SDK_DISABLED="true", OTEL_TRACES_SAMPLER="always_off")
    passed(ran, 1)


def test_providers_of_another_kind_are_named(tmp_path: Path) -> None:
    cases = """
    from opentelemetry import trace

    trace.set_tracer_provider(trace.NoOpTracerProvider())

    def test_it(telemetry):
        pass
    """
    ran = Project(tmp_path, cases).run()
    assert ran.returncode == 1
    assert (
        "CaptureError: opentelemetry.trace.NoOpTracerProvider is set as a provider and takes no"
        " processor: start the test process without it" in ran.stdout
    )


def test_snapshots_are_the_same_in_each_run(tmp_path: Path) -> None:
    cases = """
    import json
    import os
    import uuid
    import shop

    def test_it(telemetry):
        ids = {"request.id": str(uuid.uuid4())}
        with shop.tracer.start_as_current_span("outer", attributes=ids):
            shop.buy()
            try:
                raise ValueError("jane.doe@example.com")
            except ValueError:
                shop.logger.exception("failed")
        for stable in (True, False):
            with open(os.environ["OUT"] + str(stable), "w") as out:
                json.dump(telemetry.as_dicts(stable=stable), out)
    """
    project = Project(tmp_path, cases)
    for name in ("first", "second"):
        passed(project.run(OUT=str(tmp_path / name)), 1)

    def read(name: str) -> dict[str, Any]:
        return json.loads((tmp_path / name).read_text(encoding="utf-8"))

    assert read("firstFalse") != read("secondFalse")
    first = read("firstTrue")
    assert first == read("secondTrue")
    buy, outer = first["spans"]
    assert buy["parent_id"] == outer["span_id"] == "span-2"
    assert buy["trace_id"] == outer["trace_id"] == "trace-1"
    assert (outer["start"], outer["end"]) == (1, 8)
    assert (buy["start"], buy["events"][0]["time"], buy["end"]) == (2, 3, 6)
    assert buy["attributes"]["mail"] == "[email:1]"
    assert outer["attributes"] == {"request.id": "id-1"}
    trace_of_failure = first["logs"][2]["attributes"]["exception.stacktrace"]
    assert trace_of_failure == "Traceback (most recent call last): … ValueError: [email:1]"
    [duration] = [one for one in first["metrics"] if one["name"] == "shop.duration"]
    assert (duration["value"], duration["count"]) == (0, 1)


def test_the_plugin_needs_no_pytest_for_capture() -> None:
    program = "import sys, glasshouse.testing; sys.exit('pytest' in sys.modules)"
    ended = subprocess.run([sys.executable, "-c", program], timeout=60, check=False)
    assert ended.returncode == 0


@pytest.mark.parametrize("name", ["Telemetry", "capture", "CaptureError"])
def test_the_names_are_public(name: str) -> None:
    import glasshouse.testing

    assert name in glasshouse.testing.__all__
