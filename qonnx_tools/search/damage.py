"""What each width does to the outputs of a network, alone: measured on unlabelled images, one pass over the graph.

The network is computed node by node, activations and weights as wide as the search allows. Where a choice belongs,
each of its widths is put in, and what follows is run to the end: the nodes before it are never run again. Damage is the
mean Kullback-Leibler divergence of the class probabilities from those of the float model, less what the widest choice
leaves; for a network that is no classifier, noise over signal of its outputs.
"""

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from qonnx_tools.graph import Model, from_proto, gs, is_constant, nodes, part_model, to_proto
from qonnx_tools.ops import DOMAIN, DOMAIN_VERSION
from qonnx_tools.passes.insert_quantizers import InsertQuantizers
from qonnx_tools.pipeline import run_passes
from qonnx_tools.plan import Plan, Role
from qonnx_tools.quantizers import quantizer_node
from qonnx_tools.reconstruction.layer_view import LayerView
from qonnx_tools.reconstruction.layerwise import Choice as Formats
from qonnx_tools.reconstruction.layerwise import fit_layer
from qonnx_tools.reconstruction.walk import Batches, Walk, detached
from qonnx_tools.runtime import run, session
from qonnx_tools.search.space import ACTIVATION, WEIGHTS, Choice, Space

Floats = npt.NDArray[np.float32]
Damage = dict[int, float]
"""By width."""


@dataclass(frozen=True)
class DamageContext:
    """What measuring needs: the space, and images, one array a batch."""

    space: Space
    images: tuple[Floats, ...]


def damages(context: DamageContext, keys: Iterable[str]) -> Iterator[tuple[str, Damage]]:
    """Yield the key and the damages of each of these choices, in graph order, in one pass."""
    yield from _Pass(context.space, context.images).run(set(keys))


def measure_damage(context: DamageContext, keys: tuple[str, ...]) -> dict[str, Damage]:
    """Return what :func:`damages` yields."""
    return dict(damages(context, keys))


