"""A plain script, and the ways in which it can end: `python script.py exit`, `raise`, `wait`."""

import logging
import sys
import threading
import time
import warnings

log = logging.getLogger("nightly")


def invite(person: str) -> None:
    raise ValueError(f"cannot mail {person}")


def main() -> None:
    log.warning("Night started for %s", "nora.lind@example.org")
    warnings.warn("no key for nora.lind@example.org", stacklevel=1)
    match sys.argv[1]:
        case "exit":
            log.error("Half of it is done")
            sys.exit(3)
        case "raise":
            invite("nora.lind@example.org")
        case "thread":
            thread = threading.Thread(target=invite, args=("nora.lind@example.org",))
            thread.start()
            thread.join()
        case "wait":
            print("ready", flush=True)
            while True:
                time.sleep(1)
    log.error("Night ended")


if __name__ == "__main__":
    main()
