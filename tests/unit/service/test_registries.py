"""Jobs, strategies and channels are each registered once; what is not registered fails clearly."""

import dataclasses

import httpx
import procrastinate
import pytest

from backend.automation.execution import Execution
from backend.automation.store import NewRun, RunId, Runs
from backend.automation.strategies import STRATEGIES, StepContext
from backend.jobs import tasks
from backend.jobs.queue import JOBS, JobQueue
from backend.notifications.channels.base import CHANNELS
from backend.notifications.contacts import Contact
from backend.notifications.delivery import Delivery
from backend.notifications.store import NewNotification, Notifications
from backend.payments.chain import Chain
from backend.payments.store import Payments
from backend.platform.database import Pool
from backend.platform.encryption import Encryptor
from backend.platform.registry import Registry, UnregisteredError

NEW = NewNotification(
    owner="shop",
    user_id="alice",
    contact=Contact(channel="fax", to="+493012345678"),
    template="welcome",
    data={"name": "Zoe"},
)


def test_names_are_those_of_the_modules_that_register_them():
    assert list(CHANNELS) == ["email", "sms", "push"]
    assert list(STRATEGIES) == ["rebalance", "dca", "stop_loss", "nightly_report"]
    assert list(tasks.TASKS) == list(JOBS)


def test_a_name_is_registered_once():
    with pytest.raises(ValueError, match=r"^two channels are called sms: rename one in backend\."):
        CHANNELS.register("sms", CHANNELS["push"])
    assert CHANNELS["sms"] is not CHANNELS["push"]


def test_the_message_lists_what_is_known():
    registry = Registry[int]("number", "the.module")
    with pytest.raises(UnregisteredError) as nothing:
        registry["one"]
    assert str(nothing.value) == "no number is called one: register it in the.module (known: none)"
    registry.register("two", 2)
    registry.register("three", 3)
    with pytest.raises(UnregisteredError, match=r"\(known: two, three\)$"):
        registry.require("one")
    assert (registry.get("one"), "one" in registry, dict(registry)) == (
        None,
        False,
        {"two": 2, "three": 3},
    )


def test_a_job_without_a_task_stops_the_worker_s_start(monkeypatch: pytest.MonkeyPatch):
    left = Registry[tasks.Task]("task", "backend.jobs.tasks")
    for name, task in tasks.TASKS.items():
        if name != "sweep_payments":
            left.register(name, task)
    monkeypatch.setattr(tasks, "TASKS", left)
    message = r"^no task is called sweep_payments: register it in backend\.jobs\.tasks"
    with pytest.raises(UnregisteredError, match=message):
        tasks.create_app({})


def test_a_task_without_a_job_stops_the_import():
    with pytest.raises(UnregisteredError, match=r"^no job is called fly: register it in backend\."):
        tasks.task("fly")


async def test_an_unregistered_job_is_not_enqueued(pool: Pool, jobs: procrastinate.App):
    async with pool.connection() as connection:
        with pytest.raises(UnregisteredError, match=r"^no job is called fly: register it in"):
            await JobQueue(jobs).enqueue("fly", connection)
        row = await (
            await connection.execute("SELECT count(*) AS jobs FROM procrastinate_jobs")
        ).fetchone()
    assert row == {"jobs": 0}


async def test_a_run_of_an_unregistered_strategy_fails(
    pool: Pool, encryptor: Encryptor, notifications: Notifications, jobs: procrastinate.App
):
    queue = JobQueue(jobs)
    runs = Runs(pool, encryptor, notifications, queue.run_automation)
    payments = Payments(pool, encryptor, notifications, queue.confirm_payment)
    async with httpx.AsyncClient() as client:
        context = StepContext(pool=pool, chain=Chain(client, "http://nowhere"), payments=payments)
        run = await runs.request(NewRun(owner="shop", user_id="alice", strategy="guess", sla=60))
        assert run is not None
        message = r"^no strategy is called guess: register it in backend\.automation\.strategies"
        with pytest.raises(UnregisteredError, match=message):
            await Execution(runs=runs, context=context).execute(run.id, last_attempt=False)
    ended = await runs.find(RunId(run.id))
    assert ended is not None
    assert (ended.state, ended.error_type) == ("failed", "UnregisteredError")


async def test_a_notification_over_an_unregistered_channel_fails(
    pool: Pool, notifications: Notifications
):
    with pytest.raises(UnregisteredError, match=r"^no channel is called fax: register it in"):
        _ = NEW.contact.is_valid
    async with pool.connection() as connection:
        await connection.execute(
            "ALTER TABLE notifications DROP CONSTRAINT notifications_channel_check"
        )
    queued = await notifications.create(NEW)
    delivery = Delivery(notifications=notifications, senders={})
    with pytest.raises(UnregisteredError, match=r"^no channel is called fax: register it in"):
        await delivery.deliver(queued.id, last_attempt=False)
    ended = await notifications.find(queued.id)
    assert ended is not None
    assert (ended.state, ended.error_type) == ("failed", "UnregisteredError")


async def test_a_channel_that_is_not_configured_fails_the_notification(
    notifications: Notifications,
):
    contact = dataclasses.replace(NEW.contact, channel="sms")
    queued = await notifications.create(dataclasses.replace(NEW, contact=contact))
    await Delivery(notifications=notifications, senders={}).deliver(queued.id, last_attempt=False)
    ended = await notifications.find(queued.id)
    assert ended is not None
    assert (ended.state, ended.error_type) == ("failed", "channel_not_configured")
