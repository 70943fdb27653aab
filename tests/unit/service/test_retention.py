"""Old jobs and runs are deleted, and nothing that is still needed."""

import procrastinate
import pytest

from backend.jobs.queue import CONFIRM_PAYMENT, DELIVER_NOTIFICATION
from backend.jobs.retention import Retention, statements
from backend.notifications.contact_book import Contacts, UnknownContactError
from backend.notifications.contacts import Contact
from backend.platform import people
from backend.platform.database import Pool
from backend.platform.encryption import Encryptor
from backend.platform.settings import RetentionSettings

DAYS = 30
OLD, YOUNG = DAYS + 1, DAYS - 1
ALL = dict.fromkeys(statements(RetentionSettings()), DAYS)


async def add_job(pool: Pool, app: procrastinate.App, status: str, age_days: int) -> int:
    """Defer a job, and make it one that came into its status so long ago."""
    job_id = await app.configure_task(CONFIRM_PAYMENT).defer_async(payment_id="tx")
    async with pool.connection() as connection:
        await connection.execute(
            "UPDATE procrastinate_jobs SET status = %s::procrastinate_job_status WHERE id = %s",
            [status, job_id],
        )
        await connection.execute(
            "UPDATE procrastinate_events SET at = now() - make_interval(days => %s)"
            " WHERE job_id = %s",
            [age_days, job_id],
        )
    return job_id


async def add_run(pool: Pool, job: str, outcome: str | None, age_days: int) -> int:
    async with pool.connection() as connection:
        cursor = await connection.execute(
            "INSERT INTO job_runs (job_id, job, attempt, worker, started_at, finished_at, outcome)"
            " SELECT count(*), %(job)s, 1, 'test', now() - make_interval(days => %(age)s),"
            " CASE WHEN %(outcome)s::text IS NOT NULL"
            " THEN now() - make_interval(days => %(age)s) END, %(outcome)s FROM job_runs"
            " RETURNING id",
            {"job": job, "outcome": outcome, "age": age_days},
        )
        row = await cursor.fetchone()
    assert row
    return row["id"]


async def ids(pool: Pool, table: str) -> list[int]:
    statements = {
        "jobs": "SELECT id FROM procrastinate_jobs ORDER BY id",
        "runs": "SELECT id FROM job_runs ORDER BY id",
    }
    async with pool.connection() as connection:
        cursor = await connection.execute(statements[table].encode())
        return [row["id"] for row in await cursor.fetchall()]


async def test_only_old_jobs_that_ended_are_deleted(pool: Pool, jobs: procrastinate.App):
    for status in ("succeeded", "failed", "cancelled", "aborted"):
        await add_job(pool, jobs, status, OLD)
    kept = [
        await add_job(pool, jobs, "todo", OLD),
        await add_job(pool, jobs, "doing", OLD),
        await add_job(pool, jobs, "succeeded", YOUNG),
        await add_job(pool, jobs, "failed", YOUNG),
    ]
    await Retention(pool, ALL).apply()
    assert await ids(pool, "jobs") == kept


async def test_last_run_and_last_success_of_each_job_stay(pool: Pool):
    await add_run(pool, CONFIRM_PAYMENT, "succeeded", OLD + 3)
    success = await add_run(pool, CONFIRM_PAYMENT, "succeeded", OLD + 2)
    await add_run(pool, CONFIRM_PAYMENT, "failed", OLD + 1)
    last = await add_run(pool, CONFIRM_PAYMENT, "failed", OLD)
    running = await add_run(pool, CONFIRM_PAYMENT, None, OLD)
    await add_run(pool, DELIVER_NOTIFICATION, "failed", OLD)
    young = [
        await add_run(pool, DELIVER_NOTIFICATION, "succeeded", age) for age in (YOUNG, YOUNG - 1)
    ]
    await Retention(pool, ALL).apply()
    assert await ids(pool, "runs") == [success, last, running, *young]


async def test_more_than_a_batch_is_deleted_in_one_go(pool: Pool, jobs: procrastinate.App):
    for _ in range(5):
        await add_job(pool, jobs, "succeeded", OLD)
    kept = await add_job(pool, jobs, "succeeded", YOUNG)
    await Retention(pool, ALL, batch=2).apply()
    assert await ids(pool, "jobs") == [kept]


async def test_a_contact_is_deleted_when_it_was_of_no_use_for_long(
    pool: Pool, encryptor: Encryptor
):
    book = Contacts(pool=pool, encryptor=encryptor)
    contacts = {
        name: Contact(channel="email", to=f"{name}@example.com")
        for name in ("unused", "used", "again", "young")
    }
    for name, contact in contacts.items():
        await book.register("shop", name, contact)

    async def age(days: int, *users: str) -> None:
        digests = [people.digests(encryptor, user)[0] for user in users]
        async with pool.connection() as connection:
            await connection.execute(
                "UPDATE contacts SET used_at = now() - make_interval(days => %s)"
                " WHERE user_digest = ANY(%s)",
                [days, digests],
            )

    async def known(user: str) -> bool:
        try:
            await book.check("shop", user, contacts[user])
        except UnknownContactError:
            return False
        return True

    await age(OLD, "unused", "used", "again")
    await age(YOUNG, "young")
    assert await known("used")
    await book.register("shop", "again", contacts["again"])
    await Retention(pool, ALL).apply()
    assert {user: await known(user) for user in contacts} == {
        "unused": False,
        "used": True,
        "again": True,
        "young": True,
    }


async def test_database_that_is_unavailable_is_logged(pool: Pool, caplog: pytest.LogCaptureFixture):
    await pool.close()
    await Retention(pool, ALL).apply()
    assert [record.message for record in caplog.records] == ["Old rows could not be deleted"]
