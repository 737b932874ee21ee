"""Store feature maps compressed: what reads them sees what comes back."""

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from qonnx_tools.arithmetic.bitstream import Coding
from qonnx_tools.arithmetic.fixed_point import FixedPoint
from qonnx_tools.errors import ConfigError
from qonnx_tools.feature_map_plan import FeatureMapPlan, why_map_not_compressed
from qonnx_tools.graph import Names, consumers, gs, op_of
from qonnx_tools.ops import DOMAIN
from qonnx_tools.passes.base import Outcome, Pass, Rewrite, Skip
from qonnx_tools.quantizers import quantizer_of
from qonnx_tools.round_trips import ROUND_TRIP, element_code, note_map, round_trip_node


@dataclass(frozen=True)
class CompressFeatureMaps(Pass):
    """Let every node that reads a quantized activation read it as it comes back from being compressed.

    ::

        t -> FixedQuant -> readers
        becomes
        t -> FixedQuant -> Quantize -> FeatureMapRoundTrip -> Dequantize -> readers

    The codes are those of the quantizer's own format, so that Quantize and Dequantize change no number; the pass
    ``lower-to-native`` leaves only the node in the middle. ``maps`` are by name of the tensor t.

    Declines a map that is compressed already.
    Raises ``ConfigError`` for a tensor that the graph does not have, that has no quantizer with one fixed-point format
    of at most 16 bits, that is no ``[N, C, H, W]`` with a known C, or that has fewer channels than are dropped.
    """

    name: ClassVar[str] = "compress-feature-maps"
    maps: Mapping[str, FeatureMapPlan] = field(default_factory=dict)

    def run(self, graph: gs.Graph) -> Iterator[Outcome]:
        tensors, names = graph.tensors(), Names(graph)
        for name, plan in self.maps.items():
            tensor = tensors.get(name)
            if tensor is None:
                raise ConfigError(f"feature map '{name}' is not in the model{_nearest(name, list(tensors))}")
            node, quantizer = _quantizer(tensor)
            coding = _coding(tensor, plan)
            if any(op_of(reader) == f"{DOMAIN}::Quantize" for reader in consumers(node.outputs[0])):
                yield Skip(name, "is compressed already")
                continue
            _insert(graph, node, quantizer, coding, name, names)
            yield Rewrite(name, f"{quantizer} stored as {describe(plan)}")


def describe(plan: FeatureMapPlan) -> str:
    """Return what a plan says of a map in a few words."""
    levels = f", {plan.levels} levels" if plan.levels else ""
    dropped = f", finest bands of {len(plan.dropped)} channels dropped" if plan.dropped else ""
    step = "lossless" if plan.step == 1 else f"step {plan.step:g} LSB"
    return f"{plan.transform}{levels}, {step}{dropped}, {plan.coder} coder"


def _quantizer(tensor: Any) -> tuple[gs.Node, FixedPoint]:
    """Return the node that quantizes ``tensor`` for all that read it, and its format."""
    found = [(node, quantizer) for node in consumers(tensor) if (quantizer := quantizer_of(node)) is not None]
    if not found:
        raise ConfigError(f"feature map '{tensor.name}' has no format; give it one in the plan")
    node, quantizer = found[0]
    reason = why_map_not_compressed(quantizer.format, tensor.shape)
    if reason is not None or not isinstance(quantizer.format, FixedPoint):
        raise ConfigError(f"feature map '{tensor.name}' cannot be compressed: {reason}; take it out")
    return node, quantizer.format


def _coding(tensor: Any, plan: FeatureMapPlan) -> Coding:
    try:
        return plan.coding(tensor.shape[1])
    except ConfigError as error:
        raise ConfigError(f"feature map '{tensor.name}': {error}") from error


def _insert(graph: gs.Graph, node: gs.Node, of: FixedPoint, coding: Coding, name: str, names: Names) -> None:
    """Put the three nodes behind the quantizer ``node``."""
    rounded = node.outputs[0]
    readers = consumers(rounded)

    def variable(ending: str, dtype: Any) -> Any:
        return gs.Variable(names.unique(f"{name}.{ending}"), np.dtype(dtype), rounded.shape)

    codes, returned = variable("stored", of.carrier), variable("restored", of.carrier)
    output = variable("compressed", np.float32)
    for reader in readers:
        reader.inputs = [output if item is rounded else item for item in reader.inputs]
    frac = gs.Constant(names.unique(f"{name}.stored.frac"), np.array(of.frac, np.int64))
    form = {"bits": of.bits, "signed": int(of.signed), "narrow": int(of.narrow), "to": element_code(of.carrier)}
    round_trip = round_trip_node(codes, returned, names.unique(f"{name}.{ROUND_TRIP}"), of, coding)
    note_map(round_trip, name, coding.coder)
    graph.nodes.extend([
        gs.Node("Quantize", names.unique(f"{name}.Quantize"), form, [rounded, frac], [codes], DOMAIN),
        round_trip,
        gs.Node("Dequantize", names.unique(f"{name}.Dequantize"), {}, [returned, frac], [output], DOMAIN),
    ])  # fmt: skip


def _nearest(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean '{near[0]}'?" if near else "; `qonnx inspect` lists its tensors"
