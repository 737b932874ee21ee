"""The state of a training on disk: written beside, then renamed, so that a killed run leaves the last whole one."""

import io
import os
import pickle
import zipfile
from pathlib import Path
from typing import Any

import torch

from qonnx_tools.errors import ConfigError
from qonnx_tools.replacing import replacing

STATE = "state.pt"
VERSION = 2


def save_state(folder: Path, state: dict[str, Any]) -> None:
    """Write ``state``, tensors and plain data. Raises ``ConfigError`` if it cannot."""
    buffer = io.BytesIO()
    torch.save({"version": VERSION, **state}, buffer)
    write_whole(folder / STATE, buffer.getvalue())


def write_whole(place: Path, content: bytes) -> None:
    """Write a file of a training that outlives the loss of power. Raises ``ConfigError`` if it cannot."""
    try:
        with replacing(place) as [beside], beside.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise ConfigError(
            f"'{place}' cannot be written: {error.strerror}; free some space or name another OUT"
        ) from error


def load_state(folder: Path) -> dict[str, Any]:
    """Return the state in ``folder``. Raises ``ConfigError`` where there is none that this release can read."""
    place = folder / STATE
    try:
        state = torch.load(place, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise ConfigError(
            f"'{folder}' holds no training to go on with: '{STATE}' is missing; leave out --resume"
        ) from error
    except (OSError, EOFError, RuntimeError, ValueError, KeyError, pickle.UnpicklingError, zipfile.BadZipFile) as error:
        raise ConfigError(f"'{place}' is damaged; remove the folder and begin anew") from error
    if not isinstance(state, dict) or state.get("version") != VERSION:
        raise ConfigError(f"'{place}' is of another release; remove the folder and begin anew")
    return state
