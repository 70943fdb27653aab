"""The operator's subcommands of `glasshouse`; commands.py hands them to it."""

from __future__ import annotations

import importlib.metadata
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from glasshouse_cli import beside as separation
from glasshouse_cli import certificates as tls
from glasshouse_cli import clean as cleaning
from glasshouse_cli import compose, parts, plugin, project, rotation, runbooks
from glasshouse_cli import engine as engines
from glasshouse_cli import idle as idling
from glasshouse_cli import images as image_store
from glasshouse_cli import preview as previewing
from glasshouse_cli import rules as rule_files
from glasshouse_cli import setup as preparing
from glasshouse_cli import up as starting
from glasshouse_cli import version as versions
from glasshouse_cli.connect import command as connecting
from glasshouse_cli.connect.settings import Protocol
from glasshouse_cli.console import Terminal, plain_table
from glasshouse_cli.doctor import examine
from glasshouse_cli.doctor.checks import Check
from glasshouse_cli.errors import StackError
from glasshouse_cli.images import pin as pinning
from glasshouse_cli.images import recipe as recipes
from glasshouse_cli.images.resolve import as_json
from glasshouse_cli.letters import command as dead
from glasshouse_cli.letters.letter import Signal
from glasshouse_cli.own import command as own_files
from glasshouse_cli.process import run_attached
from glasshouse_cli.project import Project, Shape
from glasshouse_cli.size import command as sizing
from glasshouse_cli.summary import summarize
from glasshouse_cli.supply import advisories
from glasshouse_cli.supply import audit as auditing
from glasshouse_cli.supply import notices as third_party
from glasshouse_cli.supply import sbom as bills
from glasshouse_cli.telemetry import outputs as contract

_INTERRUPTED = 130  # what typer exits with after Ctrl-C

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="Runs the Glasshouse stack on this machine."
)


def _print_version(asked: bool) -> None:
    if asked:
        Terminal().line(importlib.metadata.version("glasshouse-cli"))
        raise typer.Exit


@app.callback()
def main_options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="print it and exit"),
    ] = False,
) -> None:
    """Work on a stack: images, containers, checks, dead letters."""


@app.command()
def engine() -> None:
    """Make sure of the Docker engine and the compose plugin."""
    terminal = Terminal()
    plugin.ensure(terminal=terminal)
    terminal.say(f"{engines.version()}, compose {plugin.version()}")


@app.command()
def images(
    names: Annotated[list[str] | None, typer.Argument(help="only these; all if none")] = None,
    as_script: Annotated[bool, typer.Option("--json", help="for scripts")] = False,
    rebuild: Annotated[bool, typer.Option(help="build anew, with today's packages")] = False,
    pin: Annotated[
        bool, typer.Option("--pin", help="write today's digests from the registry into .env")
    ] = False,
    release: Annotated[
        str | None,
        typer.Option(help="with --pin: where our own are, as ghcr.io/OWNER/REPOSITORY:1.2.3"),
    ] = None,
) -> None:
    """Get each image: present, else pulled, else built from dev/images/."""
    terminal = Terminal()
    if pin:
        _pin(names or (), terminal, release)
        return
    found = image_store.obtain(names or (), terminal=terminal, rebuild=rebuild)
    if as_script:
        terminal.json(as_json(found))
        return
    table = plain_table("image", "how", "seconds", "MB", "tag")
    for image in found:
        size = f"{image.size_bytes / 1e6:.0f}" if image.size_bytes else "-"
        table.add_row(image.name, image.how, f"{image.seconds:.1f}", size, image.tag)
    terminal.table(table)


@app.command()
def up(as_script: Annotated[bool, typer.Option("--json", help="for scripts")] = False) -> None:
    """Start the stack: engine, images, secrets, containers; then run the doctor."""
    _up(project.load(), as_script=as_script)


@app.command()
def up_distributed(
    as_script: Annotated[bool, typer.Option("--json", help="for scripts")] = False,
) -> None:
    """Start the stack past one machine, all of it on this one, to try it; then its doctor."""
    _up(project.load(shape=project.DISTRIBUTED), as_script=as_script)


def _up(checkout: Project, *, as_script: bool) -> None:
    terminal = Terminal(quiet=as_script)
    began = time.monotonic()
    started = starting.up(checkout, terminal)
    if not as_script:
        parts.show(started.parts, terminal)
        _doctor(checkout, terminal, flow=started.flow)
        return
    took = time.monotonic() - began
    rows = examine.examine(checkout, terminal, started.flow)
    terminal.json(
        {
            "seconds_to_ready": round(took, 2),
            "seconds_of_doctor": round(time.monotonic() - began - took, 2),
            "parts": [asdict(part) for part in started.parts],
            "doctor": [row.as_dict() for row in rows],
        }
    )
    _exit(rows)


