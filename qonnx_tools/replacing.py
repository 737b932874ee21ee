"""Files that are whole or as they were: written beside their places, then renamed."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(*files: Path) -> Iterator[list[Path]]:
    """Give a place beside each of ``files`` to write to; put all in their places when the block ends.

    What was written is removed where the block is left by an error or by Ctrl-C. Raises ``OSError``.
    """
    for file in files:
        if file.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    beside = [_beside(file) for file in files]
    try:
        yield beside
        for file, written in zip(files, beside, strict=True):
            written.replace(file)
    finally:
        _remove(beside)


def try_writing(file: Path) -> None:
    """Write nothing beside ``file``, and remove it. Raises ``OSError`` where the system refuses that."""
    trial = _beside(file)
    try:
        trial.touch()
        trial.unlink()
    finally:
        _remove([trial])


def _beside(file: Path) -> Path:
    return file.with_name(f".{file.name}.{os.getpid()}.partial")


def _remove(files: list[Path]) -> None:
    for file in files:
        file.unlink(missing_ok=True)
