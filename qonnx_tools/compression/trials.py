"""Feature maps compressed on trial: the bytes of real streams, and what comes back."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from qonnx_tools.arithmetic.bitstream import Header
from qonnx_tools.arithmetic.fixed_point import FixedPoint
from qonnx_tools.feature_map_codec import FeatureMapEncoder
from qonnx_tools.feature_map_plan import FeatureMapPlan

Codes = npt.NDArray[np.integer]


def encoder_of(codes: Codes, of: FixedPoint, plan: FeatureMapPlan) -> FeatureMapEncoder:
    """Return the encoder of maps ``[N, C, H, W]``."""
    channels, height, width = codes.shape[1:]
    return FeatureMapEncoder(Header(codes.dtype, of, (channels, height, width), plan.coding(channels)))


def mean_bytes(codes: Codes, of: FixedPoint, plan: FeatureMapPlan) -> float:
    """Return the mean length of the streams of maps ``[N, C, H, W]``."""
    encoder = encoder_of(codes, of, plan)
    return sum(len(encoder.encode(each)) for each in codes) / len(codes)


def returned(codes: Codes, of: FixedPoint, plan: FeatureMapPlan) -> Codes:
    """Return what decoding the streams of maps ``[N, C, H, W]`` gives."""
    encoder = encoder_of(codes, of, plan)
    return np.stack([encoder.round_trip(each) for each in codes])


def squared_error(codes: Codes, of: FixedPoint, plan: FeatureMapPlan) -> float:
    """Return the mean squared error of what comes back, in LSB^2."""
    difference = returned(codes, of, plan).astype(np.float64) - codes
    return float(np.square(difference).mean())


def least_bytes(codes: Codes, of: FixedPoint, plans: Sequence[FeatureMapPlan]) -> FeatureMapPlan:
    """Return the plan whose streams of ``codes`` are shortest; of equals the first."""
    return min(plans, key=lambda plan: mean_bytes(codes, of, plan))