@app.command()
def doctor(
    as_script: Annotated[bool, typer.Option("--json", help="for scripts")] = False,
    color: Annotated[bool, typer.Option(help="colours in the table")] = True,
) -> None:
    """Check the machine and every component, then follow a canary through the stack."""
    terminal = Terminal(color=color, quiet=as_script)
    _doctor(project.load(), terminal, as_script=as_script)


@app.command()
def doctor_distributed(
    as_script: Annotated[bool, typer.Option("--json", help="for scripts")] = False,
) -> None:
    """Check every part past one machine, and follow a canary from each edge to each backend."""
    terminal = Terminal(quiet=as_script)
    _doctor(project.load(shape=project.DISTRIBUTED), terminal, as_script=as_script)


@app.command()
def idle(
    seconds: Annotated[float, typer.Option(min=1, help="how long")] = 300.0,
    as_script: Annotated[bool, typer.Option("--json", help="for scripts")] = False,
) -> None:
    """Measure what the running stack costs: processor time, memory, wake-ups, images."""
    terminal = Terminal(quiet=as_script)
    costs = idling.measure(project.load(), terminal, seconds=seconds)
    if as_script:
        terminal.json(costs.as_dict())
    else:
        idling.show(costs, terminal)


@app.command()
def down() -> None:
    """Stop the stack; its data stays."""
    _down(_ready_for_compose())


@app.command()
def down_distributed() -> None:
    """Stop the stack past one machine; its data stays."""
    _down(_ready_for_compose(project.DISTRIBUTED))


def _down(checkout: Project) -> None:
    _compose(checkout, "--profile", "*", "down", "--remove-orphans")


@app.command()
def logs(
    part: Annotated[str | None, typer.Argument(help="service name; all if none")] = None,
) -> None:
    """Follow the containers' logs."""
    _logs(_ready_for_compose(), part)


@app.command()
def logs_distributed(
    part: Annotated[str | None, typer.Argument(help="service name; all if none")] = None,
) -> None:
    """Follow the logs of the containers past one machine."""
    _logs(_ready_for_compose(project.DISTRIBUTED), part)


def _logs(checkout: Project, part: str | None) -> None:
    _compose(checkout, "logs", "--follow", "--tail", "100", *([part] if part else []))


@app.command()
def clean(
    yes: Annotated[bool, typer.Option("--yes", help="do not ask")] = False,
    built: Annotated[
        bool, typer.Option("--images", help="delete the images built here, too")
    ] = False,
) -> None:
    """Stop the stack and delete its data and secrets."""
    checkout = project.load()
    question = f"Delete the stack's volumes and {checkout.state} (secrets)?"
    if not yes and not (sys.stdin.isatty() and typer.confirm(question)):
        raise StackError("nothing deleted: answer yes, or pass --yes")
    checkout.prepare()
    compose.ensure_ours(checkout)
    cleaning.clean(checkout, Terminal(), built_images=built)


@app.command()
def setup(
    root: Annotated[Path, typer.Option(help="what of a checkout is mounted")] = Path("/checkout"),
    volumes: Annotated[Path, typer.Option(help="where volumes are mounted")] = Path("/volumes"),
) -> None:
    """Prepare a stack from inside its container `setup`: secrets, owners of volumes."""
    preparing.setup(project.load(root), volumes, os.environ, Terminal().say)


@app.command()
def beside() -> None:
    """Give this checkout a name and ports of its own in .env, to run beside another."""
    Terminal().lines(
        f"{name}={value}" for name, value in separation.separate(project.load()).items()
    )


@app.command()
def rotate(
    name: Annotated[str, typer.Argument(help=f"one of {', '.join(rotation.NAMES)}")],
    drop: Annotated[
        bool, typer.Option("--drop-previous", help="accept the current one alone from now on")
    ] = False,
) -> None:
    """Put a new key or token into use, while everything runs."""
    checkout = _ready_for_compose()
    change = rotation.drop_previous if drop else rotation.rotate
    change(checkout, name, Terminal().say)


_User = Annotated[str, typer.Argument(help="the user id; - reads it from stdin")]
_Also = Annotated[
    list[str] | None,
    typer.Option("--also", help="an address or number of the same person, to be found in Loki"),
]
_Caller = Annotated[
    str | None, typer.Option(help="only what this caller of the API made; else of every one")
]
_Wait = Annotated[float, typer.Option(help="seconds for what is open to end")]
_Open = Annotated[
    bool, typer.Option("--open", help="erase what is open, too, instead of waiting for it")
]


