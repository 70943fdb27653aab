"""What is promised, each with the tests that hold it: docs/guarantees.md is made of it."""

from dataclasses import dataclass

COLLECTOR = "tests/chaos/test_collector_faults.py::test_a_fault_costs_no_more_than_its_row_allows"
STACK = "tests/chaos/test_stack_faults.py::test_a_part_away_costs_nothing_that_was_accepted"
DELIVERY = "tests/unit/instrumentation/"


@dataclass(frozen=True, kw_only=True)
class Promise:
    """One promise. tests: node ids; of one with parameters, by the function's. faults: its rows."""

    name: str
    text: str
    tests: tuple[str, ...]
    faults: tuple[str, ...] = ()


PROMISES = [
    Promise(
        name="Backend away",
        text="While a backend is unavailable, as long as the disk lasts, nothing accepted is "
        "lost, and counts are exact to the cent. Nothing is stored twice in Loki, and in "
        "Tempo only what it took without giving an answer.",
        tests=(
            COLLECTOR,
            "tests/chaos/test_outages.py::"
            "test_a_stopped_backend_loses_nothing_and_holds_up_no_other",
            "tests/chaos/test_counts.py::"
            "test_twenty_thousand_events_are_counted_through_an_outage_and_a_restart",
        ),
        faults=(
            *(
                f"{one}-{how}"
                for one in ("loki", "tempo", "prometheus")
                for how in ("stopped", "paused", "slow")
            ),
        ),
    ),
    Promise(
        name="One for itself",
        text="One backend that is unavailable or slow delays others' records by no more than 2 s.",
        tests=(COLLECTOR,),
        faults=("loki-stopped", "tempo-paused", "prometheus-slow", "loki-queue-full"),
    ),
    Promise(
        name="Asked to end",
        text="A Collector that gets SIGTERM ends within its grace, also when no backend "
        "answers, and loses nothing.",
        tests=(COLLECTOR,),
        faults=("collector-sigterm", "collector-sigterm-backlog"),
    ),
    Promise(
        name="Killed",
        text="A Collector that is killed delivers all that was acknowledged, also when it is "
        "killed again while it recovers. What is delivered again the backends know "
        "(Tempo: where it is some seconds apart). Counts are off by nothing: they, and "
        "which events came, are on disk before an event is acknowledged.",
        tests=(
            COLLECTOR,
            "tests/chaos/test_outages.py::"
            "test_a_killed_collector_still_delivers_what_it_had_accepted",
            "tests/chaos/test_collector_faults.py::"
            "test_the_plain_storage_loses_what_a_second_kill_meets",
        ),
        faults=("collector-killed", "collector-killed-backlog", "collector-killed-in-recovery"),
    ),
    Promise(
        name="Queue full",
        text="When a queue is full, senders are slowed down: their requests wait, and who does "
        "not wait so long tries again. Nothing that was accepted is dropped for what is "
        "new. CollectorQueueFilling fires at half.",
        tests=(COLLECTOR,),
        faults=("all-stopped-queue-full", "loki-queue-full"),
    ),
    Promise(
        name="Disk full",
        text="When the disk is full new requests are refused with 503, and senders try again. "
        "What was accepted is delivered meanwhile, and frees space.",
        tests=(COLLECTOR,),
        faults=("disk-full",),
    ),
    Promise(
        name="Queue file damaged",
        text="A Collector whose queue file is cut off, written over or unreadable starts. It "
        "sets the file aside, delivers what can be read of it, loses what stood on the "
        "damaged pages, and reports it: QueueFileDamaged. No other queue is affected.",
        tests=(COLLECTOR,),
        faults=("queue-truncated", "queue-corrupted", "queue-head-corrupted", "queue-unreadable"),
    ),
    Promise(
        name="Odd senders",
        text="A clock that is an hour off, ten times the load, requests that are broken, too "
        "deep or too large, and every oddity of docs/compatibility.md cost other records "
        "nothing.",
        tests=(COLLECTOR,),
        faults=("clock-behind", "clock-ahead", "load-times-ten", "hostile-requests", "oddities"),
    ),
    Promise(
        name="Application",
        text="Telemetry never blocks the application, its memory is bounded, and a process "
        "ends within 5 s whatever its Collector does.",
        tests=(
            DELIVERY + "test_delivery.py",
            DELIVERY + "test_exit.py",
            DELIVERY + "test_acknowledged.py",
            COLLECTOR,
        ),
        faults=("distro-stopped", "distro-paused"),
    ),
    Promise(
        name="Worker killed",
        text="A worker that is killed anywhere loses no job, doubles no effect but a mail "
        "(SMTP knows no repeat; the Message-ID is the same), and each event is counted "
        "once.",
        tests=(
            "tests/unit/service/test_processes.py::"
            "test_each_kind_of_job_ends_once_though_its_worker_is_killed",
            "tests/unit/service/test_processes.py::test_a_worker_asked_to_stop_hands_its_job_back",
            "tests/integration/test_outbox.py",
        ),
    ),
    Promise(
        name="Parts of the service away",
        text="With Postgres, Valkey, Alertmanager, the mail server, the provider or the chain "
        "unavailable, paused or slow, telemetry loses nothing, and the API answers or "
        "says 503.",
        tests=(STACK,),
    ),
    Promise(
        name="Past one machine",
        text="One gateway, one broker of three, one Loki of three and one live-store of Tempo with "
        "their disks, an edge that is killed with a backlog, or S3 for a minute: nothing accepted "
        "is lost with any of them, and counts are exact to the cent.",
        tests=(
            "tests/distributed/test_losses.py::test_a_lost_part_costs_nothing_that_was_accepted",
        ),
        faults=(
            "distributed-none",
            "distributed-each-killed",
            "distributed-gateway-killed",
            "distributed-broker-killed",
            "distributed-loki-killed",
            "distributed-live-store-killed",
            "distributed-edge-killed-backlog",
            "distributed-s3-stopped",
            "distributed-gateways-rolled",
        ),
    ),
]
