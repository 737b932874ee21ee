"""Small models in the text form of ONNX, for tests and examples."""

import numpy as np
import numpy.typing as npt
import onnx
import onnx.parser

from qonnx_tools.errors import ModelError
from qonnx_tools.graph.infer import one_line


def parse(text: str, **values: npt.NDArray[np.generic]) -> onnx.ModelProto:
    """Parse a model in text form.

    A tensor that is declared among the initializers without a value gets the one in ``values``, or else float32
    values of a normal distribution, always the same for the same declarations.

    Raises:
        ModelError: the text does not parse; the message says where.
    """
    try:
        proto = onnx.parser.parse_model(text)
    except onnx.parser.ParseError as error:
        raise ModelError(f"the text is not a model: {one_line(error)}") from error
    generator = np.random.default_rng(0)
    computed = {name for node in proto.graph.node for name in node.output}
    inner = [value for value in proto.graph.value_info if value.name in computed]
    for value in proto.graph.value_info:
        if value.name not in computed:
            shape = [dim.dim_value for dim in value.type.tensor_type.shape.dim]
            array = values.get(value.name, generator.normal(size=shape).astype(np.float32))
            proto.graph.initializer.append(onnx.numpy_helper.from_array(np.asarray(array), value.name))
    del proto.graph.value_info[:]
    proto.graph.value_info.extend(inner)
    return proto