@app.command()
def forget(
    user: _User,
    also: _Also = None,
    caller: _Caller = None,
    wait: _Wait = 30.0,
    even_open: _Open = False,
) -> None:
    """Erase a person from the running stack: rows, and lines in Loki (docs/personal-data.md)."""
    _forget(_ready_for_compose(), user, also, caller, wait, even_open=even_open)


@app.command()
def forget_distributed(
    user: _User,
    also: _Also = None,
    caller: _Caller = None,
    wait: _Wait = 30.0,
    even_open: _Open = False,
) -> None:
    """Erase a person from the stack past one machine: rows, and lines in each Loki."""
    checkout = _ready_for_compose(project.DISTRIBUTED)
    _forget(checkout, user, also, caller, wait, even_open=even_open)


def _forget(
    checkout: Project,
    user: str,
    also: Sequence[str] | None,
    caller: str | None,
    wait: float,
    *,
    even_open: bool,
) -> None:
    options = [f"--wait={wait}", *(f"--also={one}" for one in also or ())]
    options += [f"--caller={caller}"] if caller else []
    options += ["--open"] if even_open else []
    _compose(checkout, "run", "--rm", "--no-deps", "-T", "forget", *options, "--", user)


@app.command()
def rules() -> None:
    """Write what is made of prometheus/slos.yaml."""
    checkout = project.load()
    for path in rule_files.write(checkout):
        Terminal().say(f"wrote {path.relative_to(checkout.root)}")


@app.command()
def telemetry() -> None:
    """Write the files that are made of the catalogue in telemetry/."""
    changed = contract.write(project.load().root)
    Terminal().say("\n".join(f"wrote {name}" for name in changed) or "nothing to change")


@app.command()
def init(
    folder: Annotated[
        Path | None, typer.Argument(help="where to write it; GLASSHOUSE_OWN if none")
    ] = None,
    domain: Annotated[
        str | None, typer.Option(help="what it is about, such as booking; else as the folder")
    ] = None,
    service: Annotated[
        str | None, typer.Option(help="OTEL_SERVICE_NAME of who sends; else as the domain")
    ] = None,
) -> None:
    """Write a first domain of your own: events, metrics, an objective, alerts, a dashboard."""
    own_files.init(project.load(), folder, domain, service, Terminal())


@app.command()
def own(
    folder: Annotated[Path | None, typer.Argument(help="GLASSHOUSE_OWN if none")] = None,
) -> None:
    """Write what is made of the events and objectives of your own."""
    own_files.make(project.load(), folder, Terminal())


@app.command()
def check_own(
    folder: Annotated[Path | None, typer.Argument(help="GLASSHOUSE_OWN if none")] = None,
) -> None:
    """Check dashboards, rules, events and Collector parts of your own, as ours are checked."""
    own_files.examine(project.load(), folder, Terminal())


@app.command()
def runbook(
    alert: Annotated[
        str | None, typer.Argument(help="name of an alert; lists them if none")
    ] = None,
) -> None:
    """Print the runbook of an alert, with links and ports of the stack on this machine."""
    checkout = project.load()
    terminal = Terminal()
    if alert is None:
        terminal.lines(page.name for page in runbooks.pages(checkout))
        return
    text = runbooks.find(checkout, alert).read_text(encoding="utf-8")
    page = runbooks.render(checkout, text)
    if terminal.out.is_terminal:
        terminal.page(page.body, page.links)
    else:
        terminal.lines(page.markdown.splitlines())


@app.command()
def preview(
    out: Annotated[Path, typer.Option(help="the page to write")] = Path("preview.html"),
    minutes: Annotated[int, typer.Option(min=1, help="how far back")] = 15,
    pictures: Annotated[
        Path | None, typer.Option(help="also photograph two dashboards into this folder")
    ] = None,
) -> None:
    """Draw the dashboards with the running stack's data into one static page."""
    previewing.preview(project.load(), Terminal(), out=out, minutes=minutes, pictures=pictures)


