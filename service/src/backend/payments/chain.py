"""Client of the chain node (JSON-RPC 2.0 over HTTP).

ChainError
├── ChainUnreachableError   no answer, or not from a JSON-RPC node
├── ChainBusyError          the node answered with an error that may pass
└── ChainRefusedError       the node will never accept this call
"""

import itertools
import logging
import time
from dataclasses import dataclass
from typing import Any, Final, cast

import httpx

TIMEOUT_S: Final = 3.0
# Invalid request, unknown method, invalid parameters: the same call fails again.
_PERMANENT_CODES: Final = frozenset({-32600, -32601, -32602})

_logger = logging.getLogger(__name__)


class ChainError(Exception):
    """The chain did not do what was asked."""


class ChainUnreachableError(ChainError):
    """No answer, or none of a JSON-RPC node. Try again later."""


class ChainBusyError(ChainError):
    """The node could not serve the call now. Try again later."""


class ChainRefusedError(ChainError):
    """The node refuses the call. Trying again is of no use."""


@dataclass(frozen=True, kw_only=True)
class Receipt:
    """A mined transaction. Reverted: mined without effect."""

    reverted: bool


class Chain:
    """One node. Every call ends within `TIMEOUT_S` seconds and raises only `ChainError`."""

    def __init__(self, client: httpx.AsyncClient, url: str) -> None:
        self._client = client
        self._url = url
        self._ids = itertools.count(1)

    async def submit(self, payment_id: str) -> str:
        """Hand a transaction for the payment to the node; return its hash.

        The payment's id is the transaction's data, by which the node recognises a repeat.
        """
        transaction = {"data": "0x" + payment_id.encode().hex()}
        result = await self._call("eth_sendTransaction", transaction)
        if not isinstance(result, str) or not result.startswith("0x"):
            raise ChainUnreachableError("no transaction hash in the answer")
        return result

    async def receipt(self, transaction_hash: str) -> Receipt | None:
        """Return the receipt, or ``None`` while the transaction is not mined."""
        result = await self._call("eth_getTransactionReceipt", transaction_hash)
        if result is None:
            return None
        status = result.get("status") if isinstance(result, dict) else None
        if status not in ("0x0", "0x1"):
            raise ChainUnreachableError("no status in the receipt")
        return Receipt(reverted=status == "0x0")

    async def block_number(self) -> int:
        """Return the number of the newest block."""
        result = await self._call("eth_blockNumber")
        try:
            return int(result, 16)
        except (TypeError, ValueError):
            raise ChainUnreachableError("no block number in the answer") from None

    async def _call(self, method: str, *params: Any) -> Any:
        """Call a method. For who debugs: which one, its outcome, and how long it took."""
        started = time.perf_counter()
        outcome = "ok"
        try:
            return await self._answer(method, *params)
        except ChainError as error:
            outcome = type(error).__qualname__
            raise
        finally:
            taken = round(time.perf_counter() - started, 4)
            extra = {"chain.method": method, "outcome": outcome, "durationSeconds": taken}
            _logger.debug("Chain called", extra=extra)

    async def _answer(self, method: str, *params: Any) -> Any:
        call = {"jsonrpc": "2.0", "id": next(self._ids), "method": method, "params": params}
        try:
            response = await self._client.post(self._url, json=call, timeout=TIMEOUT_S)
            response.raise_for_status()
            answer = response.json()
        # ValueError: the answer is not JSON.
        except (httpx.HTTPError, ValueError) as error:
            # Without its cause: the text of an HTTP error repeats the URL, which may hold a key.
            raise ChainUnreachableError(type(error).__name__) from None
        return _result(answer)


def _result(answer: object) -> Any:
    fields = cast(dict[str, Any], answer) if isinstance(answer, dict) else {}
    if error := fields.get("error"):
        code = error.get("code") if isinstance(error, dict) else None
        refused = code in _PERMANENT_CODES
        raise (ChainRefusedError if refused else ChainBusyError)(f"JSON-RPC error {code}")
    if "result" not in fields:
        raise ChainUnreachableError("neither result nor error in the answer")
    return fields["result"]
