"""What each width does to the outputs of a network, alone: measured on unlabelled images, one pass over the graph.

The network is computed node by node, in float. Where a choice belongs, each of its widths is put in, and what follows
is run to the end: the nodes before it are never run again. Damage is the mean Kullback-Leibler divergence of the class
probabilities from those without it; for a network that is no classifier, noise over signal of its outputs. Everything
else is in float, because the divergence of small errors is their square: beside other errors a product of both would
be added, which is larger, of either sign, and different for every combination.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt

from qonnx_tools.divergence import divergence
from qonnx_tools.graph import Model, constant_value, from_proto, gs, is_constant, nodes, part_model, producer, to_proto
from qonnx_tools.ops import DOMAIN, DOMAIN_VERSION
from qonnx_tools.plan import Plan
from qonnx_tools.quantizers import quantizer_node
from qonnx_tools.reconstruction.layer_view import LayerView
from qonnx_tools.reconstruction.layerwise import Choice as Formats
from qonnx_tools.reconstruction.layerwise import fit_layer
from qonnx_tools.reconstruction.walk import Batches, Walk, detached
from qonnx_tools.runtime import session
from qonnx_tools.search.space import ACTIVATION, WEIGHTS, Choice, Space, Width, bits_of, options_of
from qonnx_tools.topology import WEIGHTED, macs_of

WALKS = 2
"""Times that a walk computes the network."""
NEGLIGIBLE = 1e-4
"""Nats on the images measured on; what the widths above one of such damage do is not measured."""
Floats = npt.NDArray[np.float32]
Results = Iterator[tuple[Width, dict[str, Any]]]
"""A width, and what it makes of tensors or constants, by name."""


@dataclass(frozen=True)
class DamageContext:
    """What measuring needs.

    Attributes:
        space: of choices.
        images: one array a batch.
        told: how many of the first batches damage is measured on; None is all. Weights are fitted on all of them.
        share: that the images of these batches are of those that they stand for.
    """

    space: Space
    images: tuple[Floats, ...]
    told: int | None = None
    share: float = 1.0


@dataclass
class Damage:
    """The damage of each width of a choice, and the inferences that it took: tails count by their multiplications."""

    widths: dict[Width, float] = field(default_factory=dict)
    inferences: float = 0.0


def damages(context: DamageContext, keys: Iterable[str]) -> Iterator[tuple[str, Damage]]:
    """Yield the key and the damages of each of these choices, in graph order, in one pass."""
    for key, damage in _Pass(context).run(set(keys)):
        yield key, Damage({width: context.share * value for width, value in damage.widths.items()}, damage.inferences)


def measure_damage(context: DamageContext, keys: tuple[str, ...]) -> dict[str, Damage]:
    """Return what :func:`damages` yields."""
    return dict(damages(context, keys))


class _Pass:
    """One pass over the graph."""

    def __init__(self, context: DamageContext) -> None:
        self._space = context.space
        self._model = from_proto(to_proto(context.space.model))
        self._walk = Walk(self._model, context.images, {})
        self._told = slice(context.told)
        self._images = sum(map(len, context.images[self._told]))
        self._order = list(nodes(self._model.graph))
        self._macs = [_macs(node) for node in self._order]
        self._plans: dict[tuple[str, Width], Plan] = {}
        self._reference: Batches = []

    def run(self, keys: set[str]) -> Iterator[tuple[str, Damage]]:
        (entry,) = self._model.graph.inputs
        self._reference = self._tail(self._order).run({entry.name: self._told_of(entry.name)})
        wanted = [choice for choice in self._space.choices if choice.key in keys]
        found = {choice.key: Damage() for choice in wanted}
        left = {choice.key: len(choice.tensors) for choice in wanted}
        places = _places(self._model, wanted)
        for at, node in chain([(-1, None)], enumerate(self._walk)):
            for choice, tensor in places.get(node.name if node else "", ()):
                self._add(found[choice.key], choice, self._results(node, choice, tensor), at)
                left[choice.key] -= 1
                if not left[choice.key]:
                    yield choice.key, found[choice.key]

    def _add(self, damage: Damage, choice: Choice, results: Results, at: int) -> None:
        """Add the damage of each of ``results``, the widths of ``choice``, in place of what node ``at`` makes."""
        behind = self._order[at + 1 :]
        needed = {tensor.name for each in behind for tensor in each.inputs}
        needed |= {tensor.name for tensor in self._model.graph.outputs}
        live = {name: self._told_of(name) for name in self._walk.trained if name in needed}
        tail = self._tail(behind)
        share = sum(self._macs[at + 1 :]) / max(sum(self._macs), 1)
        measured: dict[Width, float] = {}
        settled = set()
        last = options_of(choice.widths[-1])
        for width, values in results:
            options = options_of(width)
            if options not in settled:
                measured[width] = max(0.0, divergence(self._reference, tail.run({**live, **values})))
                damage.inferences += share * self._images
                if measured[width] < NEGLIGIBLE:
                    settled.add(options)
            if options == last and last in settled:
                break
        for width, found in extended(measured, choice.widths).items():
            damage.widths[width] = damage.widths.get(width, 0.0) + found

    def _results(self, node: gs.Node | None, choice: Choice, tensor: str) -> Results:
        """Yield each width, and the values of ``tensor``, or those of the outputs of ``node``, with it."""
        if node is None or choice.kind == ACTIVATION:
            exact = self._model.graph.tensors()[tensor]
            rounded = gs.Variable(f"{tensor}.rounded", exact.dtype, exact.shape)
            for width in choice.widths:
                plan = self._plan_with(ACTIVATION, width).tensors[tensor]
                quantizer = quantizer_node(detached(exact), rounded, rounded.name, plan)
                results = self._walk.run(quantizer, {tensor: self._told_of(tensor)}, again=True)
                yield width, {tensor: results[rounded.name]}
            return
        read = [each for each in node.inputs if not each.is_empty()]
        fed = {each.name: self._told_of(each.name) for each in read if not is_constant(each)}
        trained = {each.name: constant_value(each) for each in read if is_constant(each)}
        for width, values in self._constants_of(node, choice, tensor):
            yield width, self._walk.run(node, fed, trained | values, again=True)

    def _constants_of(self, node: gs.Node, choice: Choice, tensor: str) -> Results:
        """Yield each width, and what it makes of the constants of ``node``; weights are fitted to its outputs."""
        space = self._space
        view = LayerView.of(node, space.layer(choice.name).weight_shape) if choice.kind == WEIGHTS else None
        if view is None:
            for width in choice.widths:
                of = self._plan_with(choice.kind, width).tensors[tensor]
                yield width, {tensor: of.format.quantize(space.network.values[tensor], of.rounding, of.axis)}
            return
        layer = space.layer(choice.name)
        weights = space.network.values[layer.weight]
        rows = np.moveaxis(weights, layer.channel_axis, 0).reshape(weights.shape[layer.channel_axis], -1)
        schemes = [space.scheme_with({**space.widest(), choice.key: width}) for width in choice.widths]
        families = [scheme.at_layer(layer, space.network.layers).weight_family(rows) for scheme in schemes]
        fitted = fit_layer(self._walk, node, view, [Formats(family) for family in families])
        for width, each in zip(choice.widths, fitted, strict=True):
            yield width, each.values

    def _plan_with(self, kind: str, width: Width) -> Plan:
        """Return the plan in which all choices of a kind have that width, where they may: none looks at the others."""
        if (kind, width) not in self._plans:
            own = {
                choice.key: width for choice in self._space.choices if choice.kind == kind and width in choice.widths
            }
            self._plans[kind, width] = self._space.plan({**self._space.widest(), **own})
        return self._plans[kind, width]

    def _told_of(self, name: str) -> Batches:
        """Return the values of a tensor on the images that damage is measured on."""
        return self._walk.trained[name][self._told]

    def _tail(self, part: Sequence[gs.Node]) -> "_Tail":
        return _Tail(self._model, part, self._walk.constant)


class _Tail:
    """Some nodes up to the end of the network, to be run on what they read."""

    def __init__(self, model: Model, part: Sequence[gs.Node], constant: Callable[[Any], npt.NDArray[Any]]) -> None:
        """``constant`` gives the value of a constant."""
        self._model, self._part = model, part
        read = {tensor.name: tensor for node in part for tensor in node.inputs if not tensor.is_empty()}
        self._constants = {name: constant(tensor) for name, tensor in read.items() if is_constant(tensor)}
        self._output = model.graph.outputs[0].name
        made = {tensor.name for node in part for tensor in node.outputs}
        self._inputs = read.keys() - self._constants.keys() - made
        self._runner: Any = None

    def run(self, fed: Mapping[str, Batches]) -> Batches:
        """Return the network's first output for each batch."""
        if not self._part or self._output in fed:
            return fed[self._output]
        names = sorted(self._inputs & fed.keys())
        if self._runner is None:
            inputs = {name: fed[name][0] for name in names}
            opsets = {DOMAIN: DOMAIN_VERSION, **self._model.opsets}
            proto = part_model(self._part, inputs, [self._output], opsets, self._constants)
            self._runner = session(proto)
        count = len(fed[names[0]])
        return [self._runner.run([self._output], {name: fed[name][at] for name in names})[0] for at in range(count)]


