"""Formats to choose from, channel by channel."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt

from qonnx_tools.arithmetic.formats import Format

Kind = TypeVar("Kind", bound=Format)
Parameters = npt.NDArray[Any]
"""Fraction bits or scales."""


@dataclass(frozen=True)
class Family(Generic[Kind]):
    """Per-channel formats that differ in one parameter.

    ``parameters`` are the candidates, ``[S, C]``: row s has one for each channel. ``format_of`` makes the format of
    one parameter a channel, ``[C]``, and the per-tensor format of a single one, 0-d.
    """

    parameters: Parameters
    format_of: Callable[[Parameters], Kind]

    def levels(self) -> npt.NDArray[np.float64]:
        """Return the values of the codes in ascending order, with 1 for the highest code."""
        one = self.format_of(self.parameters[0, :1])
        low, high = one.code_range
        values = one.decode(np.arange(low, high + 1)[None], 0)[0].astype(np.float64)
        return np.asarray(values / values[-1])

    def scales(self) -> npt.NDArray[np.float64]:
        """Return the value of the highest code for each candidate, ``[S, C]``."""
        high = self.format_of(self.parameters[0]).code_range[1]
        column = np.full((self.parameters.shape[1], 1), high)
        return np.stack([self.format_of(row).decode(column, 0)[:, 0] for row in self.parameters]).astype(np.float64)

    def shared(self, best: int) -> Kind:
        """Return the per-tensor format with the candidate ``best``, which must be the same in all channels."""
        return self.format_of(self.parameters[best, 0])

    def choice(self, best: npt.NDArray[np.intp]) -> Kind:
        """Return the format with the candidate ``best[c]`` for channel c."""
        return self.format_of(self.parameters[best, np.arange(self.parameters.shape[1])])
