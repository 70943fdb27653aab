"""One run of a stranger's program that ends by itself, and the service that it calls."""

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Final

from support import frameworks, http_server, in_span, otlp_sink, received
from support.received import Log, Span

PERSON: Final = "nora.lind@example.org"
CARD: Final = "4111111111111111"
PASSWORD: Final = "hunter2"
# None of them leaves; each is in an example, or in the address of a database.
SECRETS: Final = (PERSON, PERSON.replace("@", "%40"), CARD, PASSWORD)
NONE: Final[Mapping[str, str]] = MappingProxyType({})
# Processes that are spawned start their telemetry, too: one after the other on a small machine.
ENDED_WITHIN_S: Final = 300
_STREAM: Final = b"x" * 300
_SENT: Final = json.dumps({"MessageId": "1", "MD5OfMessageBody": "0"}).encode()


@dataclass(frozen=True, kw_only=True)
class Call:
    """A request that the service got. headers: their names are lower-case."""

    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(kw_only=True)
class Seen:
    """What one run has shown. code: negative where a signal ended it."""

    code: int = 0
    stdout: str = ""
    stderr: str = ""
    text: str = ""
    spans: list[Span] = field(default_factory=list[Span])
    logs: list[Log] = field(default_factory=list[Log])
    received: list[Call] = field(default_factory=list[Call])

    @property
    def console(self) -> str:
        return self.stdout + self.stderr

    @property
    def printed(self) -> str:
        """What the program itself wrote to standard output: no line of JSON."""
        lines = self.stdout.splitlines(keepends=True)
        return "".join(line for line in lines if not line.startswith("{"))

    def caller(self) -> Span:
        """Return the span that the program ran in."""
        [found] = [span for span in self.spans if span.name == in_span.CALLER]
        return found

    def saying(self, words: str) -> list[Log]:
        """Return the log records with ``words`` in their body."""
        return [log for log in self.logs if words in str(log.body)]


def collect(seen: Seen, sink: otlp_sink.Sink) -> Seen:
    """Add what has arrived; the process has ended, so nothing more will."""
    seen.spans, seen.logs = received.spans(sink), received.logs(sink)
    seen.text = received.text(sink)
    return seen


def look(
    words: Sequence[str],
    folder: Path,
    variables: Mapping[str, str] = NONE,
    *,
    distro: str | None = "glasshouse",
    inside: bool = True,
) -> Seen:
    """Run ``python words`` until it ends. inside: in a span. distro: None for a bare program."""
    prefix = (in_span.__file__,) if inside else ()
    command = ("python", *prefix, *words)
    with otlp_sink.running() as sink:
        endpoint = None if distro is None else sink.url
        with frameworks.running(
            command, folder, endpoint=endpoint, distro=distro or "", **variables
        ) as program:
            seen = Seen(code=program.process.wait(ENDED_WITHIN_S))
        seen.stdout = program.stdout.read_text("utf-8", "replace")
        seen.stderr = program.stderr.read_text("utf-8", "replace")
        return collect(seen, sink)


@dataclass(kw_only=True)
class Service:
    """The service that the examples of HTTP clients call."""

    url: str = ""
    calls: list[Call] = field(default_factory=list[Call])

    def forget(self) -> None:
        """Begin anew."""
        self.calls.clear()

    def taken(self) -> list[Call]:
        """Return what it got since it forgot."""
        return list(self.calls)


@contextlib.contextmanager
def serving() -> Iterator[Service]:
    """Serve a web service, S3 and SQS, as far as the examples go."""
    service = Service()

    class Answering(http_server.Handler):
        def do_GET(self) -> None:
            self._keep(b"")
            if "refused" in self.path:
                self.answer(b"<Error><Code>NoSuchKey</Code></Error>", status=404)
            else:
                self.answer(_STREAM)

        def do_POST(self) -> None:
            self._keep(self.body())
            self.answer(_SENT, headers={"Content-Type": "application/x-amz-json-1.0"})

        def do_PUT(self) -> None:
            self._keep(self.body())
            self.answer()

        def _keep(self, body: bytes) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            service.calls.append(Call(path=self.path, headers=headers, body=body))

    with http_server.serving(Answering) as service.url:
        yield service
