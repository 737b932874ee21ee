"""What a user sees: text, progress on a terminal, JSON on request."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console


def console() -> "Console":
    """Return a console on standard output."""
    from rich.console import Console  # noqa: PLC0415  # slow to import

    return Console(highlight=False)


def print_json(document: Any) -> None:
    """Print ``document`` as JSON on standard output."""
    sys.stdout.write(json.dumps(document, indent=2, allow_nan=False) + "\n")


@contextmanager
def progress(*steps: str) -> Iterator[tuple[Callable[[int, int], None] | None, ...]]:
    """Yield a callback (done, total) for each of ``steps``, or Nones where standard error is no terminal.

    Each draws a progress bar there, from its first call on.
    """
    if not sys.stderr.isatty():
        yield (None,) * len(steps)
        return
    from rich.console import Console  # noqa: PLC0415  # slow to import
    from rich.progress import Progress  # noqa: PLC0415

    with Progress(console=Console(stderr=True), transient=True) as bar:
        tasks = [bar.add_task(step, total=None, visible=at == 0) for at, step in enumerate(steps)]

        def update(task: Any) -> Callable[[int, int], None]:
            return lambda done, total: bar.update(task, completed=done, total=total, visible=True)

        yield tuple(update(task) for task in tasks)


@contextmanager
def narrated_progress() -> Iterator[Callable[[str, int, int], None] | None]:
    """Yield a callback (words, done, total), or None where standard error is no terminal.

    It shows what a long work does and knows: a bar for each of its steps, which the words begin with.
    """
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console  # noqa: PLC0415  # slow to import
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn  # noqa: PLC0415

    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        tasks: dict[str, Any] = {}

        def report(text: str, done: int, total: int) -> None:
            step = text.split(",", maxsplit=1)[0].split(";", maxsplit=1)[0].strip("0123456789 ")
            if step not in tasks:
                for task in tasks.values():
                    bar.update(task, visible=False)
                tasks[step] = bar.add_task(text, total=None)
            bar.update(tasks[step], description=text, completed=done, total=total or None)

        yield report
