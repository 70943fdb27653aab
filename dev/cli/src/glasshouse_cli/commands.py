"""The operator's subcommands, for the command `glasshouse` that the distro installs.

Loaded at each start of it, so nothing is imported here: the lines of help are the docstrings of
`glasshouse_cli.cli`, and a test holds the two together.
"""

import sys
from collections.abc import Mapping, Sequence
from typing import Final

SUMMARIES: Final[Mapping[str, str]] = {
    "engine": "Make sure of the Docker engine and the compose plugin.",
    "images": "Get each image: present, else pulled, else built from dev/images/.",
    "up": "Start the stack: engine, images, secrets, containers; then run the doctor.",
    "up-distributed": "Start the stack past one machine, all of it on this one, to try it; "
    "then its doctor.",
    "doctor": "Check the machine and every component, then follow a canary through the stack.",
    "doctor-distributed": "Check every part past one machine, and follow a canary from each edge "
    "to each backend.",
    "idle": "Measure what the running stack costs: processor time, memory, wake-ups, images.",
    "down": "Stop the stack; its data stays.",
    "down-distributed": "Stop the stack past one machine; its data stays.",
    "logs": "Follow the containers' logs.",
    "logs-distributed": "Follow the logs of the containers past one machine.",
    "clean": "Stop the stack and delete its data and secrets.",
    "setup": "Prepare a stack from inside its container `setup`: secrets, owners of volumes.",
    "beside": "Give this checkout a name and ports of its own in .env, to run beside another.",
    "rotate": "Put a new key or token into use, while everything runs.",
    "forget": "Erase a person from the running stack: rows, and lines in Loki "
    "(docs/personal-data.md).",
    "forget-distributed": "Erase a person from the stack past one machine: rows, and lines in each "
    "Loki.",
    "rules": "Write what is made of prometheus/slos.yaml.",
    "telemetry": "Write the files that are made of the catalogue in telemetry/.",
    "init": "Write a first domain of your own: events, metrics, an objective, alerts, a dashboard.",
    "own": "Write what is made of the events and objectives of your own.",
    "check-own": "Check dashboards, rules, events and Collector parts of your own, "
    "as ours are checked.",
    "runbook": "Print the runbook of an alert, with links and ports of the stack on this machine.",
    "preview": "Draw the dashboards with the running stack's data into one static page.",
    "dead-letters": "List what no backend took and the Collector keeps; send it again; delete it.",
    "connect": "Print what a service of your own sets to send here; wait for its first records, "
    "show them.",
    "sbom": "Write what each image and the native wheel contain, in CycloneDX, a file each.",
    "notices": "Write THIRD_PARTY.md from the lock files.",
    "audit": "Check hashes, digests, licences and advisories; "
    "exit code 3 when some cannot be checked.",
    "certificates": "Make the certificates of mutual TLS over OTLP; renew those that end soon.",
    "size": "Say what a load needs: the smallest shape of deploy/, and each part's cores, "
    "memory, disk.",
    "summary": "Say in one line how a test run went.",
    "version": "Print the version of all packages, or set it in each of them.",
}


class Operator:
    """What the entry point names."""

    summaries = SUMMARIES

    def run(self, arguments: Sequence[str]) -> int:
        """Run one subcommand; it ends the process with its exit code."""
        if sys.platform == "win32":
            # The rest does not even load there: it locks files as Linux does.
            return _refuse_windows()
        from glasshouse_cli import cli

        return cli.main(arguments)


def _refuse_windows() -> int:
    from glasshouse_cli.console import Terminal

    Terminal().error(
        "Windows itself is not supported: install WSL2 (`wsl --install`) and run this inside it"
    )
    return 1


OPERATOR: Final = Operator()
