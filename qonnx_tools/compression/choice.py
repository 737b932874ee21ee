"""Which activations are stored compressed."""

import difflib
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from qonnx_tools.errors import ConfigError
from qonnx_tools.feature_map_plan import why_map_not_compressed
from qonnx_tools.graph import gs, is_constant, op_of, producer
from qonnx_tools.plan import BatchNorm, Plan, Role
from qonnx_tools.topology import CLIPPING, activations

BLOCKS, ALL = "blocks", "all"
"""Choices that are no patterns."""
SUMS = frozenset({"Add", "Sum"})
WILD = "*?["


def chosen_maps(graph: gs.Graph, plan: Plan, at: Sequence[str] = (BLOCKS,)) -> tuple[str, ...]:
    """Return the names of the feature maps to compress, in graph order.

    ``blocks`` are the outputs of residual blocks: sums of two feature maps, behind the clipping function that follows.
    In a network without any they are all activations behind a clipping function, and in one without these all that
    there are. ``all`` are all activations but the input of the network, single pixels, and what a layer makes for one
    addition alone, which never is in memory. Anything else is the name of a tensor, or a pattern for names with ``*``.

    Activations that are not stored in one fixed-point format, or that have no two spatial dimensions, are left out.

    Args:
        graph: the canonical graph that ``plan`` is for.
        plan: of the formats.
        at: what to choose.

    Raises:
        ConfigError: a named tensor cannot be compressed, a pattern matches none, or the network has none.
    """
    tensors = graph.tensors()
    lines = [name for name, line in plan.tensors.items() if line.role is Role.ACTIVATION]
    reasons = {name: why_map_not_compressed(plan.tensors[name].format, _shape(tensors.get(name))) for name in lines}
    fit = [name for name in lines if reasons[name] is None]
    found: set[str] = set()
    for each in at:
        if each in (BLOCKS, ALL):
            inner = _stored(graph, plan, fit)
            found.update(_blocks(tensors, inner) if each == BLOCKS else inner)
        else:
            found.update(_matching(each, reasons))
    if not found:
        raise ConfigError("the model has no feature map in one fixed-point format that could be compressed")
    return tuple(name for name in fit if name in found)


def _stored(graph: gs.Graph, plan: Plan, names: Sequence[str]) -> list[str]:
    """Return the maps that are written to memory as a whole: not the input, no single pixels, no summand of a layer."""
    entries = {tensor.name for tensor in graph.inputs}
    written, _ = activations(graph, merged=plan.batch_norm is BatchNorm.MERGE, sums=True)
    tensors = graph.tensors()
    return [
        name for name in names if name in written and name not in entries and list(tensors[name].shape[2:]) != [1, 1]
    ]


def _blocks(tensors: Mapping[str, Any], names: Sequence[str]) -> list[str]:
    sums = [name for name in names if _is_sum(tensors[name])]
    return sums or [name for name in names if _maker(tensors[name]) in CLIPPING] or list(names)


def _is_sum(tensor: Any) -> bool:
    """Tell whether ``tensor`` is a sum of feature maps, perhaps behind a clipping function."""
    if _maker(tensor) in CLIPPING:
        tensor = producer(tensor).inputs[0]  # type: ignore[union-attr]
    if _maker(tensor) not in SUMS:
        return False
    summands = producer(tensor).inputs  # type: ignore[union-attr]
    return sum(not is_constant(item) for item in summands) > 1


def _maker(tensor: Any) -> str:
    maker = producer(tensor)
    return "" if maker is None else op_of(maker)


def _matching(pattern: str, reasons: Mapping[str, str | None]) -> Iterator[str]:
    if pattern in reasons:
        reason = reasons[pattern]
        if reason is not None:
            raise ConfigError(f"feature map '{pattern}' cannot be compressed: {reason}; leave it out")
        yield pattern
        return
    matches = [name for name in reasons if fnmatchcase(name, pattern)]
    fit = [name for name in matches if reasons[name] is None]
    if matches and not fit:
        reason = reasons[matches[0]]
        raise ConfigError(f"feature map pattern '{pattern}': none can be compressed; '{matches[0]}': {reason}")
    if not fit:
        near = difflib.get_close_matches(pattern, reasons, n=1)
        hint = f"did you mean '{near[0]}'?" if near else f"`qonnx inspect` lists them; or take {BLOCKS} or {ALL}"
        what = "pattern" if any(letter in pattern for letter in WILD) else "name"
        raise ConfigError(f"feature map {what} '{pattern}' matches no activation with a format; {hint}")
    yield from fit


def _shape(tensor: Any) -> Any:
    return None if tensor is None else tensor.shape