@app.command()
def dead_letters(
    replay: Annotated[
        bool, typer.Option("--replay", help="send them again, take away what is accepted")
    ] = False,
    discard: Annotated[bool, typer.Option("--discard", help="delete them; asks first")] = False,
    reason: Annotated[list[str] | None, typer.Option(help="only these reasons")] = None,
    signal: Annotated[list[Signal] | None, typer.Option(help="only these signals")] = None,
    folder: Annotated[
        Path | None, typer.Option(help="a folder on this machine, not the stack's")
    ] = None,
    endpoint: Annotated[
        str | None, typer.Option(help="with --folder: the OTLP/HTTP address to send to")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="do not ask")] = False,
    as_script: Annotated[bool, typer.Option("--json", help="for scripts")] = False,
) -> None:
    """List what no backend took and the Collector keeps; send it again; delete it."""
    chosen = dead.Choice(
        signals=tuple(dict.fromkeys(signal or Signal)), reasons=tuple(reason or ()), folder=folder
    )
    terminal = Terminal(quiet=as_script)
    if not replay and not discard:
        dead.show(chosen, terminal, as_script=as_script)
        return
    if replay and discard:
        raise StackError("--replay and --discard: choose one")
    if replay:
        outcome = dead.replay(chosen, terminal, endpoint=endpoint)
    else:
        question = "Delete dead letters for good?"
        if not yes and not (sys.stdin.isatty() and typer.confirm(question)):
            raise StackError("nothing deleted: answer yes, or pass --yes")
        outcome = dead.discard(chosen, terminal)
    if as_script:
        terminal.json(outcome.as_dict())
    if outcome.refused:
        raise typer.Exit(dead.REFUSED)


@app.command()
def connect(
    service: Annotated[
        str | None, typer.Option(help="wait for this one, though it may be there already")
    ] = None,
    protocol: Annotated[Protocol, typer.Option(help="how it sends")] = Protocol.HTTP,
    signal: Annotated[list[Signal] | None, typer.Option(help="wait for these signals only")] = None,
    wait: Annotated[bool, typer.Option(help="for its first records")] = True,
    timeout: Annotated[float, typer.Option(min=0, help="seconds to wait; 0 asks once")] = 120.0,
    as_script: Annotated[bool, typer.Option("--json", help="for scripts")] = False,
) -> None:
    """Print what a service of your own sets to send here; wait for its first records, show them."""
    choice = connecting.Choice(
        service=service,
        protocol=protocol,
        signals=tuple(dict.fromkeys(signal or Signal)),
        wait=wait,
        timeout=timeout,
    )
    terminal = Terminal(quiet=as_script)
    if not connecting.connect(project.load(), choice, terminal, as_script=as_script):
        raise typer.Exit(1)


@app.command()
def sbom(
    names: Annotated[list[str] | None, typer.Argument(help="only these; all if none")] = None,
    folder: Annotated[Path, typer.Option(help="where to write them")] = Path("reports", "sbom"),
) -> None:
    """Write what each image and the native wheel contain, in CycloneDX, a file each."""
    terminal = Terminal()
    table = plain_table("image", "packages", "without a licence", "file")
    for image in image_store.obtain(names or (), terminal=terminal):
        if image.how == "left out":
            terminal.say(f"{image.name}: no image here, left out")
            continue
        contents = bills.read_image(image.tag)
        file = folder / f"{image.name}.cdx.json"
        bills.write(file, image.name, image.tag, contents)
        unknown = sum(not part.licence for part in contents.parts)
        table.add_row(image.name, str(len(contents.parts)), str(unknown), str(file))
    if not names:
        root = project.load().root
        found, file = third_party.crates(root), folder / f"{bills.WHEEL}.cdx.json"
        bills.write_wheel(file, bills.WHEEL, versions.read(root), found)
        unknown = sum(not part.licence for part in found)
        table.add_row(bills.WHEEL, str(len(found)), str(unknown), str(file))
    terminal.table(table)


@app.command()
def notices() -> None:
    """Write THIRD_PARTY.md from the lock files."""
    checkout = project.load()
    changed = third_party.write(checkout.root, checkout.settings)
    Terminal().say(f"wrote {third_party.FILE}" if changed else "nothing to change")


@app.command()
def audit(
    osv: Annotated[str, typer.Option(help="where OSV answers")] = advisories.OSV,
    go_database: Annotated[
        str, typer.Option(help="where Go's vulnerabilities are")
    ] = advisories.GO_DATABASE,
) -> None:
    """Check hashes, digests, licences and advisories; exit code 3 when some cannot be checked."""
    terminal = Terminal()
    with terminal.step("checking the supply chain"):
        rows = auditing.audit(project.load(), osv=osv, database=go_database)
    table = plain_table("check", "result", "detail")
    for row in rows:
        table.add_row(row.name, row.status, row.detail)
    terminal.table(table)
    terminal.lines(f"{row.name}: {fault}" for row in rows for fault in row.faults)
    if missing := [row.name for row in rows if row.status == "not checked"]:
        terminal.say(f"NOT CHECKED: {', '.join(missing)}. This is no clean result.")
    if code := auditing.exit_code(rows):
        raise typer.Exit(code)


