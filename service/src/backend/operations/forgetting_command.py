"""What ``backend forget`` does and says."""

from collections.abc import Callable, Sequence

import httpx

from backend.operations.forgetting import REMAINDER, Forgetting, LokiError, Lokis, Pseudonyms
from backend.platform.database import create_pool
from backend.platform.encryption import Encryptor
from backend.platform.settings import ForgetSettings


class LokiUnavailableError(Exception):
    """Loki cannot delete. The message is one line."""


async def forget(
    settings: ForgetSettings,
    person: Sequence[str],
    *,
    owner: str | None,
    wait: float | None,
    say: Callable[[str], None],
) -> None:
    """Erase a person, and ``say`` line by line what was done.

    ``person``: the user id, and more addresses and numbers of the same person. ``owner``: see
    `Forgetting`. ``wait``: seconds for what is open; ``None`` erases it.

    Raises:
        OpenWorkError: something is still open. Nothing was erased.
        psycopg.OperationalError: the database cannot be used. Nothing was erased.
        LokiUnavailableError: Loki cannot be asked. Nothing was erased.
        LokiError: the rows are erased, and Loki's lines are not. Run it again.
    """
    async with (
        httpx.AsyncClient(trust_env=False) as client,
        create_pool(settings, application="backend-forget") as pool,
    ):
        loki = _lokis(settings, client)
        forgetting = Forgetting(pool, Encryptor(settings.data_keys()), person[0], owner)
        if wait is not None:
            await forgetting.wait_for_open_work(wait)
        if loki is not None:
            # With the rows the addresses are gone that Loki is to be asked for.
            await _checked(loki)
        names = [*person, *await forgetting.addresses()]
        pseudonyms = Pseudonyms.of(names, settings.hmac_keys())
        counts = await forgetting.erase_rows(pseudonyms)
        say("Postgres: " + ", ".join(f"{count} {kind}" for kind, count in counts.items()))
        if loki is not None:
            lines = await _counted(loki, pseudonyms)
            await loki.delete(pseudonyms)
            say(
                f"Loki: {lines} under {pseudonyms.count} pseudonyms; queries leave them out within "
                "5 minutes, and within 4 hours they are deleted"
            )
        else:
            say("Loki: nothing was asked for, LOKI_URL is not set")
    say("Not erased:")
    for line in REMAINDER:
        say(f"  {line}")


def _lokis(settings: ForgetSettings, client: httpx.AsyncClient) -> Lokis | None:
    if not settings.loki_urls:
        return None
    return Lokis(client, settings.loki_urls, settings.loki_retention_s, settings.loki_tenant)


async def _checked(loki: Lokis) -> None:
    try:
        await loki.check()
    except LokiError as error:
        raise LokiUnavailableError(str(error)) from None


async def _counted(loki: Lokis, pseudonyms: Pseudonyms) -> str:
    """Return how many lines there are, in words. That it cannot be counted keeps none of them."""
    try:
        return f"{await loki.count(pseudonyms)} lines"
    except LokiError:
        return "all lines (too many to be counted in time)"