def _places(model: Model, choices: Iterable[Choice]) -> dict[str, list[tuple[Choice, str]]]:
    """Return each choice and tensor by the name of the node where it is put in; "" is the input of the graph."""
    found: dict[str, list[tuple[Choice, str]]] = {}
    tensors = model.graph.tensors()
    for choice in choices:
        for name in choice.tensors:
            maker = producer(tensors[name]) if choice.kind == ACTIVATION else None
            at = choice.name if choice.kind != ACTIVATION else maker.name if maker is not None else ""
            found.setdefault(at, []).append((choice, name))
    return found


def _macs(node: gs.Node) -> int:
    if node.op not in WEIGHTED or not is_constant(node.inputs[1]):
        return 0
    return macs_of(node, tuple(node.inputs[1].shape)) or 0


def extended(measured: Mapping[Width, float], widths: Iterable[Width]) -> dict[Width, float]:
    """Return ``measured`` with the ``widths`` above it, options alike: a bit halves the error, quarters its square."""
    last: dict[tuple[tuple[str, str], ...], Width] = {}
    for width in sorted(measured, key=bits_of):
        last[options_of(width)] = width
    above = {}
    for width in widths:
        widest = last[options_of(width)]
        more = bits_of(width) - bits_of(widest)
        if more > 0:
            above[width] = measured[widest] / 4**more
    return {**measured, **above}