@app.command()
def certificates(
    anew: Annotated[
        bool, typer.Option("--renew", help="make them again, whenever the old ones end")
    ] = False,
    edge: Annotated[
        list[str] | None,
        typer.Option(help="also that of an edge of this name, and of the gateway; may be repeated"),
    ] = None,
    gateway: Annotated[
        list[str] | None,
        typer.Option(help="also that of a gateway behind Kafka of this name; may be repeated"),
    ] = None,
    broker: Annotated[
        list[str] | None,
        typer.Option(
            help="also that of a broker of Kafka that is reached under this name, and of its "
            "administrator; may be repeated"
        ),
    ] = None,
) -> None:
    """Make the certificates of mutual TLS over OTLP; renew those that end soon."""
    checkout = project.load()
    terminal = Terminal()
    hosts = checkout.settings.get("GLASSHOUSE_HOSTS", "")
    made = tls.ensure(
        checkout.state,
        hosts,
        anew=anew,
        edges=edge or (),
        gateways=gateway or (),
        brokers=broker or (),
    )
    for path in made:
        terminal.say(f"wrote {path}")
    if not made:
        terminal.say("all are valid for 30 days or more: --renew makes them again")
    if not tls.asked_for(checkout):
        terminal.say("to use them: OTLP_TLS=mutual in .env, then make up")
    terminal.say("a service outside the stack sets, beside its https:// endpoint:")
    terminal.lines(f"{name}={value}" for name, value in tls.of(checkout.state).variables.items())


app.command()(sizing.size)


@app.command()
def summary(report: Annotated[Path, typer.Argument(help="a JUnit file")]) -> None:
    """Say in one line how a test run went."""
    Terminal().say(summarize(report))


@app.command()
def version(
    new: Annotated[str | None, typer.Argument(help="set this one; then run `uv lock`")] = None,
) -> None:
    """Print the version of all packages, or set it in each of them."""
    root = project.load().root
    if new is not None:
        versions.write(root, new)
    Terminal().line(versions.read(root))


def _doctor(
    checkout: Project,
    terminal: Terminal,
    *,
    as_script: bool = False,
    flow: examine.Flow | None = None,
) -> None:
    rows = examine.examine(checkout, terminal, flow)
    if as_script:
        terminal.json([row.as_dict() for row in rows])
    else:
        examine.show(rows, terminal)
    _exit(rows)


def _exit(rows: Sequence[Check]) -> None:
    if any(row.status == "failed" for row in rows):
        raise typer.Exit(1)


def _pin(names: Sequence[str], terminal: Terminal, release: str | None) -> None:
    checkout = project.load()
    known = recipes.load_all(checkout.root)
    chosen = recipes.select(known, names) if names else known
    upstream = [one.variable for one in chosen if one.upstream and one.variable]
    ours: dict[str, str] = {}
    if release is not None:
        where, colon, tag = release.rpartition(":")
        if not colon or "/" in tag:
            raise StackError(f"--release: {release!r} has no version: write NAME:VERSION")
        ours = {
            one.variable: f"{where}/{one.name}:{tag}"
            for one in known
            if not one.upstream and one.variable and not one.on_request
        }
    with terminal.step("asking the registries"):
        changed = pinning.pin(checkout.root / ".env", upstream, released=ours)
    terminal.lines(f"{variable}={image}" for variable, image in changed.items())
    terminal.say(f"pinned {len(changed)} images in .env" if changed else "nothing to change")


def _ready_for_compose(shape: Shape = project.ONE_MACHINE) -> Project:
    checkout = project.load(shape=shape)
    checkout.prepare()
    if plugin.version() is None:
        raise StackError("`docker compose` does not work: `glasshouse engine` fixes it")
    compose.ensure_ours(checkout)
    return checkout


def _compose(checkout: Project, *arguments: str) -> None:
    code = run_attached(compose.command(checkout, *arguments))
    if code != 0:
        raise typer.Exit(code)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command and exit; a fault is one line and exit code 1, never a traceback."""
    try:
        app(arguments, prog_name="glasshouse")
    except StackError as error:
        Terminal().error(str(error), error.log)
        sys.exit(1)
    except SystemExit as end:
        if end.code == _INTERRUPTED:
            Terminal().say("interrupted; the next run goes on from here")
        raise
    sys.exit(0)
