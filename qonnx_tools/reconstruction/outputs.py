"""A plan whose weights are fitted to the outputs of their layers, from one whose weights are rounded to nearest."""

import dataclasses
import math
from collections import Counter
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from qonnx_tools.data import Dataset
from qonnx_tools.fitted import Fitted
from qonnx_tools.graph import Model, from_proto, nodes, to_proto
from qonnx_tools.passes.insert_quantizers import InsertQuantizers
from qonnx_tools.pipeline import run_passes
from qonnx_tools.plan import Plan, Role, TensorPlan
from qonnx_tools.reconstruction.layer_view import SUPPORTED
from qonnx_tools.reconstruction.layerwise import Choice, Progress, reconstruct
from qonnx_tools.schemes._sharing import SHARING
from qonnx_tools.schemes.base import Scheme
from qonnx_tools.schemes.family import Family
from qonnx_tools.schemes.network import Network
from qonnx_tools.topology import Layer

IMAGES_A_RUN = 16
LIVE_BYTES = 3 << 30
"""Memory for the activations that are held at once: it bounds the images."""


def fit_to_outputs(
    model: Model,
    network: Network,
    plan: Plan,
    scheme: Scheme,
    data: Dataset,
    limit: int,
    progress: Progress | None = None,
) -> Plan:
    """Return ``plan`` with weights, biases and formats fitted to the outputs of the layers of ``model``.

    Args:
        model: the canonical graph that the plan is for; it stays as it is.
        network: the same as the scheme saw it.
        plan: what the scheme proposed.
        scheme: says which layers are fitted, and from which formats.
        data: calibration images.
        limit: how many of them at most; fewer are used where more would not fit into memory.
        progress: called with (done, total) layers.
    """
    chosen = _choices(network, plan, scheme)
    if not chosen:
        return plan
    size = model.graph.inputs[0].shape[0]
    batch = size if isinstance(size, int) else IMAGES_A_RUN
    images = min(data.count(limit), max(batch, _images_that_fit(model)))
    batches = [each.images for each in data.batches(batch, limit=images) if len(each.images) == batch or size != batch]
    quantized = from_proto(to_proto(model))
    activations = {name: of for name, of in plan.tensors.items() if of.role is Role.ACTIVATION}
    run_passes(quantized, [InsertQuantizers(dataclasses.replace(plan, tensors=activations))])
    formats = _activation_choices(network, scheme)
    fitted_weights = {layer.weight for layer in network.layers if layer.node in chosen}
    found = reconstruct(quantized, batches, chosen, _quantized(network, plan, fitted_weights), progress, formats)
    axes = {layer.weight: layer.channel_axis for layer in network.layers}
    given = found.activations | {
        name: TensorPlan(Role.WEIGHT, of, plan.tensors[name].rounding, None if of.channels is None else axes[name])
        for name, of in found.formats.items()
    }
    fitted = dataclasses.replace(network, values={**network.values, **found.values}, given=given)
    return dataclasses.replace(scheme.propose(fitted), fitted=Fitted(found.values))


def _choices(network: Network, plan: Plan, scheme: Scheme) -> dict[str, Choice]:
    found = {}
    for layer in network.layers:
        local = scheme.at_layer(layer, network.layers)
        if local.fits_outputs and layer.op in SUPPORTED:
            found[layer.node] = _choice(layer, network, plan, local)
    return found


def _activation_choices(network: Network, scheme: Scheme) -> dict[str, Sequence[TensorPlan]]:
    """Return the formats to choose from for each activation that has one of its own."""
    found: dict[str, Sequence[TensorPlan]] = {}
    for name, histogram in network.histograms.items():
        local = scheme.at_activation(name, network)
        if local.fits_outputs and local.granularity not in SHARING and network.wire(name) == (name,):
            found[name] = local.activation_formats(histogram)
    return found


def _choice(layer: Layer, network: Network, plan: Plan, local: Scheme) -> Choice:
    """Return the formats to choose from: those of the scheme, or the one of the plan where tensors share theirs."""
    weights = network.values[layer.weight]
    channels = weights.shape[layer.channel_axis]
    rows = np.moveaxis(weights, layer.channel_axis, 0).reshape(channels, -1)
    if local.granularity == "channel":
        return Choice(local.weight_family(rows))
    if local.granularity == "layer":
        whole = local.weight_family(rows.reshape(1, -1))
        return Choice(Family(np.repeat(whole.parameters, channels, axis=1), whole.format_of), shared=True)
    shared = plan.tensors[layer.weight].format
    return Choice(Family(np.zeros((1, channels)), lambda _: shared), shared=True)


def _quantized(network: Network, plan: Plan, without: Collection[str]) -> dict[str, npt.NDArray[Any]]:
    """Return the constants of the network in the formats of the plan, but for those ``without``."""
    found = {}
    for name, value in network.values.items():
        of = plan.tensors.get(name)
        if of is not None and name not in without:
            found[name] = of.format.quantize(value, of.rounding, of.axis)
    return found


def _images_that_fit(model: Model) -> int:
    """Return how many images' activations, trained and quantized, fit into LIVE_BYTES where most are alive at once."""
    unread = Counter(tensor.name for node in model.graph.nodes for tensor in node.inputs)
    alive = {tensor.name: _bytes(tensor) for tensor in model.graph.inputs}
    most = 1
    for node in nodes(model.graph):
        alive |= {tensor.name: _bytes(tensor) for tensor in node.outputs}
        most = max(most, sum(alive.values()))
        for tensor in node.inputs:
            unread[tensor.name] -= 1
            if not unread[tensor.name]:
                alive.pop(tensor.name, None)
    return LIVE_BYTES // (2 * most)


def _bytes(tensor: Any) -> int:
    return 4 * math.prod(size for size in (tensor.shape or ())[1:] if isinstance(size, int))
