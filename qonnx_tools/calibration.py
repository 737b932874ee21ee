"""What the activations look like: one histogram a tensor, filled batch by batch."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import onnx

from qonnx_tools.data import Dataset
from qonnx_tools.errors import DataError
from qonnx_tools.graph import Model
from qonnx_tools.histogram import Histogram
from qonnx_tools.runtime import run, session

FLOATS_A_RUN = 1 << 22
"""Activations fetched from one run, about: enough images to keep the kernels busy, and memory stays small."""
MAX_BATCH = 64

Progress = Callable[[int, int], None]
"""Called with (done, total) images."""
Images = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Calibration:
    """Histograms by tensor name, in graph order, and where they come from in words.

    ``images`` counts real images: 0 for synthetic ones.
    """

    histograms: Mapping[str, Histogram]
    source: str
    images: int


def calibrate(
    model: Model, tensors: Sequence[str], data: Dataset, limit: int | None = None, progress: Progress | None = None
) -> Calibration:
    """Run ``model`` on up to ``limit`` images of ``data`` and count the values of ``tensors``.

    Only the histograms are kept, never the activations of more than one batch.
    Raises ``DataError`` where there are no images, or they drive a tensor to NaN or infinity.
    """
    total = data.count(limit)
    batches = (batch.images for batch in data.batches(batch_size(model, tensors), limit=total))
    histograms: dict[str, Histogram] = {}
    done = 0
    for images, counted in _counted(model, model.graph.inputs[0].name, tensors, batches):
        histograms = {name: histograms[name].merge(new) if done else new for name, new in counted.items()}
        done += len(images)
        if progress:
            progress(done, total)
    if not done:
        raise DataError(f"{data.description}: there are no images to calibrate on")
    return Calibration(histograms, f"{done} of {data.description}", done)


def count_values(
    model: Model | onnx.ModelProto, input_name: str, tensors: Sequence[str], images: Images
) -> Mapping[str, Histogram]:
    """Return the histograms of ``tensors`` for one run of ``model`` on ``images``."""
    return next(_counted(model, input_name, tensors, [images]))[1]


def batch_size(model: Model, tensors: Sequence[str]) -> int:
    """Return how many images to run at once: what the model fixes, else what keeps ``tensors`` small."""
    fixed = model.graph.inputs[0].shape[0]
    return fixed if isinstance(fixed, int) else images_a_run(model, tensors)


def images_a_run(model: Model, tensors: Sequence[str]) -> int:
    """Return how many images to run at once to keep the activations of ``tensors`` small."""
    known = model.graph.tensors()
    shapes = [known[name].shape or () for name in tensors]
    floats = sum(math.prod(size for size in shape[1:] if isinstance(size, int)) for shape in shapes)
    return max(1, min(MAX_BATCH, FLOATS_A_RUN // max(floats, 1)))


def _counted(
    model: Model | onnx.ModelProto, input_name: str, tensors: Sequence[str], batches: Iterable[Images]
) -> Iterator[tuple[Images, dict[str, Histogram]]]:
    fetched = [name for name in tensors if name != input_name]
    runner = session(model, outputs=fetched)
    for images in batches:
        values = dict(zip(fetched, run(runner, images, fetched) if fetched else [], strict=True))
        values[input_name] = images
        counted = {}
        for name in tensors:
            if not np.isfinite(values[name]).all():
                raise DataError(f"tensor '{name}' is not finite on the calibration images; check their preprocessing")
            counted[name] = Histogram.of(values[name])
        yield images, counted
