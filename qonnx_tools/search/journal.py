"""A file of finished evaluations, so that a search that was killed goes on where it was."""

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from qonnx_tools.errors import ConfigError
from qonnx_tools.replacing import replacing

VERSION = 1


class Journal:
    """Results by key, one JSON line each, appended and synced before they are used.

    The first line says what the results belong to. A last line that is cut off, as a kill leaves it, is dropped.
    """

    def __init__(self, path: str | os.PathLike[str], settings: Mapping[str, Any], *, resume: bool) -> None:
        """Open a journal; with ``resume`` read what is in it.

        Raises:
            ConfigError: the file belongs to other settings, is no journal, or cannot be written.
        """
        self._path = Path(path)
        self._known: dict[str, Any] = {}
        head = {"journal": VERSION, "settings": dict(settings)}
        try:
            lines = self._complete_lines() if resume and self._path.exists() else []
            if lines:
                self._check(lines[0], head)
                self._known = {line["key"]: line["result"] for line in lines[1:]}
            with replacing(self._path) as [beside], beside.open("w", encoding="utf-8") as file:
                for line in [head, *({"key": key, "result": result} for key, result in self._known.items())]:
                    file.write(json.dumps(line) + "\n")
                _sync(file)
            self._file = self._path.open("a", encoding="utf-8")
        except OSError as error:
            raise ConfigError(f"journal '{path}' cannot be written: {error.strerror}") from error

    def __len__(self) -> int:
        return len(self._known)

    def __contains__(self, key: str) -> bool:
        return key in self._known

    def __getitem__(self, key: str) -> Any:
        return self._known[key]

    def values(self) -> Iterable[Any]:
        """Return all results."""
        return self._known.values()

    def put(self, key: str, result: Any) -> None:
        """Add a result, a JSON value; when this returns it is on the disk."""
        self._known[key] = result
        self._file.write(json.dumps({"key": key, "result": result}) + "\n")
        _sync(self._file)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _complete_lines(self) -> list[Any]:
        text = self._path.read_text(encoding="utf-8", errors="replace")
        lines = []
        for line in text.split("\n")[:-1]:
            try:
                lines.append(json.loads(line))
            except ValueError:
                break
        if not lines and text:
            raise ConfigError(f"'{self._path}' is not a journal of a search; name another file, or remove it")
        return lines

    def _check(self, found: Any, head: Mapping[str, Any]) -> None:
        if not isinstance(found, dict) or found.get("journal") != VERSION or "settings" not in found:
            raise ConfigError(f"'{self._path}' is not a journal of a search; name another file, or remove it")
        old, new = found["settings"], json.loads(json.dumps(head["settings"]))
        unlike = [name for name in new if old.get(name) != new[name]] + [name for name in old if name not in new]
        if unlike:
            raise ConfigError(
                f"journal '{self._path}' belongs to a search with another {', '.join(unlike)}; "
                "give the same options, or search anew without --resume"
            )


def _sync(file: Any) -> None:
    file.flush()
    os.fsync(file.fileno())
