"""The one way to the backends from this machine: who gets through, to what, and how long."""

import select
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import MappingProxyType

import httpx
import pytest

from glasshouse_cli import images, operator
from glasshouse_cli.project import Project, container_user
from support import timing
from support.ports import free
from support.stack import Stack
from support.waiting import until

# A path of each backend that reads.
READS = {
    "loki": "/loki/api/v1/labels",
    "tempo": "/api/search?q=%7B%7D",
    "prometheus": "/api/v1/query?query=up",
    "alertmanager": "/api/v2/status",
}
# What changes or ends something, or shows how a backend is configured.
CLOSED = [
    ("loki", "POST", "/loki/api/v1/delete?query=%7Bservice_name%3D%22x%22%7D&start=1"),
    ("loki", "GET", "/loki/api/v1/delete"),
    ("loki", "POST", "/loki/api/v1/push"),
    ("loki", "POST", "/otlp/v1/logs"),
    ("loki", "POST", "/ingester/shutdown"),
    ("loki", "POST", "/ingester/prepare_shutdown"),
    ("loki", "POST", "/flush"),
    ("loki", "GET", "/config"),
    ("loki", "POST", "/log_level?log_level=debug"),
    ("loki", "GET", "/debug/pprof/"),
    ("tempo", "POST", "/flush"),
    ("tempo", "GET", "/shutdown"),
    ("tempo", "GET", "/status/config"),
    ("tempo", "POST", "/api/overrides"),
    ("tempo", "GET", "/debug/pprof/heap"),
    ("prometheus", "POST", "/api/v1/write"),
    ("prometheus", "POST", "/api/v1/otlp/v1/metrics"),
    ("prometheus", "POST", "/api/v1/admin/tsdb/delete_series?match[]=up"),
    ("prometheus", "POST", "/-/reload"),
    ("prometheus", "POST", "/-/quit"),
    ("prometheus", "GET", "/api/v1/status/config"),
    ("prometheus", "GET", "/debug/pprof/heap"),
    ("alertmanager", "POST", "/-/reload"),
    ("alertmanager", "POST", "/api/v2/alerts"),
    ("alertmanager", "GET", "/debug/pprof/heap"),
]
backends = pytest.mark.parametrize("service", READS)


@backends
def test_with_the_password_a_backend_is_read(
    service: str, http: httpx.Client, stack: Stack
) -> None:
    answer = http.get(stack.address(service) + READS[service], headers=stack.operator)
    assert answer.status_code == httpx.codes.OK, answer.text


@backends
@pytest.mark.parametrize("given", ["nothing", "wrong password", "other user", "bearer"])
def test_without_it_nobody_gets_in(
    service: str, given: str, http: httpx.Client, stack: Stack
) -> None:
    password = operator.password(stack.state)
    headers = {
        "nothing": {},
        "wrong password": basic("glasshouse", password[:-1]),
        "other user": basic("admin", password),
        "bearer": {"Authorization": f"Bearer {password}"},
    }[given]
    for path in (READS[service], "/", "/nowhere"):
        answer = http.get(stack.address(service) + path, headers=headers)
        assert answer.status_code == httpx.codes.UNAUTHORIZED, path
        assert "operator_password" in answer.text


def basic(user: str, password: str) -> dict[str, str]:
    [header] = httpx.BasicAuth(user, password).auth_flow(httpx.Request("GET", "http://x"))
    return {"Authorization": header.headers["Authorization"]}


@backends
@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "10.0.0.1", ""])
def test_another_host_is_refused_even_with_the_password(
    service: str, host: str, http: httpx.Client, stack: Stack
) -> None:
    headers = stack.operator | {"Host": host}
    answer = http.get(stack.address(service) + READS[service], headers=headers)
    # A request without a host is none at all.
    assert answer.status_code in ({400} if host == "" else {httpx.codes.MISDIRECTED_REQUEST})


@backends
def test_our_own_names_are_served(service: str, http: httpx.Client, stack: Stack) -> None:
    for host in ("localhost", "LOCALHOST:1234", "127.0.0.1", "[::1]:80"):
        headers = stack.operator | {"Host": host}
        answer = http.get(stack.address(service) + READS[service], headers=headers)
        assert answer.status_code == httpx.codes.OK, host


@backends
@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://localhost.evil.example"])
def test_a_page_of_another_origin_is_refused_even_with_the_password(
    service: str, origin: str, http: httpx.Client, stack: Stack
) -> None:
    url = stack.address(service) + READS[service]
    refused = http.get(url, headers=stack.operator | {"Origin": origin})
    assert refused.status_code == httpx.codes.FORBIDDEN
    own = http.get(url, headers=stack.operator | {"Origin": "http://localhost:3000"})
    assert own.status_code == httpx.codes.OK


