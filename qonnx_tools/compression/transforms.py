"""Which transform a feature map gets: that of least bytes at equal error."""

from collections.abc import Sequence
from dataclasses import replace

from qonnx_tools.arithmetic.bitstream import Coder, Transform
from qonnx_tools.arithmetic.fixed_point import FixedPoint
from qonnx_tools.arithmetic.subband_quantization import LARGEST_STEP, STEP_UNIT
from qonnx_tools.arithmetic.wavelet import LEVELS, Wavelet
from qonnx_tools.compression.trials import Codes, least_bytes, squared_error
from qonnx_tools.feature_map_plan import FeatureMapPlan

HALVINGS = 10
"""Of the interval in which a step of equal error is looked for."""


def candidates(levels: Sequence[int] | None = None, *, dropping: bool = False) -> list[FeatureMapPlan]:
    """Return a plan for each transform and number of levels; with ``dropping`` those that have bands to drop."""
    fewest, most = LEVELS
    plain = [] if dropping else [FeatureMapPlan(Transform.PREDICTIVE), FeatureMapPlan(Transform.NONE)]
    return plain + [
        FeatureMapPlan(wavelet.value, levels=count)
        for wavelet in Wavelet
        for count in levels or range(fewest, most + 1)
    ]


def transform_at_equal_error(
    codes: Codes, of: FixedPoint, step: float, plans: Sequence[FeatureMapPlan]
) -> FeatureMapPlan:
    """Return that of ``plans`` with the shortest streams, erring no more than values do at ``step``.

    Its channels stay dropped: they are what it errs beside.
    """
    if step == 1:
        return least_bytes(codes, of, [replace(plan, step=1.0) for plan in plans])
    allowed = squared_error(codes, of, FeatureMapPlan(Transform.NONE, step=step))
    return least_bytes(codes, of, [_no_worse(codes, of, plan, step, allowed) for plan in plans])


def best_coder(codes: Codes, of: FixedPoint, plan: FeatureMapPlan) -> FeatureMapPlan:
    """Return ``plan`` with the coder of the shortest streams."""
    return least_bytes(codes, of, [replace(plan, coder=coder.value) for coder in reversed(Coder)])


def best_levels(codes: Codes, of: FixedPoint, step: float) -> list[FeatureMapPlan]:
    """Return a plan for each transform, wavelets with the levels that are best at that step."""
    every = candidates()
    plain = [plan for plan in every if not plan.levels]
    wavelets = [[plan for plan in every if plan.transform == wavelet.value] for wavelet in Wavelet]
    return plain + [transform_at_equal_error(codes, of, step, plans) for plans in wavelets]


def _no_worse(codes: Codes, of: FixedPoint, plan: FeatureMapPlan, step: float, allowed: float) -> FeatureMapPlan:
    """Return ``plan`` with the largest step, up to four times ``step``, at which it errs no more than is allowed."""
    if not plan.levels:
        return replace(plan, step=step)
    kept = replace(plan, dropped=())
    low, high = STEP_UNIT, min(int(4 * step * STEP_UNIT), LARGEST_STEP)
    for _ in range(HALVINGS):
        middle = (low + high + 1) // 2
        if squared_error(codes, of, replace(kept, step=middle / STEP_UNIT)) <= allowed:
            low = middle
        else:
            high = middle - 1
        if low >= high:
            break
    return replace(plan, step=low / STEP_UNIT)
