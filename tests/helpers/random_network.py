"""Small random float networks, for tests that convert them.

All choices come from a ``random.Random``, which may be one of hypothesis's: it then shrinks the network.
"""

import random
from dataclasses import dataclass, field

import numpy as np
import onnx
from onnx import helper, numpy_helper

FUNCTIONS = ("Relu", "Relu", "Clip", "LeakyRelu", "Sigmoid", "HardSwish", "Tanh")


@dataclass
class _Builder:
    """A network in the making; ``x`` is the tensor that the next layer reads and ``shape`` its shape but the batch."""

    source: random.Random
    x: str
    shape: tuple[int, ...]
    nodes: list = field(default_factory=list)
    values: dict = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.numbers = np.random.default_rng(self.source.getrandbits(16))

    def constant(self, values, dtype=np.float32) -> str:
        name = f"c{len(self.values)}"
        self.values[name] = np.asarray(values, dtype)
        return name

    def node(self, op: str, inputs: list[str], **attributes) -> str:
        output = f"t{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, inputs, [output], f"n{len(self.nodes)}", **attributes))
        return output

    def chance(self, one_in: int) -> bool:
        return self.source.randrange(one_in) == 0

    def sizes(self, low: int, high: int, count: int) -> list[int]:
        return [self.source.randint(low, high) for _ in range(count)]


