"""A chain node: JSON-RPC 2.0 on ``POST /chain``.

A transaction is mined a fixed time after it arrived. The same transaction sent twice is one
transaction, with the same hash.
"""

import hashlib
import json
import re
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, cast

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from glasshouse_fakes.fake_service import FakeService
from glasshouse_fakes.faults import Mode

CHAIN_ID: Final = 31_337
MAX_TRANSACTIONS: Final = 20_000
MAX_BATCH: Final = 100

PARSE_ERROR: Final = -32700
INVALID_REQUEST: Final = -32600
METHOD_NOT_FOUND: Final = -32601
INVALID_PARAMS: Final = -32602
INTERNAL_ERROR: Final = -32603

_HEX: Final = re.compile(r"0x([0-9a-fA-F]{2})*")
_HASH: Final = re.compile(r"0x[0-9a-fA-F]{64}")
_TRANSACTION_FIELDS: Final = frozenset(
    {"from", "to", "gas", "gasPrice", "value", "data", "input", "nonce"}
)


class RpcError(Exception):
    """A JSON-RPC error: code and message."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, kw_only=True)
class _Transaction:
    mined_at: float
    reverted: bool


class FakeChain(FakeService):
    """The node. ``block_seconds``: from a transaction's arrival to its being mined."""

    name = "chain"
    modes = frozenset({Mode.DOWN, Mode.SLOW, Mode.ERROR, Mode.REVERT, Mode.NEVER_MINE})

    def __init__(
        self, seed: int, block_seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__(seed)
        self._block_seconds = block_seconds
        self._clock = clock
        self._genesis = clock()
        self._transactions: OrderedDict[str, _Transaction] = OrderedDict()
        self._methods: dict[str, Callable[[list[Any]], Any]] = {
            "eth_blockNumber": self._block_number,
            "eth_chainId": self._chain_id,
            "eth_getTransactionReceipt": self._get_receipt,
            "eth_sendRawTransaction": self._send_raw,
            "eth_sendTransaction": self._send,
        }

    def router(self) -> APIRouter:
        router = APIRouter()

        @router.post("/chain")
        async def rpc(request: Request) -> Response:
            # An error without a status is one of JSON-RPC, call by call.
            fault = self.switch.fault
            rpc_error = fault.mode is Mode.ERROR and fault.status is None
            if not rpc_error and (failure := await self.apply_fault()) is not None:
                return failure
            answer = self.answer(await request.body())
            # A notification is not answered.
            return Response(status_code=204) if answer is None else JSONResponse(answer)

        return router

    def reset(self) -> None:
        """Forget what arrived; what was sent stays on the chain."""
        super().reset()

    def answer(self, body: bytes) -> Any:
        """Return the answer to one request or batch; ``None`` if none is due."""
        try:
            call = json.loads(body)
        except (ValueError, RecursionError):
            return _error(None, PARSE_ERROR, "Parse error")
        if not isinstance(call, list):
            return self._answer_one(call)
        calls = cast(list[Any], call)
        if not 1 <= len(calls) <= MAX_BATCH:
            return _error(None, INVALID_REQUEST, f"A batch has 1 to {MAX_BATCH} calls")
        answers = [self._answer_one(one) for one in calls]
        return [answer for answer in answers if answer is not None] or None

    def _answer_one(self, call: Any) -> dict[str, Any] | None:
        if not _is_call(call):
            return _error(None, INVALID_REQUEST, "Invalid request")
        identifier = call.get("id")
        try:
            if self.switch.should_fail(Mode.ERROR):
                raise RpcError(INTERNAL_ERROR, "Internal error")
            result = self._dispatch(call["method"], call.get("params", []))
        except RpcError as error:
            answer = _error(identifier, error.code, str(error))
        else:
            answer = {"jsonrpc": "2.0", "id": identifier, "result": result}
        return answer if "id" in call else None

    def _dispatch(self, name: str, params: Any) -> Any:
        method = self._methods.get(name)
        if method is None:
            raise RpcError(METHOD_NOT_FOUND, "Method not found")
        self.received.append({"method": name, "params": params})
        return method(params)

    def _chain_id(self, params: list[Any]) -> str:
        _expect(not params, "no parameters")
        return hex(CHAIN_ID)

    def _block_number(self, params: list[Any]) -> str:
        _expect(not params, "no parameters")
        return hex(self._block_at(self._clock()))

    def _send(self, params: list[Any]) -> str:
        transaction = params[0] if len(params) == 1 else None
        _expect(isinstance(transaction, dict), "one transaction object")
        fields = cast(dict[str, Any], transaction)
        known = fields.keys() <= _TRANSACTION_FIELDS
        _expect(known and all(isinstance(value, str) for value in fields.values()), "known fields")
        _expect(_HEX.fullmatch(fields.get("data", "0x")) is not None, "data in hex")
        return self._accept(json.dumps(fields, sort_keys=True).encode())

    def _send_raw(self, params: list[Any]) -> str:
        raw = params[0] if len(params) == 1 else None
        _expect(isinstance(raw, str) and _HEX.fullmatch(raw) is not None, "signed data in hex")
        return self._accept(bytes.fromhex(str(raw)[2:]))

    def _accept(self, content: bytes) -> str:
        # A stand-in for Keccak-256: only its being a fixed function matters here.
        identifier = "0x" + hashlib.sha256(content).hexdigest()
        if identifier not in self._transactions:
            lost = self.switch.should_fail(Mode.NEVER_MINE)
            self._transactions[identifier] = _Transaction(
                mined_at=float("inf") if lost else self._clock() + self._block_seconds,
                reverted=self.switch.should_fail(Mode.REVERT) is not None,
            )
            if len(self._transactions) > MAX_TRANSACTIONS:
                self._transactions.popitem(last=False)
        return identifier

    def _get_receipt(self, params: list[Any]) -> dict[str, Any] | None:
        identifier = params[0] if len(params) == 1 else None
        valid = isinstance(identifier, str) and _HASH.fullmatch(identifier) is not None
        _expect(valid, "one transaction hash")
        transaction = self._transactions.get(str(identifier).lower())
        if transaction is None or transaction.mined_at > self._clock():
            return None
        return {
            "transactionHash": str(identifier).lower(),
            "blockNumber": hex(self._block_at(transaction.mined_at)),
            "status": "0x0" if transaction.reverted else "0x1",
        }

    def _block_at(self, moment: float) -> int:
        # Without a block time every transaction is mined at once, in a block a second.
        return int((moment - self._genesis) / (self._block_seconds or 1))


def _is_call(call: Any) -> bool:
    if not isinstance(call, dict):
        return False
    fields = cast(dict[str, Any], call)
    identifier = fields.get("id")
    return (
        fields.get("jsonrpc") == "2.0"
        and isinstance(fields.get("method"), str)
        and isinstance(fields.get("params", []), list)
        and (identifier is None or isinstance(identifier, str | int))
        and not isinstance(identifier, bool)
    )


def _expect(condition: bool, expected: str) -> None:
    if not condition:
        raise RpcError(INVALID_PARAMS, f"Invalid params: expected {expected}")


def _error(identifier: Any, code: int, message: str) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": identifier, "error": {"code": code, "message": message}}
