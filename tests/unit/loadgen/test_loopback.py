import pytest

from glasshouse_cli.errors import StackError
from glasshouse_loadgen.loopback import check


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:8000", "http://127.8.9.1", "http://localhost:8000/", "http://[::1]:8000"],
)
def test_this_machine_is_allowed(url: str):
    assert check(url) == url.rstrip("/")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "127.0.0.1:8000",
        "http://",
        "http://example.com",
        "http://10.0.0.1:8000",
        "http://0.0.0.0:8000",
        "http://192.168.0.1",
        "http://[fe80::1]:8000",
        "http://[::1",
        "http://127.0.0.1.example.com",
        "http://localhost.example.com",
        "http://127.0.0.1@example.com",
        "http://127.0.0.1:8000@example.com",
        "http://me:secret@127.0.0.1:8000",
        "http://example.com#127.0.0.1",
        "http://127.0.0.1:port",
        "https://127.0.0.1:8000",
        "ftp://127.0.0.1",
        # Forms that some resolvers take for addresses.
        "http://2130706433",
        "http://0x7f000001",
    ],
)
def test_elsewhere_is_refused(url: str):
    with pytest.raises(StackError, match="is not on this machine"):
        check(url)
