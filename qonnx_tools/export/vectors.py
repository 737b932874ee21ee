"""Golden vectors: what every tensor of a native graph is for some images, computed by onnxruntime with the kernels."""

import os
from typing import Any

import numpy as np
import numpy.typing as npt

from qonnx_tools.contents import Contents
from qonnx_tools.data import Preprocessing, open_data
from qonnx_tools.errors import DataError, ModelError
from qonnx_tools.graph import Model, consumers
from qonnx_tools.runtime import run, session

SEED = 0


def images(
    model: Model,
    contents: Contents,
    count: int,
    data: str | os.PathLike[str] | None,
    preprocessing: Preprocessing | None,
) -> npt.NDArray[np.float32]:
    """Return ``count`` inputs: the first of ``data``, or values of random codes of the format that the input has.

    Raises:
        ModelError: the model has more than one input.
        DataError: there are fewer images, or they do not fit; without data, the input has no known shape.
    """
    if len(model.graph.inputs) != 1:
        raise ModelError(f"the model has {len(model.graph.inputs)} inputs; vectors need a model with one")
    (tensor,) = model.graph.inputs
    if data is not None:
        dataset = open_data(os.fspath(data), preprocessing, tensor.shape, seed=None)
        found = [batch.images for batch in dataset.batches(count, limit=count)]
        if sum(map(len, found)) < count:
            raise DataError(f"{dataset.description} has {sum(map(len, found))} images; --vectors asks for {count}")
        return np.concatenate(found)[:count]
    shape = tuple(tensor.shape or ())[1:]
    if not shape or not all(isinstance(size, int) for size in shape):
        raise DataError(f"input '{tensor.name}' has shape {list(tensor.shape or ())}: give --data")
    random = np.random.default_rng(SEED)
    made = [contents.origins[node.name].makes for node in consumers(tensor) if node.name in contents.origins]
    if made and made[0] is not None:
        low, high = made[0].code_range
        return np.asarray(made[0].decode(random.integers(low, high + 1, (count, *shape))), np.float32)
    return random.uniform(-1, 1, (count, *shape)).astype(np.float32)


def values(
    model: Model, names: list[str], inputs: npt.NDArray[np.float32], threads: int | None = None
) -> dict[str, npt.NDArray[Any]]:
    """Return tensors for each of ``inputs``, by name: ``[n, *shape]``, the shape being that with a batch of one."""
    runner = session(model, threads=threads, optimize=False, outputs=names)
    entry = runner.get_inputs()[0].name
    wanted = [name for name in names if name != entry]
    found = {entry: inputs[:, None]}
    rows = [run(runner, inputs[at : at + 1], wanted) for at in range(len(inputs))]
    return found | {name: np.stack([row[at] for row in rows]) for at, name in enumerate(wanted)}
