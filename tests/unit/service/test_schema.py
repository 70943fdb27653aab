"""The migrated schema allows the values that the catalogue names."""

import re
from enum import StrEnum

from backend.platform.database import Pool
from backend.telemetry import known_values

# A CHECK of one column that lists its values. Those with a condition beside it say more than that.
LISTS = """
SELECT conrelid::regclass || '.' || attname AS name, pg_get_constraintdef(constraints.oid) AS text
FROM pg_constraint AS constraints
JOIN pg_attribute ON attrelid = conrelid AND attnum = conkey[1]
JOIN pg_class AS tables ON tables.oid = conrelid
WHERE contype = 'c' AND cardinality(conkey) = 1 AND relnamespace = 'public'::regnamespace
  AND relname NOT LIKE 'procrastinate%'
"""
LIST = re.compile(r"CHECK \(\(\w+ = ANY \(ARRAY\[(.*)\]\)\)\)")


async def test_the_schema_allows_what_the_catalogue_names(pool: Pool):
    expected: dict[str, type[StrEnum]] = {
        "payments.state": known_values.PaymentState,
        "job_runs.outcome": known_values.JobOutcome,
        "contacts.channel": known_values.NotificationChannel,
        "notifications.channel": known_values.NotificationChannel,
        "notifications.state": known_values.NotificationDeliveryStatus,
        "automation_runs.state": known_values.AutomationState,
    }
    async with pool.connection() as connection:
        rows = await (await connection.execute(LISTS)).fetchall()
    allowed = {
        row["name"]: sorted(re.findall(r"'(\w+)'::text", found[1]))
        for row in rows
        if (found := LIST.fullmatch(row["text"]))
    }
    assert allowed == {name: sorted(values) for name, values in expected.items()}, (
        "telemetry/*.yaml and a new migration must say the same"
    )
