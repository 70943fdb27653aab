"""Records that are encoded, and the request that is made of them."""

from collections.abc import Sequence
from typing import Final

from glasshouse.encoding.origins import Origin
from glasshouse.encoding.wire import sized

# What one record costs beside its bytes.
_EACH: Final = 64


class Batch:
    """Encoded spans, or encoded log records, with where each comes from.

    It takes the place of the message that opentelemetry-exporter-otlp-proto-common makes.
    """

    def __init__(self, origins: Sequence[Origin], records: Sequence[bytes]) -> None:
        self.origins = origins
        self.records = records
        self.size = sum(map(len, records)) + _EACH * len(records)

    @classmethod
    def joined(cls, batches: Sequence["Batch"]) -> "Batch":
        if len(batches) == 1:
            return batches[0]
        return cls(
            [origin for batch in batches for origin in batch.origins],
            [record for batch in batches for record in batch.records],
        )

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, part: slice) -> "Batch":
        return Batch(self.origins[part], self.records[part])

    def SerializeToString(self) -> bytes:  # as messages call it
        """Return an `ExportTraceServiceRequest` or `ExportLogsServiceRequest`."""
        resources: dict[bytes, dict[bytes, list[bytes]]] = {}
        last: Origin | None = None
        records: list[bytes] = []
        for origin, record in zip(self.origins, self.records, strict=True):
            # Most come from where the one before came from.
            if origin is not last:
                last = origin
                scopes = resources.setdefault(origin.resource, {})
                records = scopes.setdefault(origin.scope, [])
            records.append(record)
        return b"".join(
            b"\x0a"
            + sized(
                resource
                + b"".join(
                    b"\x12" + sized(scope + b"".join(records)) for scope, records in scopes.items()
                )
            )
            for resource, scopes in resources.items()
        )

    SerializePartialToString = SerializeToString
