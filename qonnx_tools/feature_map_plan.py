"""How a plan says that a feature map is compressed, and its JSON."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from qonnx_tools.arithmetic.bitstream import Coder, Coding, Transform
from qonnx_tools.arithmetic.fixed_point import FixedPoint
from qonnx_tools.arithmetic.formats import Format
from qonnx_tools.arithmetic.subband_quantization import LARGEST_STEP, STEP_UNIT
from qonnx_tools.errors import ConfigError
from qonnx_tools.strict_json import checked

MOST_BITS = 16
"""Of the codes of a map that is compressed."""


@dataclass(frozen=True)
class FeatureMapPlan:
    """How one feature map is compressed: a :class:`Coding`, with the channels that are ``dropped`` by number.

    ``dropped`` are the channels whose finest HL, LH and HH are left out, ascending; ``step`` is in LSB, a multiple of
    1/16, and 1 is lossless.
    """

    transform: str = Transform.PREDICTIVE
    coder: str = Coder.CONTEXT
    levels: int = 0
    step: float = 1.0
    dropped: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if any(channel < 0 for channel in self.dropped) or list(self.dropped) != sorted(set(self.dropped)):
            raise ConfigError(f"dropped is {list(self.dropped)}; give channel numbers from 0 on, ascending, each once")
        self.coding(max(self.dropped, default=-1) + 1)

    def coding(self, channels: int) -> Coding:
        """Return the coding of a map of so many channels. Raises ``ConfigError`` where it has too few."""
        if self.dropped and self.dropped[-1] >= channels:
            raise ConfigError(f"dropped: there is no channel {self.dropped[-1]}; the map has {channels}")
        mask = tuple(channel in set(self.dropped) for channel in range(channels)) if self.dropped else ()
        return Coding(self.transform, self.coder, self.levels, self.step, mask)


def why_not_compressed(of: Format) -> str | None:
    """Return why codes of a format are not compressed, or None where they are."""
    if not isinstance(of, FixedPoint) or of.channels is not None:
        return f"its format is {of}; only fixed point with one format for the whole tensor is compressed"
    if not 1 <= of.bits <= MOST_BITS:
        return f"it has {of.bits} bits; codes of 1 to {MOST_BITS} bits are compressed"
    return None


def why_map_not_compressed(of: Format, shape: Sequence[Any] | None) -> str | None:
    """Return why a tensor of this format and shape is not compressed, or None where it is."""
    reason = why_not_compressed(of)
    if reason is not None:
        return reason
    if shape is None or len(shape) != 4 or not isinstance(shape[1], int):
        shown = "unknown" if shape is None else str(list(shape))
        return f"its shape is {shown}, not [N, C, H, W] with a known number of channels"
    return None


def relative_step(share: float, of: Format) -> float:
    """Return the step, in LSB, that is ``share`` of the range of the codes: a multiple of 1/16, at least 1."""
    units = int(share * float(2**of.bits - 1) * STEP_UNIT + 0.5)
    return min(max(units, STEP_UNIT), LARGEST_STEP) / STEP_UNIT


def feature_map_to_json(of: FeatureMapPlan) -> dict[str, Any]:
    """Return ``of`` as JSON data, as it stands in a plan."""
    document: dict[str, Any] = {"transform": str(of.transform), "coder": str(of.coder)}
    if of.levels:
        document["levels"] = of.levels
    document["step"] = of.step
    if of.dropped:
        document["dropped"] = list(of.dropped)
    return document


def feature_map_from_json(document: dict[str, Any], where: str) -> FeatureMapPlan:
    """Return what JSON data say of a map; ``ConfigError`` says where in ``where`` they are wrong."""
    fields = checked(_Fields, document, where)
    try:
        return FeatureMapPlan(fields.transform, fields.coder, fields.levels, fields.step, fields.dropped)
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from error


@dataclass(frozen=True)
class _Fields:
    transform: str
    coder: str = Coder.CONTEXT
    levels: int = 0
    step: float = 1.0
    dropped: tuple[int, ...] = ()
