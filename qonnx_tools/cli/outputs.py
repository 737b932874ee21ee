"""Files that a command writes: refused before the work where they cannot be written, all of them or none."""

from collections.abc import Callable, Mapping
from pathlib import Path

from qonnx_tools.errors import ConfigError
from qonnx_tools.replacing import replacing, try_writing

Writer = Callable[[Path], None]


def check_outputs(outputs: Mapping[str, Path], inputs: Mapping[str, Path]) -> None:
    """Raise ``ConfigError`` unless each of ``outputs``, by the option that names it, can be written.

    Two outputs in one file are refused, and so is an output in the place of an input.
    """
    taken = {path.resolve(): option for option, path in inputs.items()}
    for option, path in outputs.items():
        _check(option, path)
        other = taken.setdefault(path.resolve(), option)
        if other != option:
            raise ConfigError(f"{option} and {other} are the same file, '{path}'; name another")


def write_all(writers: Mapping[Path, Writer]) -> None:
    """Write every file, the last one in its place and the others beside theirs until all are written."""
    *first, (last, write_last) = writers.items()
    with replacing(*(path for path, _ in first)) as places:
        for place, (_, write) in zip(places, first, strict=True):
            write(place)
        write_last(last)


def _check(option: str, path: Path) -> None:
    try:
        if path.is_dir():
            raise ConfigError(f"{option} '{path}' is a folder; name a file in it")
        if path.exists() and not path.is_file():
            raise ConfigError(f"{option} '{path}' is not a regular file; name one")
        if not path.parent.exists():
            missing = f"there is no folder '{path.parent}'; create it first"
            raise ConfigError(f"{option} '{path}' cannot be written: {missing}")
        try_writing(path)
    except OSError as error:
        raise ConfigError(f"{option} '{path}' cannot be written: {error.strerror}; name a file elsewhere") from error
