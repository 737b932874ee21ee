"""Values of constants that take the place of the trained ones, and their file."""

import os
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from qonnx_tools.errors import ConfigError

Values = npt.NDArray[np.float32]


class Fitted(Mapping[str, Values]):
    """Weights, biases and offsets by tensor name. Equal when all values are."""

    def __init__(self, values: Mapping[str, Values] | None = None) -> None:
        self._values = dict(values or {})

    def __getitem__(self, name: str) -> Values:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Fitted):
            return NotImplemented
        return self.keys() == other.keys() and all(np.array_equal(self[name], other[name]) for name in self)

    def __hash__(self) -> int:
        return hash(tuple(self._values))


def write_fitted(fitted: Fitted, path: str | os.PathLike[str]) -> None:
    """Write ``fitted`` as .npz, whatever ``path`` ends with: the same bytes for the same values."""
    arrays = {str(at): value for at, value in enumerate(fitted.values())}
    with Path(path).open("wb") as file:
        np.savez_compressed(file, names=np.array(list(fitted)), **arrays)  # type: ignore[arg-type]  # numpy's signature


def read_fitted(path: str | os.PathLike[str]) -> Fitted:
    """Read what :func:`write_fitted` wrote. Raises ``ConfigError`` that names the file."""
    try:
        with np.load(Path(path), allow_pickle=False) as stored:
            names = [str(name) for name in stored["names"]]
            values = {name: stored[str(at)] for at, name in enumerate(names)}
    except FileNotFoundError as error:
        raise ConfigError(f"'{path}' is missing; it holds the weights of the plan and belongs beside it") from error
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise ConfigError(f"'{path}' is not a file of fitted weights: write the plan anew") from error
    for name, value in values.items():
        if value.dtype != np.float32 or not np.isfinite(value).all():
            raise ConfigError(f"'{path}': the values of '{name}' are not finite float32 numbers: write the plan anew")
    return Fitted(values)
