"""The state of a training on disk: written beside, then renamed, so that a killed run leaves the last whole one."""

import io
import os
import pickle
import zipfile
from pathlib import Path
from typing import Any

import torch

from qonnx_tools.errors import ConfigError

STATE = "state.pt"
VERSION = 2


def save_state(folder: Path, state: dict[str, Any]) -> None:
    """Write ``state``, tensors and plain data. Raises ``ConfigError`` if it cannot."""
    place = folder / STATE
    beside = place.with_name(f".{STATE}.{os.getpid()}.partial")
    buffer = io.BytesIO()
    torch.save({"version": VERSION, **state}, buffer)
    try:
        with beside.open("wb") as file:
            file.write(buffer.getvalue())
            file.flush()
            os.fsync(file.fileno())
        beside.replace(place)
    except OSError as error:
        beside.unlink(missing_ok=True)
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