def random_network(source: random.Random) -> onnx.ModelProto:
    """A network of one to five parts: input ``x`` float [N, C, *S], N open or fixed, one output."""
    axes = source.choice((2, 2, 2, 1))
    shape = (source.randint(1, 4), *(source.randint(4, 9) for _ in range(axes)))
    net = _Builder(source, "x", shape)
    convolution(net)
    for _ in range(source.randint(0, 4)):
        source.choice(PARTS)(net)
    if source.randrange(3) == 0:
        classifier(net)
    batch = source.choice(("N", "N", 1, 2))
    graph = helper.make_graph(
        net.nodes,
        "random",
        [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [batch, *shape])],
        [helper.make_tensor_value_info(net.x, onnx.TensorProto.FLOAT, [batch, *net.shape])],
        [numpy_helper.from_array(value, name) for name, value in net.values.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    return model


def convolution(net: _Builder, *, same_shape: bool = False) -> None:
    """Conv, perhaps BatchNormalization, perhaps an activation function; of any form that fits."""
    channels, spatial = net.shape[0], net.shape[1:]
    groups = net.source.choice([group for group in (1, 1, 1, 2, 4, channels) if channels % group == 0])
    outer = channels if same_shape else groups * net.source.randint(1, 4)
    axes = len(spatial)
    if same_shape:
        kernel, strides, dilations = [net.source.choice((1, 3))] * axes, [1] * axes, [1] * axes
        pads = [kernel[0] // 2] * 2 * axes
    else:
        kernel, strides, dilations = net.sizes(1, 3, axes), net.sizes(1, 2, axes), net.sizes(1, 2, axes)
        pads = net.sizes(0, 2, 2 * axes) if net.chance(2) else [0] * 2 * axes
        for at in range(axes):
            if spatial[at] + pads[at] + pads[at + axes] < dilations[at] * (kernel[at] - 1) + 1:
                kernel[at] = 1
    weights = net.numbers.normal(0, 1, (outer, channels // groups, *kernel)) / np.sqrt(channels // groups * 2)
    weights *= 2.0 ** net.numbers.integers(-3, 2, (outer, 1, *[1] * axes))
    inputs = [net.x, net.constant(weights)]
    if net.chance(2):
        inputs.append(net.constant(net.numbers.normal(0, 0.5, outer)))
    window = {"kernel_shape": kernel, "strides": strides, "dilations": dilations, "pads": pads, "group": groups}
    net.x = net.node("Conv", inputs, **window)
    padded = [size + pads[at] + pads[at + axes] for at, size in enumerate(spatial)]
    reach = [dilations[at] * (kernel[at] - 1) + 1 for at in range(axes)]
    net.shape = (outer, *((padded[at] - reach[at]) // strides[at] + 1 for at in range(axes)))
    if net.chance(2):
        batch_norm(net)
    if not same_shape and net.chance(2):
        function(net)


def batch_norm(net: _Builder) -> None:
    """BatchNormalization of any statistics, a gamma of zero and negative ones among them."""
    channels = net.shape[0]
    gamma = net.numbers.normal(0.8, 0.8, channels) * (net.numbers.random(channels) > 0.05)
    parameters = (gamma, *net.numbers.normal(0, 0.5, (2, channels)), net.numbers.uniform(0.2, 2, channels))
    net.x = net.node("BatchNormalization", [net.x, *map(net.constant, parameters)])


def function(net: _Builder) -> None:
    """An activation function."""
    op = net.source.choice(FUNCTIONS)
    bounds = [net.constant(0.0), net.constant(net.source.choice((1.0, 1.5, 6.0)))] if op == "Clip" else []
    net.x = net.node(op, [net.x, *bounds], **({"alpha": 0.1} if op == "LeakyRelu" else {}))


def residual(net: _Builder) -> None:
    """Add what a convolution makes, or join it in another way, perhaps with a function behind."""
    before = net.x
    convolution(net, same_shape=True)
    op = net.source.choice(("Add", "Add", "Add", "Sub", "Max", "Min", "Sum", "Mean"))
    net.x = net.node(op, [net.x, before] if net.chance(2) else [before, net.x])
    if net.chance(2):
        function(net)


def transposed(net: _Builder) -> None:
    """ConvTranspose of any form that fits."""
    channels, spatial = net.shape[0], net.shape[1:]
    axes = len(spatial)
    groups = net.source.choice([group for group in (1, 1, 2, channels) if channels % group == 0])
    made = net.source.randint(1, 3)
    kernel, strides, dilations = net.sizes(1, 3, axes), net.sizes(1, 2, axes), net.sizes(1, 2, axes)
    pads = [net.source.randint(0, (kernel[at % axes] - 1) // 2) for at in range(2 * axes)]
    more = [net.source.randint(0, stride - 1) for stride in strides]
    weights = net.numbers.normal(0, 1, (channels, made, *kernel)) / np.sqrt(channels // groups * 2)
    window = {"kernel_shape": kernel, "strides": strides, "dilations": dilations, "pads": pads}
    inputs = [net.x, net.constant(weights)]
    net.x = net.node("ConvTranspose", inputs, group=groups, output_padding=more, **window)
    out = (
        (size - 1) * strides[at] + dilations[at] * (kernel[at] - 1) + 1 + more[at] - pads[at] - pads[at + axes]
        for at, size in enumerate(spatial)
    )
    net.shape = (made * groups, *out)


def gate(net: _Builder) -> None:
    """x * sigmoid(x)."""
    net.x = net.node("Mul", [net.x, net.node("Sigmoid", [net.x])])


def branches(net: _Builder) -> None:
    """Concat of what was there and of what a convolution makes of it."""
    before, channels = net.x, net.shape[0]
    convolution(net, same_shape=True)
    net.x = net.node("Concat", [before, net.x], axis=1)
    net.shape = (channels + net.shape[0], *net.shape[1:])


def pool(net: _Builder) -> None:
    """MaxPool or AveragePool of any window that fits, or of the whole map.

    No MaxPool reads a Pad: onnxruntime, up to 1.31, fuses the two as if what is padded were no zeros.
    """
    spatial = net.shape[1:]
    if net.chance(4):
        net.x = net.node("GlobalAveragePool", [net.x])
        net.shape = (net.shape[0], *[1] * len(spatial))
        return
    kernel = [min(size, chosen) for size, chosen in zip(spatial, net.sizes(1, 3, len(spatial)), strict=True)]
    strides = net.sizes(1, 2, len(spatial))
    most = min(kernel) - 1
    pads = net.sizes(0, min(1, most), 2 * len(spatial))
    attributes = {"kernel_shape": kernel, "strides": strides, "pads": pads}
    if net.nodes[-1].op_type != "Pad" and net.chance(2):
        net.x = net.node("MaxPool", [net.x], **attributes)
    else:
        net.x = net.node("AveragePool", [net.x], count_include_pad=1, **attributes)
    out = [
        (size + pads[at] + pads[at + len(spatial)] - kernel[at]) // strides[at] + 1 for at, size in enumerate(spatial)
    ]
    net.shape = (net.shape[0], *out)


def move(net: _Builder) -> None:
    """Slice, Pad, Transpose, Reshape or Resize."""
    channels, spatial = net.shape[0], net.shape[1:]
    what = net.source.choice(("Slice", "Pad", "Transpose", "Reshape", "Resize"))
    if what == "Slice":
        step = net.source.randint(1, 2)
        bounds = [net.constant([value], np.int64) for value in (0, spatial[-1], len(spatial) + 1, step)]
        net.x = net.node("Slice", [net.x, *bounds])
        net.shape = (channels, *spatial[:-1], (spatial[-1] - 1) // step + 1)
    elif what == "Pad":
        pads = [[0, side, *[0] * (len(spatial) - 1), end] for side, end in (net.sizes(0, 2, 2), net.sizes(0, 2, 2))]
        net.x = net.node("Pad", [net.x, net.constant(np.ravel(pads), np.int64)])
        more = np.sum(pads, axis=0)[1:]
        net.shape = tuple(int(size + extra) for size, extra in zip(net.shape, more, strict=True))
    elif what == "Resize":
        scales = net.constant([1, 1, *[2] * len(spatial)])
        modes = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
        net.x = net.node("Resize", [net.x, "", scales], **modes)
        net.shape = (channels, *(2 * size for size in spatial))
    elif what == "Reshape":
        net.x = net.node("Reshape", [net.x, net.constant([0, channels, int(np.prod(spatial))], np.int64)])
        net.shape = (channels, int(np.prod(spatial)))
    else:
        net.x = net.node("Transpose", [net.x], perm=[0, 1, *range(len(spatial) + 1, 1, -1)])
        net.shape = (channels, *spatial[::-1])


def classifier(net: _Builder) -> None:
    """Flatten and Gemm, perhaps with a hidden layer."""
    net.x = net.node("Flatten", [net.x])
    net.shape = (int(np.prod(net.shape)),)
    for hidden in range(net.source.randint(1, 2)):
        if hidden:
            function(net)
        transposed, made = net.source.randrange(2), net.source.randint(1, 9)
        weights = net.numbers.normal(0, 1, (net.shape[0], made)) / np.sqrt(net.shape[0])
        inputs = [net.x, net.constant(weights.T if transposed else weights)]
        if net.chance(3) and not transposed:
            net.x = net.node("MatMul", inputs)
        else:
            inputs += [net.constant(net.numbers.normal(0, 0.5, made))] if net.chance(2) else []
            net.x = net.node("Gemm", inputs, transB=transposed)
        net.shape = (made,)


PARTS = (
    *(convolution, convolution, residual, residual, branches, pool, pool),
    *(move, gate, function, batch_norm, transposed),
)


def random_images(network: onnx.ModelProto, source: random.Random, fewest: int = 0) -> dict[str, np.ndarray]:
    """What to feed a network: up to three images, or as many as it fixes."""
    (entry,) = network.graph.input
    batch, *shape = (dimension.dim_value for dimension in entry.type.tensor_type.shape.dim)
    if any(node.op_type == "ConvTranspose" for node in network.graph.node):
        fewest = 1  # lowered with a Reshape to -1, which onnxruntime refuses of nothing
    count = batch or source.choice((1, 1, 2, 3, fewest))
    return {"x": np.random.default_rng(source.getrandbits(16)).normal(size=(count, *shape)).astype(np.float32)}


def random_options(source: random.Random, scheme: str) -> dict:
    """Options of a conversion: widths, treatment of batch normalization, sharing, rounding."""
    roundings = ("half_even", "half_up", "half_away", "floor", "ceil", "toward_zero")
    options = {
        "scheme": scheme,
        "weight_bits": source.randint(1, 16) if scheme == "fixed" else source.randint(2, 6),
        "activation_bits": source.choice((8, 8, source.randint(1, 16))),
        "batch_norm": source.choice(("fold", "merge", "separate")),
        "batch_norm_bits": source.choice((16, source.randint(2, 20))),
        "granularity": source.choice(("channel", "channel", "layer", "class", "network")),
        "rounding": source.choice((roundings[0], source.choice(roundings))),
    }
    if scheme == "log":
        options["log_scale"] = source.choice(("any", "power-of-two"))
        options["first_last"] = source.choice(("log", "fixed8"))
    return options
