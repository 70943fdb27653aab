import asyncio
import smtplib
import ssl
import time
from collections.abc import AsyncIterator, Callable
from email.message import EmailMessage
from typing import Any

import pytest

from glasshouse_fakes.faults import Fault, Mode
from glasshouse_fakes.services.smtp import FakeSmtp

USER = "backend"
PASSWORD = "correct-horse"


def message() -> EmailMessage:
    mail = EmailMessage()
    mail["From"] = "shop@example.org"
    mail["To"] = "Zoë <zoe@example.org>"
    mail["Subject"] = "Zahlung bestätigt"
    mail.set_content("Hallo Zoë\n")
    return mail


@pytest.fixture
async def smtp() -> AsyncIterator[FakeSmtp]:
    service = FakeSmtp(seed=0, port=0)
    await service.start()
    yield service
    await service.stop()


@pytest.fixture
async def guarded() -> AsyncIterator[FakeSmtp]:
    service = FakeSmtp(seed=0, port=0, username=USER, password=PASSWORD)
    await service.start()
    yield service
    await service.stop()


def trusting(service: FakeSmtp) -> ssl.SSLContext:
    return ssl.create_default_context(cadata=service.certificate)


async def session(service: FakeSmtp, work: Callable[[smtplib.SMTP], Any]) -> Any:
    """Run `work` with a client that is connected."""

    def run() -> Any:
        with smtplib.SMTP("127.0.0.1", service.port, timeout=30) as client:
            return work(client)

    return await asyncio.to_thread(run)


async def send(service: FakeSmtp) -> Any:
    return await session(service, lambda client: client.send_message(message()))


async def test_message_arrives_as_it_was_sent(smtp: FakeSmtp):
    assert await send(smtp) == {}
    [mail] = smtp.received
    assert (mail["from"], mail["to"]) == ("shop@example.org", ["zoe@example.org"])
    assert (mail["subject"], mail["text"]) == ("Zahlung bestätigt", "Hallo Zoë\n")
    assert mail["headers"]["to"] == "Zoë <zoe@example.org>"
    assert (mail["tls"], mail["authenticated"]) == (False, False)


async def test_reply_names_the_queue_id(smtp: FakeSmtp):
    def work(client: smtplib.SMTP) -> tuple[int, bytes]:
        client.ehlo()
        client.mail("a@example.org")
        client.rcpt("b@example.org")
        return client.data(b"Subject: x\r\n\r\ny\r\n")

    code, text = await session(smtp, work)
    assert (code, text.decode()) == (250, f"2.0.0 Queued as {smtp.received[0]['queueId']}")


async def test_starttls_with_the_certificate_that_the_sandbox_made(smtp: FakeSmtp):
    def work(client: smtplib.SMTP) -> None:
        client.starttls(context=trusting(smtp))
        client.send_message(message())

    await session(smtp, work)
    assert smtp.received[0]["tls"] is True


async def test_a_certificate_of_another_start_is_not_trusted(smtp: FakeSmtp, guarded: FakeSmtp):
    with pytest.raises(ssl.SSLCertVerificationError):
        await session(smtp, lambda client: client.starttls(context=trusting(guarded)))


@pytest.mark.parametrize("mechanism", ["auth_login", "auth_plain"])
async def test_login_opens_the_guarded_server(guarded: FakeSmtp, mechanism: str):
    def work(client: smtplib.SMTP) -> None:
        client.starttls(context=trusting(guarded))
        client.ehlo()
        client.user, client.password = USER, PASSWORD
        client.auth(mechanism.removeprefix("auth_").upper(), getattr(client, mechanism))
        client.send_message(message())

    await session(guarded, work)
    assert [mail["authenticated"] for mail in guarded.received] == [True]


async def test_the_guarded_server_takes_nothing_without_login(guarded: FakeSmtp):
    def work(client: smtplib.SMTP) -> None:
        client.starttls(context=trusting(guarded))
        client.send_message(message())

    with pytest.raises(smtplib.SMTPSenderRefused) as refused:
        await session(guarded, work)
    assert refused.value.smtp_code == 530
    assert not guarded.received


@pytest.mark.parametrize(("user", "password"), [(USER, "wrong"), ("wrong", PASSWORD)])
async def test_wrong_login_is_refused(guarded: FakeSmtp, user: str, password: str):
    def work(client: smtplib.SMTP) -> None:
        client.starttls(context=trusting(guarded))
        client.login(user, password)

    with pytest.raises(smtplib.SMTPAuthenticationError) as refused:
        await session(guarded, work)
    assert refused.value.smtp_code == 535


async def test_login_is_not_offered_before_tls(guarded: FakeSmtp):
    with pytest.raises(smtplib.SMTPNotSupportedError):
        await session(guarded, lambda client: client.login(USER, PASSWORD))


async def test_server_that_is_down_hangs_up(smtp: FakeSmtp):
    smtp.switch.set(Fault(mode=Mode.DOWN))
    with pytest.raises((smtplib.SMTPServerDisconnected, ConnectionError)):
        await send(smtp)
    smtp.switch.set(Fault())
    await send(smtp)
    assert len(smtp.received) == 1


async def test_slow_server_lets_greeting_and_message_wait(smtp: FakeSmtp):
    smtp.switch.set(Fault(mode=Mode.SLOW, delay=0.05))
    started = time.monotonic()
    await send(smtp)
    assert time.monotonic() - started >= 0.09
    assert len(smtp.received) == 1


@pytest.mark.parametrize(("status", "code"), [(None, 451), (421, 421), (550, 550)])
async def test_error_is_a_reply_code_and_keeps_nothing(
    smtp: FakeSmtp, status: int | None, code: int
):
    smtp.switch.set(Fault(mode=Mode.ERROR, status=status))
    with pytest.raises(smtplib.SMTPResponseException) as refused:
        await send(smtp)
    assert refused.value.smtp_code == code
    assert not smtp.received


async def test_message_whose_reply_is_lost_was_taken(smtp: FakeSmtp):
    smtp.switch.set(Fault(mode=Mode.LOST_REPLY))
    with pytest.raises((smtplib.SMTPServerDisconnected, ConnectionError)):
        await send(smtp)
    assert len(smtp.received) == 1


async def test_error_rate_is_a_share_of_the_messages_and_repeats(smtp: FakeSmtp):
    async def fates() -> str:
        smtp.switch.set(Fault(mode=Mode.ERROR, rate=0.5))
        found = ""
        for _ in range(20):
            try:
                await send(smtp)
            except smtplib.SMTPResponseException:
                found += "x"
            else:
                found += "."
        return found

    first = await fates()
    assert 4 <= first.count("x") <= 16
    assert await fates() == first


async def test_oversize_message_is_refused(smtp: FakeSmtp):
    mail = message()
    mail.set_content("a" * 70 + "\n" + ("b" * 70 + "\n") * 20_000)
    with pytest.raises(smtplib.SMTPResponseException) as refused:
        await session(smtp, lambda client: client.send_message(mail))
    assert refused.value.smtp_code == 552
    assert not smtp.received
