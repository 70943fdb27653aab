import json
from typing import Any

import httpx
import pytest

from backend.payments.chain import (
    Chain,
    ChainBusyError,
    ChainError,
    ChainRefusedError,
    ChainUnreachableError,
    Receipt,
)
from glasshouse_fakes.app import create_app
from glasshouse_fakes.settings import Settings

URL = "http://chain/chain"
KEY_URL = "http://chain/v3/api-key-9d2e"


def chain_answering(answer: Any, status: int = 200, url: str = URL) -> Chain:
    content = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
    transport = httpx.MockTransport(lambda _: httpx.Response(status, content=content))
    return Chain(httpx.AsyncClient(transport=transport), url)


async def test_a_call_and_its_outcome_are_written_for_who_debugs(caplog: pytest.LogCaptureFixture):
    caplog.set_level("DEBUG", logger="backend")
    await chain_answering({"result": "0x1"}).block_number()
    with pytest.raises(ChainBusyError):
        await chain_answering({"error": {"code": -32000, "message": "jane@example.com"}}).submit(
            "x"
        )
    found = [vars(one) for one in caplog.records if one.name == "backend.payments.chain"]
    assert [(one["levelname"], one["chain.method"], one["outcome"]) for one in found] == [
        ("DEBUG", "eth_blockNumber", "ok"),
        ("DEBUG", "eth_sendTransaction", "ChainBusyError"),
    ]
    assert all(one["durationSeconds"] >= 0 for one in found)
    assert "jane" not in str(found)


async def test_it_speaks_with_the_sandbox():
    app = create_app(Settings(block_seconds=0))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app)) as client:
        chain = Chain(client, URL)
        transaction = await chain.submit("tx_1")
        assert await chain.submit("tx_1") == transaction
        assert await chain.submit("tx_2") != transaction
        assert await chain.receipt(transaction) == Receipt(reverted=False)
        assert await chain.receipt("0x" + "0" * 64) is None


@pytest.mark.parametrize(
    ("answer", "status", "error"),
    [
        (b"", 503, ChainUnreachableError),
        (b"<html>", 200, ChainUnreachableError),
        ([], 200, ChainUnreachableError),
        ({}, 200, ChainUnreachableError),
        ({"result": 7}, 200, ChainUnreachableError),
        ({"error": {"code": -32603}}, 200, ChainBusyError),
        ({"error": {"code": -32000}}, 200, ChainBusyError),
        ({"error": "odd"}, 200, ChainBusyError),
        ({"error": {"code": -32602}}, 200, ChainRefusedError),
        ({"error": {"code": -32601}}, 200, ChainRefusedError),
    ],
)
async def test_bad_answers_become_chain_errors(answer: Any, status: int, error: type[ChainError]):
    with pytest.raises(error):
        await chain_answering(answer, status).submit("tx_1")


@pytest.mark.parametrize("receipt", [{}, {"status": "0x7"}, "0x1"])
async def test_odd_receipt_is_no_receipt(receipt: Any):
    with pytest.raises(ChainUnreachableError):
        await chain_answering({"result": receipt}).receipt("0x" + "0" * 64)


async def test_error_does_not_repeat_the_url():
    with pytest.raises(ChainUnreachableError) as failed:
        await chain_answering(b"", 500, KEY_URL).submit("tx_1")
    assert "api-key" not in str(failed.value)
    assert failed.value.__cause__ is None
    assert failed.value.__suppress_context__
