import json
from typing import Any

import pytest

from glasshouse_fakes.faults import Fault, Mode
from glasshouse_fakes.services.chain import MAX_TRANSACTIONS, FakeChain

BLOCK = 2.0
DATA = {"data": "0x74785f31"}


class Clock:
    """Time that stands still until it is moved, in seconds."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def chain(clock: Clock) -> FakeChain:
    return FakeChain(seed=0, block_seconds=BLOCK, clock=clock)


def call(chain: FakeChain, method: str, *params: Any) -> Any:
    request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)}
    answer = chain.answer(json.dumps(request).encode())
    assert (answer["jsonrpc"], answer["id"]) == ("2.0", 1)
    return answer["result"] if "result" in answer else answer["error"]["code"]


def test_transaction_is_mined_after_the_block_time(chain: FakeChain, clock: Clock):
    identifier = call(chain, "eth_sendTransaction", DATA)
    clock.now += BLOCK - 0.01
    assert call(chain, "eth_getTransactionReceipt", identifier) is None
    clock.now += 0.01
    assert call(chain, "eth_getTransactionReceipt", identifier) == {
        "transactionHash": identifier,
        "blockNumber": "0x1",
        "status": "0x1",
    }


def test_same_transaction_is_one_transaction(chain: FakeChain, clock: Clock):
    identifier = call(chain, "eth_sendTransaction", DATA)
    clock.now += BLOCK
    assert call(chain, "eth_sendTransaction", DATA) == identifier
    # The repeat did not put it off.
    assert call(chain, "eth_getTransactionReceipt", identifier)["status"] == "0x1"
    assert call(chain, "eth_sendTransaction", {"data": "0x00"}) != identifier


def test_raw_transaction_is_accepted(chain: FakeChain):
    identifier = call(chain, "eth_sendRawTransaction", "0xf86c")
    assert len(identifier) == 66
    assert call(chain, "eth_sendRawTransaction", "0xF86C") == identifier


def test_block_number_and_chain_id(chain: FakeChain, clock: Clock):
    clock.now += 10 * BLOCK
    assert call(chain, "eth_blockNumber") == "0xa"
    assert call(chain, "eth_chainId") == "0x7a69"


@pytest.mark.parametrize(
    ("method", "params", "code"),
    [
        ("eth_nothing", [], -32601),
        ("eth_sendTransaction", [], -32602),
        ("eth_sendTransaction", ["0x00"], -32602),
        ("eth_sendTransaction", [{"data": "00"}], -32602),
        ("eth_sendTransaction", [{"data": 7}], -32602),
        ("eth_sendTransaction", [{"odd": "0x00"}], -32602),
        ("eth_sendRawTransaction", ["0xabc"], -32602),
        ("eth_sendRawTransaction", [7], -32602),
        ("eth_getTransactionReceipt", ["0x00"], -32602),
        ("eth_getTransactionReceipt", [None], -32602),
        ("eth_blockNumber", [1], -32602),
    ],
)
def test_bad_call_has_its_error_code(chain: FakeChain, method: str, params: list[Any], code: int):
    assert call(chain, method, *params) == code


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", -32700),
        (b"\xff", -32700),
        (b"[" * 100_000, -32700),
        (b"7", -32600),
        (b"[]", -32600),
        (b'{"jsonrpc": "1.0", "id": 1, "method": "eth_chainId"}', -32600),
        (b'{"jsonrpc": "2.0", "id": {}, "method": "eth_chainId"}', -32600),
        (b'{"jsonrpc": "2.0", "id": 1, "method": 7}', -32600),
        (b'{"jsonrpc": "2.0", "id": 1, "method": "eth_chainId", "params": {}}', -32600),
    ],
)
def test_request_that_is_none_has_its_error_code(chain: FakeChain, body: bytes, code: int):
    answer = chain.answer(body)
    assert (answer["id"], answer["error"]["code"]) == (None, code)


def test_batch_is_answered_in_order_without_its_notifications(chain: FakeChain):
    batch = [
        {"jsonrpc": "2.0", "id": "a", "method": "eth_chainId"},
        {"jsonrpc": "2.0", "method": "eth_chainId"},
        7,
    ]
    answers = chain.answer(json.dumps(batch).encode())
    assert [answer["id"] for answer in answers] == ["a", None]
    assert chain.answer(json.dumps(batch[1:2]).encode()) is None


def test_never_mined_and_reverted(chain: FakeChain, clock: Clock):
    chain.switch.set(Fault(mode=Mode.NEVER_MINE))
    lost = call(chain, "eth_sendTransaction", {"data": "0x01"})
    chain.switch.set(Fault(mode=Mode.REVERT))
    reverted = call(chain, "eth_sendTransaction", {"data": "0x02"})
    clock.now += 1e6
    assert call(chain, "eth_getTransactionReceipt", lost) is None
    assert call(chain, "eth_getTransactionReceipt", reverted)["status"] == "0x0"


def outcomes(seed: int) -> str:
    chain = FakeChain(seed=seed, block_seconds=0)
    chain.switch.set(Fault(mode=Mode.REVERT, rate=0.5))
    statuses = ""
    for number in range(200):
        identifier = call(chain, "eth_sendTransaction", {"data": f"0x{number:04x}"})
        statuses += call(chain, "eth_getTransactionReceipt", identifier)["status"][-1]
    return statuses


def test_faults_repeat_with_the_same_seed_and_keep_their_rate():
    assert outcomes(1) == outcomes(1)
    assert outcomes(1) != outcomes(2)
    assert 70 < outcomes(1).count("0") < 130


def test_error_fault_is_an_internal_error(chain: FakeChain):
    chain.switch.set(Fault(mode=Mode.ERROR))
    assert call(chain, "eth_chainId") == -32603


def test_memory_is_bounded(chain: FakeChain, clock: Clock):
    first = last = call(chain, "eth_sendTransaction", {"data": "0x"})
    for number in range(MAX_TRANSACTIONS):
        last = call(chain, "eth_sendTransaction", {"data": f"0x{number:08x}"})
    clock.now += BLOCK
    assert call(chain, "eth_getTransactionReceipt", first) is None
    assert call(chain, "eth_getTransactionReceipt", last)["status"] == "0x1"
