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