@pytest.mark.parametrize(("service", "method", "path"), CLOSED)
def test_what_does_more_than_read_is_closed(
    service: str, method: str, path: str, http: httpx.Client, stack: Stack
) -> None:
    url = stack.address(service) + path
    stranger = http.request(method, url)
    assert stranger.status_code in {httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN}
    answer = http.request(method, url, headers=stack.operator)
    assert answer.status_code == httpx.codes.FORBIDDEN, answer.text


@pytest.mark.parametrize(
    "path",
    [
        "/loki/api/v1/%64elete",
        "//loki/api/v1/delete",
        "/loki/api/v1/labels/../delete",
        "/loki/api/v1/labels/%2e%2e/delete",
        "/loki/api/v1/delete/..%2flabels",
        "/loki/api/v1/./labels",
        "/loki/api/v1/delete%3f/labels",
    ],
)
def test_another_spelling_opens_nothing(path: str, stack: Stack) -> None:
    # As it stands: clients write such paths plainly before they send them.
    with socket.create_connection(("127.0.0.1", stack.ports["LOKI_PORT"]), timeout=30) as client:
        [credential] = stack.operator.values()
        client.sendall(
            f"POST {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: {credential}\r\n"
            "Content-Length: 0\r\nConnection: close\r\n\r\n".encode()
        )
        status = client.makefile("rb").readline()
    assert status.split()[1] == b"403", status


def test_silences_can_be_made_and_ended(http: httpx.Client, stack: Stack) -> None:
    silence = {
        "matchers": [{"name": "alertname", "value": "NobodysAlert", "isRegex": False}],
        "startsAt": "2030-01-01T00:00:00Z",
        "endsAt": "2030-01-01T01:00:00Z",
        "createdBy": "test",
        "comment": "of a test",
    }
    url = f"{stack.address('alertmanager')}/api/v2/silences"
    assert http.post(url, json=silence).status_code == httpx.codes.UNAUTHORIZED
    made = http.post(url, json=silence, headers=stack.operator)
    assert made.status_code == httpx.codes.OK, made.text
    one = f"{stack.address('alertmanager')}/api/v2/silence/{made.json()['silenceID']}"
    assert http.delete(one).status_code == httpx.codes.UNAUTHORIZED
    assert http.delete(one, headers=stack.operator).status_code == httpx.codes.OK


def test_no_backend_sees_the_password(stack: Stack) -> None:
    inside = stack.compose.get_container("proxy").ID
    running = subprocess.run(
        ["docker", "exec", str(inside), "nginx", "-T", "-c", "/etc/proxy/nginx.conf"],
        capture_output=True,
        text=True,
        timeout=240,
        check=True,
    )
    assert 'proxy_set_header Authorization "";' in running.stdout


HEADER_S, READ_S, IDLE_S = 1, 2, 3
MAX_REQUESTS = 4
PASSWORD = "of-a-test"
# Cut off later than this it was not these limits, which are 10 and 30 s by default.
SOON_S = 8


