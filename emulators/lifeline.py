"""End a server when the process that started it ends, even after a kill -9."""

import os
import sys
import threading

FLAG = "--until-stdin-closes"


def watch(arguments: list[str]) -> list[str]:
    """Return the arguments without FLAG; if it was there, exit once standard input closes.

    The parent holds the other end of that pipe. The kernel closes it however the parent ends.
    """
    if FLAG in arguments:
        threading.Thread(target=_exit_at_end_of_input, daemon=True).start()
    return [argument for argument in arguments if argument != FLAG]


def _exit_at_end_of_input() -> None:
    while os.read(sys.stdin.fileno(), 1024):
        pass
    os._exit(1)