class _Pass:
    """One pass over the graph."""

    def __init__(self, space: Space, images: Sequence[Floats]) -> None:
        self._space = space
        self._plan = space.plan(space.widest())
        self._model = from_proto(to_proto(space.model))
        run_passes(self._model, [InsertQuantizers(_activations(self._plan))])
        self._walk = Walk(self._model, images, _constants(space, self._plan))
        self._of_node = _by_node(space)
        self._plans: dict[tuple[str, int], Plan] = {}
        self._reference: Batches = []
        self._base = 0.0

    def run(self, keys: set[str]) -> Iterator[tuple[str, Damage]]:
        self._set_reference()
        for node in self._walk:
            for choice in self._of_node.get(node.name, ()):
                if choice.key in keys:
                    yield choice.key, self._damage_of(node, choice)

    def _set_reference(self) -> None:
        """Run the network as trained and with the widest choices to the end."""
        entry = self._model.graph.inputs[0].name
        images, trained = self._walk.trained[entry], session(self._space.model)
        self._reference = [run(trained, batch)[0] for batch in images]
        whole = self._tail(list(nodes(self._model.graph)))
        self._base = _divergence(self._reference, whole.run({entry: images}))

    def _damage_of(self, node: gs.Node, choice: Choice) -> Damage:
        order = list(nodes(self._model.graph))
        behind = order[order.index(node) + 1 :]
        needed = {tensor.name for each in behind for tensor in each.inputs} | {
            tensor.name for tensor in self._model.graph.outputs
        }
        live = {name: values for name, values in self._walk.quantized.items() if name in needed}
        tail = self._tail(behind)
        found = {}
        for width, results in self._results(node, choice):
            divergence = _divergence(self._reference, tail.run({**live, **results}))
            found[width] = max(0.0, divergence - self._base)
        return found

    def _results(self, node: gs.Node, choice: Choice) -> Iterator[tuple[int, dict[str, Batches]]]:
        """Yield each width, and the outputs of ``node`` with it."""
        fed = {
            tensor.name: self._walk.quantized[tensor.name]
            for tensor in node.inputs
            if not tensor.is_empty() and not is_constant(tensor)
        }
        if choice.kind == ACTIVATION:
            for width in choice.widths:
                plan = self._plan_with(ACTIVATION, width).tensors[node.inputs[0].name]
                other = quantizer_node(detached(node.inputs[0]), detached(node.outputs[0]), node.name, plan)
                yield width, self._walk.run(other, fed)
            return
        for width, values in self._constants_of(node, choice):
            replaced = {tensor.name: self._walk.constant(tensor) for tensor in node.inputs if is_constant(tensor)}
            yield width, self._walk.run(node, fed, replaced | values)

    def _constants_of(self, node: gs.Node, choice: Choice) -> Iterator[tuple[int, dict[str, Any]]]:
        """Yield each width, and what it makes of the constants of a layer."""
        space = self._space
        layer = space.layer(choice.name)
        view = LayerView.of(node, layer.weight_shape) if choice.kind == WEIGHTS else None
        if view is None:
            for width in choice.widths:
                plan = self._plan_with(choice.kind, width)
                yield width, {name: _rounded(space, plan, name) for name in choice.tensors}
            return
        weights = space.network.values[layer.weight]
        rows = np.moveaxis(weights, layer.channel_axis, 0).reshape(weights.shape[layer.channel_axis], -1)
        schemes = [space.scheme_with({**space.widest(), choice.key: width}) for width in choice.widths]
        families = [scheme.at_layer(layer, space.network.layers).weight_family(rows) for scheme in schemes]
        fitted = fit_layer(self._walk, node, view, [Formats(family) for family in families])
        for width, each in zip(choice.widths, fitted, strict=True):
            yield width, each.values

    def _plan_with(self, kind: str, width: int) -> Plan:
        """Return the plan in which all choices of a kind have that width, where they may: none looks at the others."""
        if (kind, width) not in self._plans:
            own = {
                choice.key: width for choice in self._space.choices if choice.kind == kind and width in choice.widths
            }
            self._plans[kind, width] = self._space.plan({**self._space.widest(), **own})
        return self._plans[kind, width]

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


def _by_node(space: Space) -> dict[str, list[Choice]]:
    """Return the choices by the name of the node where they are put in: a layer, or a quantizer."""
    found: dict[str, list[Choice]] = {}
    for choice in space.choices:
        at = f"{choice.name}.quantizer" if choice.kind == ACTIVATION else choice.name
        found.setdefault(at, []).append(choice)
    return found


def _activations(plan: Plan) -> Plan:
    chosen = {name: tensor for name, tensor in plan.tensors.items() if tensor.role is Role.ACTIVATION}
    return dataclasses.replace(plan, tensors=chosen)


def _constants(space: Space, plan: Plan) -> dict[str, npt.NDArray[Any]]:
    return {name: _rounded(space, plan, name) for name in space.network.values if name in plan.tensors}


def _rounded(space: Space, plan: Plan, name: str) -> npt.NDArray[Any]:
    of = plan.tensors[name]
    return np.asarray(of.format.quantize(space.network.values[name], of.rounding, of.axis))


def _divergence(reference: Batches, found: Batches) -> float:
    """Return the mean divergence of class probabilities; noise over signal of what are no logits ``[n, classes]``."""
    one, other = np.concatenate(reference).astype(np.float64), np.concatenate(found).astype(np.float64)
    if one.ndim != 2:
        power = float(np.square(one).sum())
        return float(np.square(one - other).sum()) / power if power else 0.0
    from scipy.special import log_softmax  # noqa: PLC0415  # slow to import

    expected, given = log_softmax(one, axis=1), log_softmax(other, axis=1)
    return float((np.exp(expected) * (expected - given)).sum(axis=1).mean())
