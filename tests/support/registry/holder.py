"""The first process of the namespaces. All that runs in them ends with it.

Started by `namespace`, with the folder that the engine is to see as /etc/docker. Ends when its
standard input does: whoever holds the other end may be killed at any time.
"""

import signal
import subprocess
import sys
from pathlib import Path


def main(settings: str) -> None:
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    # Certificates of registries are looked for here, whatever the engine's settings are.
    Path("/etc/docker").mkdir(exist_ok=True)
    subprocess.run(["mount", "--bind", settings, "/etc/docker"], check=True)
    # Else the engine would share the machine's containerd where one answers.
    Path("/run/containerd").mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "none", "/run/containerd"], check=True)
    # Orphans become children of this process, and are gone when they end.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.read()


if __name__ == "__main__":
    main(sys.argv[1])
