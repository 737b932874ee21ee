"""What a quantized graph can be lowered to, and which accumulators it then has."""

from collections.abc import Iterable
from dataclasses import dataclass

from qonnx_tools.errors import ConfigError
from qonnx_tools.graph import Model, from_proto, to_proto
from qonnx_tools.inspection import inspect
from qonnx_tools.passes.base import Pass
from qonnx_tools.passes.fuse_residual_add import FuseResidualAdd
from qonnx_tools.passes.fuse_tables import FuseTables
from qonnx_tools.passes.lower_to_native import LowerToNative
from qonnx_tools.passes.registry import registered_passes
from qonnx_tools.pipeline import run_passes
from qonnx_tools.plan import Plan

PREFIX = "lower-to-"
"""What the name of a pass begins with that lowers to a target."""
NATIVE = LowerToNative.name.removeprefix(PREFIX)
"""The target whose wires carry integer codes."""
SIMULATION = "simulation"
"""The target whose wires carry floats: the quantizers of the plan, and nothing lowered."""


@dataclass(frozen=True)
class NarrowAccumulator:
    """A layer whose sums can wrap: ``safe_bits`` is the smallest width of its accumulator that no input overflows."""

    layer: str
    bits: int
    safe_bits: int


def _targets() -> dict[str, type[Pass]]:
    """Return the passes that lower to a target, by the target's name."""
    found = registered_passes().items()
    return {name.removeprefix(PREFIX): each for name, each in found if name.startswith(PREFIX)}


def check_target(target: str, *, strict: bool) -> None:
    """Raise ``ConfigError`` for a target that there is not, or that cannot be strict."""
    known = [*_targets(), SIMULATION]
    if target not in known:
        raise ConfigError(f"target '{target}' is unknown; choose one of {', '.join(known)}")
    if strict and not on_codes(target):
        raise ConfigError(f"strict goes with the target {NATIVE}, not with {target}")


def on_codes(target: str) -> bool:
    """Tell whether ``target`` is the native graph, or made of it: then sums may wrap."""
    return target == NATIVE or (target != SIMULATION and _targets()[target].after == LowerToNative.name)


def to_codes(target: str, plan: Plan, *, strict: bool) -> list[Pass]:
    """Return the passes that bring a graph of quantizers to integer codes, for a target that has them."""
    return [_to_native(plan, strict=strict)] if on_codes(target) else []


def lowering(target: str) -> list[Pass]:
    """Return the passes that bring a graph to ``target``, after those of :func:`to_codes`."""
    if target == SIMULATION:
        return []
    return [FuseTables(), FuseResidualAdd()] if target == NATIVE else [_targets()[target]()]


def _to_native(plan: Plan, *, strict: bool = False) -> LowerToNative:
    return LowerToNative(strict=strict, accumulator_bits=plan.accumulator_bits, accumulators=plan.accumulators)


def check_accumulators(quantized: Model, plan: Plan, target: str) -> None:
    """Raise ``ConfigError`` where sums of a graph of quantizers could wrap: only what is made of codes says so."""
    if on_codes(target) or not plan.chooses_accumulators:
        return
    trial = from_proto(to_proto(quantized))
    run_passes(trial, [_to_native(plan)])
    narrow = narrow_accumulators(trial)
    if narrow:
        item = worst(narrow)
        raise ConfigError(
            f"accumulator of '{item.layer}': {item.bits} bits are fewer than the {item.safe_bits} that are safe, and "
            f"the target {target} has no sums that wrap; take the target {NATIVE}, or {item.safe_bits} bits or more"
        )


def check_feature_maps(plan: Plan, target: str) -> None:
    """Raise ``ConfigError`` for a target that has no op for the feature maps that ``plan`` compresses."""
    if plan.feature_maps and target not in (NATIVE, SIMULATION):
        names = ", ".join(f"'{name}'" for name in plan.feature_maps)
        raise ConfigError(
            f"feature maps {names}: the target {target} has no op for compressed feature maps; take the target "
            f"{NATIVE} or {SIMULATION}, or take the maps out of the plan"
        )


def narrow_accumulators(native: Model) -> tuple[NarrowAccumulator, ...]:
    """Return the layers of a native graph whose accumulators are narrower than is safe."""
    return tuple(
        NarrowAccumulator(layer.name, layer.accumulator_bits, layer.safe_accumulator_bits)
        for layer in inspect(native).layers
        if layer.accumulator_bits and layer.safe_accumulator_bits
        if layer.accumulator_bits < layer.safe_accumulator_bits
    )


def worst(narrow: Iterable[NarrowAccumulator]) -> NarrowAccumulator:
    """Return the one that lacks most bits."""
    return max(narrow, key=lambda item: item.safe_bits - item.bits)
