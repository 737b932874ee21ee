"""How a run of the command ends: one line on standard error for whatever stops it, and an exit status."""

import errno
import functools
import io
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any, ParamSpec

from qonnx_tools.errors import QonnxToolsError

P = ParamSpec("P")
IMPORT_SECONDS = 0.02
"""After how long an interrupt that came during an import comes again."""


class Ending:
    """What a run knows about its end: whether to show tracebacks (``--debug``), and whether Ctrl-C was pressed."""

    debug = False
    interrupted = False


class Interrupted(Exception):  # noqa: N818  # what happened, not an error
    """Ctrl-C, as an exception that typer passes on."""


def main() -> int:
    """Run the command line; return 0, 1 for an error, or 2 for a command line that cannot be parsed.

    Everything from the first import to the last flush of standard output is inside: Ctrl-C, a closed pipe or a full
    disk ends in at most one line.
    """
    Ending.debug, Ending.interrupted = False, False
    _catch_interrupts()
    try:
        status = _run()
        sys.stdout.flush()
    except BrokenPipeError:  # the reader went away, as `head` does: nobody to tell
        _discard_output()
        return 1
    except BaseException as error:
        if Ending.debug:
            raise
        sys.stderr.write(f"{line_of(error)}\n")
        _discard_output()
        raise SystemExit(1) from error
    return status


def interruptible(command: Callable[P, None]) -> Callable[P, None]:
    """Let Ctrl-C in ``command`` reach :func:`main`, past typer, which has an end of its own for it."""

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            command(*args, **kwargs)
        except KeyboardInterrupt as error:
            raise Interrupted from error

    return run


def line_of(error: BaseException) -> str:
    """Return the one line that tells a user of ``error``."""
    if Ending.interrupted or isinstance(error, Interrupted | KeyboardInterrupt):
        return "interrupted: stopped by Ctrl-C; no unfinished file is left"  # imports make other errors of it
    message = " ".join(str(error).split())
    if isinstance(error, QonnxToolsError):
        return f"error: {message}"
    if isinstance(error, MemoryError):
        return "error: out of memory; use a smaller model or fewer images"
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EIO):
        return f"error: standard output cannot be written: {error.strerror}; send it elsewhere"
    frames = traceback.extract_tb(error.__traceback__)
    where = f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else ""
    return f"internal error: {type(error).__name__}: {message}{where}; run again with `qonnx --debug` and report it"


def _run() -> int:
    from qonnx_tools.cli.app import app  # noqa: PLC0415  # Ctrl-C while it is imported is caught, too

    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # file names need not be valid text
    try:
        app()
    except SystemExit as end:
        if Ending.interrupted:
            raise Interrupted from end
        return end.code if isinstance(end.code, int) else 0
    return 0


def _catch_interrupts() -> None:
    """Note Ctrl-C when it comes: what is then raised may be another error, or be printed by a destructor."""
    shown = sys.unraisablehook

    def interrupt(number: int, frame: FrameType | None) -> None:
        Ending.interrupted = True
        if _is_importing(frame):  # a module in C++ that cannot load ends the process: ask again when it has
            again = threading.Timer(IMPORT_SECONDS, os.kill, (os.getpid(), number))
            again.daemon = True
            again.start()
            return
        raise KeyboardInterrupt

    def unraisable(happened: Any) -> None:
        if not isinstance(happened.exc_value, KeyboardInterrupt):
            shown(happened)

    in_main = threading.current_thread() is threading.main_thread()
    if in_main and signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # else it is ignored on purpose
        signal.signal(signal.SIGINT, interrupt)
        sys.unraisablehook = unraisable


def _is_importing(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False


def _discard_output() -> None:
    """Let what standard output holds vanish where it cannot be written: Python would complain at its own end."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
