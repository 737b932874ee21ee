"""From floats or codes to codes of another format, and back to floats."""

from typing import Any

import numpy as np

from qonnx_tools.arithmetic.fixed_point import FixedPoint
from qonnx_tools.arithmetic.log import Log
from qonnx_tools.lowering.log_codes import codes_of_codes
from qonnx_tools.lowering.state import Coded, Emitter, Target, element_type


def encoded(before: Coded | None, floats: Any, of: FixedPoint | Log, rounding: str, make: Emitter, like: Any) -> Any:
    """Make codes of ``of``, from the codes ``before`` or, where there are none, from ``floats``."""
    if before is not None and (isinstance(of, Log) or isinstance(before.format, Log)):
        return codes_of_codes(before, of, rounding, make, like)
    if isinstance(of, Log):
        scale = make.constant(f"{like.name}.scale", of.scale, np.float32)
        attributes = _log_attributes(of) | {"rounding": of.rounding_code(rounding), "to": element_type(of)}
        return make.node("LogQuantize", [floats, scale], attributes, like, of.carrier)
    target = Target(of, rounding, *of.code_range)
    if before is not None:
        shift = make.constant(f"{like.name}.shift", before.frac - target.frac, np.int64)
        return make.node("Requantize", [before.tensor, shift], target.attributes, like, of.carrier)
    frac = make.constant(f"{like.name}.frac", target.frac, np.int64)
    return make.node("Quantize", [floats, frac], target.attributes, like, of.carrier)


def as_float(coded: Coded, make: Emitter, like: Any) -> Any:
    """Make floats of codes."""
    of = coded.format
    if isinstance(of, Log):
        scale = make.constant(f"{like.name}.scale", of.scale, np.float32)
        return make.node("LogDequantize", [coded.tensor, scale], _log_attributes(of), like, np.float32, suffix="float")
    frac = make.constant(f"{like.name}.frac", coded.frac, np.int64)
    return make.node("Dequantize", [coded.tensor, frac], {}, like, np.float32, suffix="float")


def clipped(codes: Any, bounds: tuple[int, int], make: Emitter) -> Any:
    """Bound log codes below the format's own range."""
    limits = [
        make.constant(f"{codes.name}.{side}", bound, codes.dtype)
        for side, bound in zip(("low", "high"), bounds, strict=True)
    ]
    return make.node("Clip", [codes, *limits], {}, codes, codes.dtype, domain="", suffix="clipped")


def _log_attributes(of: Log) -> dict[str, int]:
    return {"bits": of.bits, "steps": of.steps, "signed": int(of.signed)}
