"""Signals of the programs that tests start."""

import signal


def with_default_signals() -> None:
    """Give a child its signals' default actions: for `preexec_fn`.

    One that is started in the background, by `nohup` or without a terminal, would ignore some.
    """
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):
        signal.signal(number, signal.SIG_DFL)
