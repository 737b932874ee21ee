"""What every number format can do. The formats themselves are in files of their own."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from qonnx_tools.discovery import concrete_classes
from qonnx_tools.errors import ConfigError

Codes = npt.NDArray[np.integer]
"""Integers as stored."""
Values = npt.NDArray[np.float32]
"""The real numbers that codes stand for."""


@dataclass(frozen=True)
class Format(ABC):
    """A finite set of real numbers with an integer code for each.

    A format is a frozen dataclass; its fields are its parameters. A parameter that differs per channel is a
    tuple with one entry a channel, and the methods then need ``axis``, the channel dimension of the tensor.
    """

    kind: ClassVar[str]
    """The name of the format in a plan."""
    roundings: ClassVar[type[StrEnum]]
    """The rounding rules that encode knows, the default first; ONNX attributes carry their position."""
    bits: int

    @property
    @abstractmethod
    def channels(self) -> int | None:
        """Number of channels with parameters of their own, or None for a per-tensor format."""

    @property
    @abstractmethod
    def code_range(self) -> tuple[int, int]:
        """Smallest and largest code."""

    @abstractmethod
    def encode(self, x: npt.ArrayLike, rounding: str | None = None, axis: int | None = None) -> Codes:
        """Return the codes of ``x``, saturated; NaN becomes code 0. None is the format's default rounding."""

    @abstractmethod
    def decode(self, codes: npt.ArrayLike, axis: int | None = None) -> Values:
        """Return the float32 values of ``codes``."""

    @abstractmethod
    def quantize(self, x: npt.ArrayLike, rounding: str | None = None, axis: int | None = None) -> Values:
        """Return ``x`` in float32, each element replaced by the value that its code stands for.

        Equal to ``decode(encode(x))`` except that NaN stays NaN. Zero is always +0.
        """

    @property
    def carrier(self) -> np.dtype[np.integer]:
        """The smallest of int8, uint8, int16, uint16, int32 that holds every code."""
        low, high = self.code_range
        for dtype in (np.int8, np.uint8, np.int16, np.uint16, np.int32):
            limits = np.iinfo(dtype)
            if limits.min <= low and high <= limits.max:
                return np.dtype(dtype)
        return np.dtype(np.uint32)

    @classmethod
    def rounding_code(cls, name: str | None) -> int:
        """Return the position of the rounding rule ``name``, None being the default; ``ConfigError`` if unknown."""
        known = [mode.value for mode in cls.roundings]
        if name is None:
            return 0
        if name not in known:
            raise ConfigError(f"rounding '{name}' is unknown to {cls.kind} formats; choose one of {', '.join(known)}")
        return known.index(name)

    def across(self, parameter: npt.NDArray[np.generic], rank: int, axis: int | None) -> npt.NDArray[np.generic]:
        """Reshape a per-channel parameter ``[C]`` so that it broadcasts along ``axis`` of a rank-``rank`` tensor."""
        if parameter.ndim == 0:
            return parameter
        if axis is None or not -rank <= axis < rank:
            raise ConfigError(f"a {self.kind} format with {parameter.size} channels needs an axis in 0..{rank - 1}")
        shape = [1] * rank
        shape[axis] = parameter.size
        return parameter.reshape(shape)


@cache
def format_kinds() -> dict[str, type[Format]]:
    """Every known format by its kind."""
    return {found.kind: found for found in concrete_classes("qonnx_tools.arithmetic", Format)}  # type: ignore[type-abstract]
