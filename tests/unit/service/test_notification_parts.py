"""What a notification is made of: encrypted data, templates, and the mail server's login."""

from email.message import EmailMessage
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr

from backend.notifications.channels.base import PermanentDeliveryError, TransientDeliveryError
from backend.notifications.channels.email import Email, MailServer
from backend.notifications.contacts import Contact
from backend.notifications.store import NotificationId
from backend.notifications.templates import RenderedMessage, Template, templates
from backend.platform.encryption import DecryptionError, Encryptor
from glasshouse_fakes.settings import Settings
from support import sandbox
from support.ports import free

MESSAGE = {"to": "zoe.kessler@mail.example", "data": {"name": "Zoe"}}
IDENTIFIER = NotificationId("nt_" + "0" * 32)
NO_LOGIN = {"username": None, "password": None}
TEXT = RenderedMessage(subject="Hello", body="Hello Zoe\n")


def test_what_is_encrypted_for_one_row_cannot_be_decrypted_for_another(encryptor: Encryptor):
    encrypted = encryptor.encrypt(MESSAGE, aad="nt_1")
    assert encryptor.decrypt(encrypted, aad="nt_1") == MESSAGE
    assert b"zoe" not in encrypted
    assert encryptor.encrypt(MESSAGE, aad="nt_1") != encrypted
    changed = encrypted[:-1] + bytes([encrypted[-1] ^ 1])
    for broken, aad in ((encrypted, "nt_2"), (changed, "nt_1"), (b"", "nt_1")):
        with pytest.raises(DecryptionError, match=r"^DATA_KEY_FILE does not hold the key"):
            encryptor.decrypt(broken, aad=aad)
    with pytest.raises(DecryptionError):
        Encryptor(SecretStr("w" * 32)).decrypt(encrypted, aad="nt_1")


def test_digests_are_equal_for_equal_values_under_one_key(encryptor: Encryptor):
    assert encryptor.digest({"a": 1, "b": 2}) == encryptor.digest({"b": 2, "a": 1})
    assert encryptor.digest({"a": 1}) != encryptor.digest({"a": 2})
    assert encryptor.digest({"a": 1}) != Encryptor(SecretStr("w" * 32)).digest({"a": 1})


@pytest.mark.parametrize(
    ("channel", "to", "valid"),
    [
        ("email", "zoe.kessler+a@mail.example", True),
        ("email", "zoe@localhost", False),
        ("email", "zoe@mail.example\r\nBcc: x@mail.example", False),
        ("email", "zoe@mail.example\n", False),
        ("email", "a@b.example, c@d.example", False),
        ("email", "Zoe <zoe@mail.example>", False),
        ("sms", "+4915112345678", True),
        ("sms", "015112345678", False),
        ("sms", "+4915112345678 ", False),
        ("push", "device-token", True),
        ("push", "short", False),
    ],
)
def test_an_address_fits_its_channel(channel: str, to: str, valid: bool):
    contact = Contact(channel=channel, to=to)
    assert contact.is_valid is valid
    assert to not in repr(contact)


def test_every_template_is_there_with_what_it_needs():
    assert {name: template.needs for name, template in templates().items()} == {
        "payment_confirmed": {"amount", "currency", "transactionId"},
        "payment_failed": {"amount", "currency", "transactionId"},
        "run_completed": {"strategy", "runId"},
        "welcome": {"name"},
    }


def test_a_value_cannot_begin_another_header():
    rendered = templates()["welcome"].render({"name": "Zoe\r\nBcc: all@mail.example"})
    assert rendered.subject == "Welcome, Zoe Bcc: all@mail.example"
    # The library refuses what a template would have let pass.
    with pytest.raises(ValueError, match="linefeed or carriage return"):
        EmailMessage()["Subject"] = "Zoe\r\nBcc: all@mail.example"


def test_a_value_is_never_a_template():
    template: Template = templates()["welcome"]
    assert "$name" in template.render({"name": "$name"}).body


@pytest.fixture
def mail_server(tmp_path: Path):
    """The sandbox, which takes mail only after STARTTLS and login."""
    port = free(["smtp"])["smtp"]
    settings = Settings(smtp_port=port, smtp_username="backend", smtp_password="right")
    with sandbox.running(settings) as outside:
        ca_file = tmp_path / "ca.pem"
        ca_file.write_text(
            httpx.get(f"{outside}/smtp/certificate", timeout=240, trust_env=False).text
        )

        def server(**changes: object) -> MailServer:
            fields: dict[str, object] = {
                "host": "127.0.0.1",
                "port": port,
                "sender": "Backend <no-reply@backend.example>",
                "starttls": True,
                "username": "backend",
                "password": SecretStr("right"),
                "ca_file": ca_file,
            }
            return MailServer(**fields | changes)  # pyright: ignore[reportArgumentType]

        yield outside, server


def arrived(outside: str) -> list[object]:
    return httpx.get(f"{outside}/received/smtp", timeout=240, trust_env=False).json()


async def test_mail_goes_over_starttls_with_login(mail_server):
    outside, server = mail_server
    message_id = await Email(server()).send(IDENTIFIER, MESSAGE["to"], TEXT)
    assert message_id == f"<{IDENTIFIER}@backend.example>"
    [received] = arrived(outside)
    assert message_id in str(received)
    assert MESSAGE["to"] in str(received)


@pytest.mark.parametrize(
    ("changes", "error", "kind"),
    [
        ({"password": SecretStr("wrong")}, TransientDeliveryError, "login_refused"),
        ({**NO_LOGIN}, PermanentDeliveryError, "rejected"),
        ({"starttls": False, **NO_LOGIN}, PermanentDeliveryError, "rejected"),
        ({"ca_file": None}, TransientDeliveryError, "mail_server_unreachable"),
        ({"port": 1}, TransientDeliveryError, "mail_server_unreachable"),
    ],
)
async def test_mail_without_the_right_login_is_not_sent(mail_server, changes, error, kind):
    outside, server = mail_server
    with pytest.raises(error) as refused:
        await Email(server(**changes)).send(IDENTIFIER, MESSAGE["to"], TEXT)
    assert refused.value.kind == kind
    # Neither the address nor the server's own words.
    assert str(refused.value) == kind
    assert refused.value.__cause__ is None
    assert arrived(outside) == []
