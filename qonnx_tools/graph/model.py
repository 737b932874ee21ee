"""A model in memory: the editable graph and everything around it."""

from dataclasses import dataclass, field

import onnx

from qonnx_tools.graph.carry import Carried
from qonnx_tools.graph.surgeon import gs


@dataclass
class Model:
    """An ONNX model as passes edit it.

    Attributes:
        graph: nodes and tensors. Every node has a unique name, every initializer is loaded.
        opsets: version by domain; the default domain is "".
        metadata: the model's metadata properties.
        functions: local functions by (domain, name), as in the file; those of the op table are written anew on save.
        carried: what else the file says, by name.
    """

    graph: gs.Graph
    opsets: dict[str, int] = field(default_factory=dict)
    metadata: dict[str, str] = field(default_factory=dict)
    functions: dict[tuple[str, str], onnx.FunctionProto] = field(default_factory=dict)
    carried: Carried = field(default_factory=Carried)

    @property
    def opset(self) -> int:
        """The version of the default domain."""
        return self.opsets[""]
