"""What a user sees: one line an error, progress on a terminal, JSON on request."""

import functools
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ParamSpec

import typer

from qonnx_tools.errors import QonnxToolsError

if TYPE_CHECKING:
    from rich.console import Console

P = ParamSpec("P")
show_tracebacks = False
"""Set by ``--debug``."""


def errors_in_one_line(command: Callable[P, None]) -> Callable[P, None]:
    """Let ``command`` end with one line on standard error and status 1 where the input is at fault or it is stopped."""

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            command(*args, **kwargs)
        except QonnxToolsError as error:
            _fail("error", " ".join(str(error).split()), error)
        except KeyboardInterrupt as error:
            _fail("interrupted", "no output file was written", error)
        except MemoryError as error:
            _fail("error", "out of memory; use a smaller model or fewer images", error)

    return run


def _fail(kind: str, message: str, error: BaseException) -> None:
    if show_tracebacks:
        raise error
    sys.stderr.write(f"{kind}: {message}\n")
    raise typer.Exit(1)


def console() -> "Console":
    """Return a console on standard output."""
    from rich.console import Console  # noqa: PLC0415  # slow to import

    return Console(highlight=False)


def print_json(document: Any) -> None:
    """Print ``document`` as JSON on standard output."""
    sys.stdout.write(json.dumps(document, indent=2, allow_nan=False) + "\n")


@contextmanager
def progress(what: str) -> Iterator[Callable[[int, int], None] | None]:
    """Yield a callback (done, total) that draws a progress bar on standard error, or None where that is no terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console  # noqa: PLC0415  # slow to import
    from rich.progress import Progress  # noqa: PLC0415

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
