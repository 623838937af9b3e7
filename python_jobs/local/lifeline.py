"""End a server with the process that started it, however that one ends."""

import os
import sys
import threading

FLAG = "--until-stdin-closes"


def hold_on(arguments: list[str]) -> list[str]:
    """Take FLAG out of the arguments; where it stood, exit as soon as standard input closes.

    The parent keeps the other end of a pipe. The kernel closes it even after a kill -9.
    """
    if FLAG in arguments:
        threading.Thread(target=_exit_at_end_of_input, daemon=True).start()
    return [argument for argument in arguments if argument != FLAG]


def _exit_at_end_of_input() -> None:
    while os.read(sys.stdin.fileno(), 1024):
        pass
    os._exit(1)
