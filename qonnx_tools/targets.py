"""What a quantized graph can be lowered to, and which accumulators it then has."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from qonnx_tools.errors import ConfigError
from qonnx_tools.graph import Model, from_proto, nodes, to_proto, update_shapes
from qonnx_tools.inspection import inspect
from qonnx_tools.ops import DOMAIN
from qonnx_tools.outcome import Skip
from qonnx_tools.passes.base import Pass
from qonnx_tools.passes.fuse_residual_add import FuseResidualAdd
from qonnx_tools.passes.fuse_tables import FuseTables
from qonnx_tools.passes.lower_to_native import LowerToNative
from qonnx_tools.passes.lower_to_qonnx import LowerToQonnx
from qonnx_tools.passes.registry import registered_passes
from qonnx_tools.passes.share_scales import ShareScales
from qonnx_tools.pipeline import PassReport, run_passes
from qonnx_tools.plan import Plan
from qonnx_tools.tools.tool import tool_named

PREFIX = "lower-to-"
"""What the name of a pass begins with that lowers to a target."""
NATIVE = LowerToNative.name.removeprefix(PREFIX)
"""The target whose wires carry integer codes."""
QONNX = LowerToQonnx.name.removeprefix(PREFIX)
"""The target that may be made for a tool."""
QUANTIZER = ".quantizer"
"""Ends the name of the node that quantizes a tensor."""
RESERVED = frozenset({"input", "output"})
"""Names that a layer may not have in the code of a tool."""
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


def check_target(target: str, *, strict: bool, tool: str | None = None) -> None:
    """Raise ``ConfigError`` for a target or tool that there is not, or that do not go together or with strict."""
    known = [*_targets(), SIMULATION]
    if target not in known:
        raise ConfigError(f"target '{target}' is unknown; choose one of {', '.join(known)}")
    if tool is not None and target != QONNX:
        raise ConfigError(f"for {tool} goes with the target {QONNX}, not with {target}")
    if tool is not None:
        tool_named(tool)
    if strict and not on_codes(target):
        raise ConfigError(f"strict goes with the target {NATIVE}, not with {target}")


def on_codes(target: str) -> bool:
    """Tell whether ``target`` is the native graph, or made of it: then sums may wrap."""
    return target == NATIVE or (target != SIMULATION and _targets()[target].after == LowerToNative.name)


def to_codes(target: str, plan: Plan, *, strict: bool) -> list[Pass]:
    """Return the passes that bring a graph of quantizers to integer codes, for a target that has them."""
    return [_to_native(plan, strict=strict)] if on_codes(target) else []


def lowering(target: str, tool: str | None = None, *, nearest: bool = False) -> list[Pass]:
    """Return the passes that bring a graph to ``target``, after those of :func:`to_codes`.

    Args:
        target: what to lower to.
        tool: the tool that QONNX is for; None is any.
        nearest: whether what QONNX cannot say exactly becomes the nearest that it can.
    """
    if target == SIMULATION:
        return []
    if target == NATIVE:
        return [FuseTables(), FuseResidualAdd()]
    if target != QONNX:
        return [_targets()[target]()]
    if tool is None:
        return [LowerToQonnx(nearest=nearest)]
    chosen = tool_named(tool)
    return [*chosen.before(), LowerToQonnx(modes=chosen.modes(), nearest=nearest), *chosen.after()]


def inexact(model: Model, reports: Iterable[PassReport], target: str, tool: str | None) -> tuple[Skip, ...]:
    """Return what a lowered model does not carry exactly, each node once: what passes declined and the tool says."""
    if target in (NATIVE, SIMULATION):
        return ()
    found: dict[str, Skip] = {}
    if tool is not None:
        ours = {node.name for node in nodes(model.graph) if node.domain == DOMAIN}  # a pass has said why
        found = {skip.node: skip for skip in tool_named(tool).inexact(model.graph) if skip.node not in ours}
    judged = {LowerToQonnx.name, ShareScales.name} if target == QONNX else {f"{PREFIX}{target}"}
    for report in reports:
        if report.name in judged:
            declined = [skip for skip in report.outcomes if isinstance(skip, Skip)]
            found |= {skip.node: replace(skip, node=skip.node.removesuffix(QUANTIZER)) for skip in declined}
    return tuple(found.values())


def plain_interface(model: Model) -> None:
    """Give inputs and outputs names that tools for hardware can write into their code, where they have others."""
    tensors = [*model.graph.inputs, *model.graph.outputs]
    taken = {tensor.name for tensor in tensors}
    for tensor in tensors:
        name = re.sub(r"[^A-Za-z0-9]+", "_", tensor.name).strip("_")
        if not name[:1].isalpha() or name.lower() in RESERVED:
            name = f"graph_{name}"
        if name != tensor.name:
            while name in taken:
                name += "_"
            taken.add(name)
            tensor.name = name


def fix_batch(model: Model) -> None:
    """Give the inputs and outputs of a model the batch size 1 where it is open, as tools for hardware want it."""
    for tensor in [*model.graph.inputs, *model.graph.outputs]:
        if tensor.shape and not isinstance(tensor.shape[0], int):
            tensor.shape = [1, *list(tensor.shape)[1:]]
    update_shapes(model)


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