@pytest.fixture(scope="module")
def hasty(project: Project, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of a proxy with short limits, and nothing behind it."""
    image = images.resolve(["proxy"], checkout=project)["PROXY_IMAGE"]
    [port] = free(["PROXY"]).values()
    user = container_user()
    secret = tmp_path_factory.mktemp("proxy") / "password"
    secret.write_text(PASSWORD, encoding="ascii")
    secret.chmod(0o644)
    command = ["docker", "run", "--detach", "--init", "--read-only", "--tmpfs=/tmp"]
    command += [f"--user={user.uid}:{user.gid}", "--label=dev.glasshouse.part=tests"]
    command += [f"--env=PROXY_{name}_TIMEOUT_S={value}" for name, value in LIMITS.items()]
    command += ["--env=OPERATOR_PASSWORD_FILE=/password", f"--volume={secret}:/password:ro"]
    command += [f"--env=PROXY_MAX_REQUESTS={MAX_REQUESTS}"]
    command += ["--env=GLASSHOUSE_HOSTS=obs.example.com, second"]
    command += [f"--volume={project.root / 'proxy'}:/etc/proxy:ro"]
    command += [f"--publish=127.0.0.1:{port}:3100", "--entrypoint=/etc/proxy/start.sh", image]
    container = subprocess.run(
        command, check=True, capture_output=True, text=True, timeout=240
    ).stdout.strip()
    try:

        def probe() -> tuple[bool | None, object]:
            try:
                return ask(port).status_code == 401 or None, ""
            except httpx.TransportError as error:
                return None, error

        until(probe, what="the proxy answers")
        yield port
    finally:
        subprocess.run(
            ["docker", "rm", "--force", container], check=True, stdout=subprocess.DEVNULL
        )


def ask(port: int, headers: Mapping[str, str] = MappingProxyType({})) -> httpx.Response:
    return httpx.get(f"http://127.0.0.1:{port}/", headers=headers, timeout=240, trust_env=False)


LIMITS = {"HEADER": HEADER_S, "READ": READ_S, "IDLE": IDLE_S}
HALF_HEADER = b"GET /ready HTTP/1.1\r\nHost: localhost\r\nX-Slow: "
WHOLE = b"GET /ready HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.mark.parametrize(
    ("sent", "trickles"),
    [(b"", False), (HALF_HEADER, False), (HALF_HEADER, True), (WHOLE, False)],
    ids=["nothing", "half a header", "a header that trickles", "idle after a request"],
)
def test_a_slow_client_is_cut_off(sent: bytes, trickles: bool, hasty: int) -> None:
    def seconds() -> float:
        with ExitStack() as open_ones:
            clients = [
                open_ones.enter_context(socket.create_connection(("127.0.0.1", hasty), timeout=240))
                for _ in range(50)
            ]
            started = time.monotonic()
            for client in clients:
                client.sendall(sent)
            for client in clients:
                drain(client, trickles=trickles)
            took = time.monotonic() - started
            # And others are served meanwhile and afterwards.
            assert ask(hasty).status_code == httpx.codes.UNAUTHORIZED
            return took

    timing.assert_within(SOON_S, seconds, what="all are cut off")


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("obs.example.com", httpx.codes.UNAUTHORIZED),
        ("OBS.example.com:3100", httpx.codes.UNAUTHORIZED),
        ("second", httpx.codes.UNAUTHORIZED),
        ("obsXexample.com", httpx.codes.MISDIRECTED_REQUEST),
        ("obs.example.com.evil.example", httpx.codes.MISDIRECTED_REQUEST),
    ],
)
def test_other_names_of_this_machine_are_set(host: str, status: int, hasty: int) -> None:
    answer = ask(hasty, {"Host": host})
    assert answer.status_code == status


def test_more_requests_at_once_are_put_off(hasty: int) -> None:
    credential = basic("glasshouse", PASSWORD)["Authorization"]
    begun = (
        f"POST /loki/api/v1/query HTTP/1.1\r\nHost: localhost\r\nAuthorization: {credential}\r\n"
        "Content-Length: 1000\r\n\r\nquer"
    ).encode()
    with ExitStack() as open_ones:
        clients = [
            open_ones.enter_context(socket.create_connection(("127.0.0.1", hasty), timeout=240))
            for _ in range(MAX_REQUESTS + 3)
        ]
        for client in clients:
            client.sendall(begun)
        # All are under way until as many are answered as are too many: none of them is cut off
        # before the last has come.
        answered: set[socket.socket] = set()
        while len(answered) < 3:
            answered |= set(select.select(set(clients) - answered, [], [], 0.2)[0])
            for client in set(clients) - answered:
                client.sendall(b"y")
        answers = [answer_to(client) for client in clients]
    # The others are cut off without one, because the rest of their body does not come.
    assert sorted(answers) == [b""] * MAX_REQUESTS + [b"HTTP/1.1 429 Too Many Requests"] * 3
    assert ask(hasty).status_code == httpx.codes.UNAUTHORIZED


def answer_to(client: socket.socket) -> bytes:
    """Return the first line of the answer; empty when the connection is cut off instead."""
    try:
        return client.recv(4096).partition(b"\r\n")[0]
    except ConnectionResetError:
        return b""


def drain(client: socket.socket, *, trickles: bool) -> None:
    """Read until the other side closes; meanwhile send a byte now and then."""
    client.settimeout(0.2 if trickles else 60)
    while True:
        try:
            if not client.recv(65536):
                return
        except TimeoutError:
            if not trickles:
                raise
            try:
                client.sendall(b"x")
            except OSError:
                return
        except OSError:
            return


@pytest.mark.parametrize(
    ("password", "hosts", "line"),
    [
        ("", "", "proxy: OPERATOR_PASSWORD_FILE names an empty file: delete it and run make up"),
        (
            PASSWORD,
            "good, bad:80",
            "proxy: GLASSHOUSE_HOSTS must be host names with commas between",
        ),
    ],
    ids=["no password", "a host with a port"],
)
def test_what_cannot_be_right_stops_the_proxy(
    password: str, hosts: str, line: str, project: Project, tmp_path: Path
) -> None:
    image = images.resolve(["proxy"], checkout=project)["PROXY_IMAGE"]
    file = tmp_path / "password"
    file.write_text(password, encoding="ascii")
    command = ["docker", "run", "--rm", "--read-only", "--tmpfs=/tmp"]
    command += [f"--volume={file}:/password:ro", f"--volume={project.root / 'proxy'}:/etc/proxy:ro"]
    command += ["--env=OPERATOR_PASSWORD_FILE=/password", f"--env=GLASSHOUSE_HOSTS={hosts}"]
    command += ["--user=0:0", "--entrypoint=/etc/proxy/start.sh"]
    ran = subprocess.run(
        [*command, image],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert ran.returncode == 1
    assert ran.stderr.splitlines()[-1].startswith(line)
