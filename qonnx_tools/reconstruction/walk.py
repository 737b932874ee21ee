"""A network computed node by node on calibration images, as trained and as quantized so far, side by side."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import onnx

from qonnx_tools.graph import Model, constant_value, gs, is_constant, node_model, nodes
from qonnx_tools.ops import DOMAIN, DOMAIN_VERSION
from qonnx_tools.plan import TensorPlan
from qonnx_tools.quantizers import quantizer_node, quantizer_of
from qonnx_tools.runtime import session
from qonnx_tools.topology import WEIGHTED

if TYPE_CHECKING:
    import onnxruntime as ort

Batches = list[npt.NDArray[Any]]
"""A tensor, one array a batch of images."""
Results = dict[str, Batches]
Constants = Mapping[str, npt.NDArray[Any]]


class Walk:
    """The tensors of a graph on some images, computed in topological order and dropped behind their last reader.

    The graph has quantizers of activations, and none of constants. ``trained`` are the values that it computes
    without them, ``quantized`` those with them and with the constants that are ``replaced``, both by tensor name.
    """

    def __init__(self, model: Model, images: Sequence[npt.NDArray[np.float32]], replaced: Constants) -> None:
        """Start from ``images``, one array a batch, with other values for some constants in the quantized network."""
        entry = model.graph.inputs[0].name
        self.trained: Results = {entry: list(images)}
        self.quantized: Results = {entry: list(images)}
        self._model = model
        self._replaced = dict(replaced)
        self._sessions: dict[bytes, ort.InferenceSession] = {}
        self._unread = Counter(tensor.name for node in model.graph.nodes for tensor in node.inputs)

    def __iter__(self) -> Iterator[gs.Node]:
        """Yield each node between its trained and its quantized outputs, which see what is replaced by then."""
        for node in nodes(self._model.graph):
            if quantizer_of(node) is not None:
                self.trained[node.outputs[0].name] = self.trained[node.inputs[0].name]
            else:
                self._compute(node, self.trained, {})
            yield node
            self._compute(node, self.quantized, self._replaced)
            self._drop(node)

    def replace(self, constants: Constants) -> None:
        """Give the quantized network other values of constants from now on."""
        self._replaced.update(constants)

    def requantize(self, quantizer: gs.Node, plan: TensorPlan) -> None:
        """Give ``quantizer`` another format of the same kind, from now on."""
        other = quantizer_node(detached(quantizer.inputs[0]), detached(quantizer.outputs[0]), quantizer.name, plan)
        quantizer.attrs = other.attrs
        quantizer.inputs[1].values = other.inputs[1].values

    def constant(self, tensor: Any) -> npt.NDArray[Any]:
        """Return a constant as the quantized network has it."""
        return np.asarray(self._replaced.get(tensor.name, constant_value(tensor)))

    def run(
        self,
        node: gs.Node,
        fed: Mapping[str, Batches],
        replaced: Constants = MappingProxyType({}),
        *,
        again: bool = False,
    ) -> Results:
        """Return the outputs of ``node`` for the inputs ``fed`` by tensor name; the others are its constants.

        ``again`` says that the same node is run with several constants: then its session is kept until the walk goes
        on. That is quicker than another one each time, but for many images, as onnxruntime cannot pack the constants.
        """
        constants = {
            tensor.name: np.asarray(replaced.get(tensor.name, constant_value(tensor)))
            for tensor in _given(node)
            if is_constant(tensor)
        }
        values = {**fed, **{name: [value] for name, value in constants.items()}} if again else fed
        opsets = {DOMAIN: DOMAIN_VERSION, **self._model.opsets}
        examples = {name: batches[0] for name, batches in values.items()}
        runner = self._session(node_model(node, examples, opsets, {} if again else constants), again=again)
        outputs = [output.name for output in runner.get_outputs()]
        count = len(next(iter(fed.values()), [None]))
        runs = [
            runner.run(outputs, {name: batches[at if name in fed else 0] for name, batches in values.items()})
            for at in range(count)
        ]
        return {name: [run[at] for run in runs] for at, name in enumerate(outputs)}

    def _session(self, model: onnx.ModelProto, *, again: bool) -> "ort.InferenceSession":
        if not again:
            return session(model)
        key = model.SerializeToString()
        if key not in self._sessions:
            self._sessions[key] = session(model)
        return self._sessions[key]

    def _compute(self, node: gs.Node, known: Results, replaced: Constants) -> None:
        fed = {tensor.name: known[tensor.name] for tensor in _given(node) if not is_constant(tensor)}
        known.update(self.run(node, fed, replaced, again=node.op not in WEIGHTED))

    def _drop(self, node: gs.Node) -> None:
        self._sessions.clear()
        for tensor in node.inputs:
            self._unread[tensor.name] -= 1
            if not self._unread[tensor.name]:
                self.trained.pop(tensor.name, None)
                self.quantized.pop(tensor.name, None)


def detached(tensor: gs.Variable) -> gs.Variable:
    """Return a tensor of the same name that is in no graph, for a node to be run alone."""
    return gs.Variable(tensor.name, tensor.dtype, tensor.shape)


def _given(node: gs.Node) -> list[Any]:
    return [tensor for tensor in node.inputs if not tensor.is_empty()]
