"""Whether two graphs compute the same numbers, and where they part."""

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx

from qonnx_tools.comparable import Carrier, Key, comparable
from qonnx_tools.data import Dataset, Preprocessing, open_data
from qonnx_tools.errors import DataError, ModelError
from qonnx_tools.graph import Model, from_proto, load
from qonnx_tools.runtime import run, session

BATCH = 16
Array = npt.NDArray[Any]
ModelSource = str | os.PathLike[str] | onnx.ModelProto | Model
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Parting:
    """The first number that two graphs compute differently.

    ``tensor`` is what it is called in the trained model (with ``quantized``: after its quantizer), ``names`` what the
    two graphs call it, ``element`` its index in that tensor for one image, ``image`` the number of that image.
    ``intermediate`` tells that it is no output of the graphs; ``optimized`` whether onnxruntime optimized them.
    """

    tensor: str
    quantized: bool
    names: tuple[str, str]
    image: int
    element: tuple[int, ...]
    values: tuple[float, float]
    different: int
    elements: int
    intermediate: bool
    optimized: bool


@dataclass(frozen=True)
class Verification:
    """The result of :func:`verify` on ``images`` images of ``data``; ``parting`` is None where all are equal.

    ``different`` counts the images whose outputs differ, ``largest`` is the largest difference of an output.
    """

    images: int
    data: str
    outputs: tuple[str, ...]
    different: int
    largest: float
    parting: Parting | None

    @property
    def equal(self) -> bool:
        return self.parting is None


def verify(
    model: ModelSource,
    other: ModelSource,
    data: Dataset | str | os.PathLike[str],
    *,
    limit: int | None = None,
    preprocessing: Preprocessing | None = None,
    threads: int | None = None,
    progress: Progress | None = None,
) -> Verification:
    """Compare the outputs of two graphs on every image: number by number, with onnxruntime's optimizations and without.

    Where they differ, the first image that shows it is run again, and the first tensor in the order of ``model`` that
    both graphs have is named that differs. Equal is what is the same number: 0 and -0 are, NaN and NaN too.

    Args:
        model: a graph with one float input.
        other: the graph to compare with, of the same input and outputs; outputs are matched in order.
        data: images; labels are not read.
        limit: the number of images to use at most.
        preprocessing: what turns pixels into the model's input.
        threads: threads that onnxruntime may use; None for all cores.
        progress: called with (done, total) images.

    Raises:
        DataError: there are no images, or they do not fit.
        ModelError: a graph cannot be read or run, or the two have other outputs.
    """
    pair = _Pair(_Graph(model, "A"), _Graph(other, "B"), threads)
    first = pair.sides[0]
    dataset = data if isinstance(data, Dataset) else open_data(os.fspath(data), preprocessing, first.shape)
    total, done = dataset.count(limit), 0
    places: set[int] = set()
    found: _Place | None = None
    for batch in dataset.batches(first.batch, limit=total):
        for optimized in (True, False):
            for at in pair.differences(batch.images, optimized=optimized):
                places.add(done + at)
                if found is None:
                    found = _Place(batch.images[at : at + 1], done + at, optimized)
        done += len(batch.images)
        if progress:
            progress(done, total)
    if not done:
        raise DataError(f"{dataset.description}: there are no images to compare on")
    parting = None if found is None else pair.parting(found)
    return Verification(done, dataset.description, first.outputs, len(places), pair.largest, parting)


@dataclass(frozen=True)
class _Place:
    """An image on which outputs differ."""

    pixels: Array
    image: int
    optimized: bool


class _Graph:
    """One of the two graphs: its model, what its input is and what its outputs are called."""

    def __init__(self, source: ModelSource, letter: str) -> None:
        self.name = os.fspath(source) if isinstance(source, str | os.PathLike) else f"model {letter}"
        if isinstance(source, onnx.ModelProto):
            self.model = from_proto(source)
        else:
            self.model = source if isinstance(source, Model) else load(source)
        inputs = self.model.graph.inputs
        if len(inputs) != 1 or inputs[0].dtype != np.float32:
            kinds = ", ".join(f"'{tensor.name}' {np.dtype(tensor.dtype).name}" for tensor in inputs) or "none"
            raise ModelError(f"{self.name}: its inputs are {kinds}; graphs with one float32 input can be compared")
        self.shape: tuple[Any, ...] = tuple(inputs[0].shape or ())
        self.batch = self.shape[0] if self.shape and isinstance(self.shape[0], int) else BATCH
        self.outputs = tuple(tensor.name for tensor in self.model.graph.outputs)


class _Pair:
    def __init__(self, model: _Graph, other: _Graph, threads: int | None) -> None:
        self.sides = (model, other)
        self.largest = 0.0
        self._threads = threads
        if len(model.outputs) != len(other.outputs):
            counts = f"{len(model.outputs)} outputs, {other.name} {len(other.outputs)}"
            raise ModelError(f"{model.name} has {counts}; only graphs with as many outputs can be compared")
        self._sessions = {
            optimized: [session(side.model, threads=threads, optimize=optimized) for side in self.sides]
            for optimized in (True, False)
        }

    def differences(self, images: Array, *, optimized: bool) -> Iterator[int]:
        """Yield the images of a batch whose outputs differ."""
        mine, theirs = (
            _run(side, runner, images, list(side.outputs))
            for side, runner in zip(self.sides, self._sessions[optimized], strict=True)
        )
        differing = np.zeros(len(images), bool)
        for position, (a, b) in enumerate(zip(mine, theirs, strict=True)):
            if np.shape(a) != np.shape(b):
                raise ModelError(
                    f"output '{self.sides[0].outputs[position]}' of {self.sides[0].name} is {list(np.shape(a))}, "
                    f"'{self.sides[1].outputs[position]}' of {self.sides[1].name} {list(np.shape(b))}; "
                    "only outputs of one shape can be compared"
                )
            is_off = _differ(a, b)
            if is_off.any():
                with np.errstate(invalid="ignore"):
                    gaps = np.abs(np.asarray(a, np.float64) - np.asarray(b, np.float64))[is_off]
                self.largest = max(self.largest, float(np.nan_to_num(gaps, nan=np.inf).max()))
            if np.shape(a)[:1] == (len(images),):
                differing |= is_off.reshape(len(images), -1).any(axis=1)
            else:
                differing[0] |= bool(is_off.any())
        yield from map(int, np.flatnonzero(differing))

    def parting(self, place: _Place) -> Parting:
        """Return the first tensor that differs on that image, an output at the latest."""
        ours, theirs = (comparable(side.model) for side in self.sides)
        shared = [(key, ours[key], theirs[at]) for key in ours if (at := _counterpart(key, ours, theirs)) is not None]
        kept = [
            {*side.outputs, *(carriers[at].name for carriers in ((a, b) for _, a, b in shared))}
            for at, side in enumerate(self.sides)
        ]
        held = [self._all(side, place, sorted(names)) for side, names in zip(self.sides, kept, strict=True)]
        for key, a, b in shared:
            if a.name in held[0] and b.name in held[1]:
                found = _first(a.values(held[0][a.name]), b.values(held[1][b.name]))
                if found is not None:
                    names = (a.name, b.name)
                    is_output = any(name in side.outputs for name, side in zip(names, self.sides, strict=True))
                    element, values, different, elements = found
                    return Parting(
                        key.tensor, key.quantized, names, place.image, element, values, different, elements,
                        intermediate=not is_output, optimized=place.optimized,
                    )  # fmt: skip
        return self._output(place)

    def _output(self, place: _Place) -> Parting:
        """Return the first output that differs on the image, as the sessions without further outputs have them."""
        mine, theirs = (
            _run(side, runner, place.pixels, list(side.outputs))
            for side, runner in zip(self.sides, self._sessions[place.optimized], strict=True)
        )
        for names, a, b in zip(zip(*(side.outputs for side in self.sides), strict=True), mine, theirs, strict=True):
            found = _first(a, b)
            if found is not None:
                element, values, different, elements = found
                return Parting(
                    names[0], False, names, place.image, element, values, different, elements,
                    intermediate=False, optimized=place.optimized,
                )  # fmt: skip
        raise ModelError(
            f"the outputs differ on image {place.image} in a batch and not alone: the graphs join images; fix their "
            "batch size to 1"
        )

    def _all(self, side: _Graph, place: _Place, names: list[str]) -> dict[str, Array]:
        runner = session(side.model, threads=self._threads, optimize=place.optimized, outputs=names)
        present = {output.name for output in runner.get_outputs()}
        wanted = [name for name in names if name in present]
        return dict(zip(wanted, _run(side, runner, place.pixels, wanted), strict=True))


def _counterpart(key: Key, ours: Mapping[Key, Carrier], theirs: Mapping[Key, Carrier]) -> Key | None:
    """Return what to compare a tensor with: the same, or where one graph has it in float alone, its quantized form."""
    if key in theirs:
        return key
    turned = Key(key.tensor, quantized=not key.quantized)
    return turned if turned in theirs and turned not in ours else None


def _run(side: _Graph, runner: Any, images: Array, names: list[str]) -> list[Array]:
    try:
        return run(runner, images, names)
    except ModelError as error:
        raise ModelError(f"{side.name}: {error}") from error


def _differ(a: Array, b: Array) -> npt.NDArray[np.bool_]:
    """Tell of each element whether it is another number."""
    return np.asarray((a != b) & ~((a != a) & (b != b)))  # noqa: PLR0124  # NaN is the same as NaN here


def _first(a: Array, b: Array) -> tuple[tuple[int, ...], tuple[float, float], int, int] | None:
    """Return the index of the first element that differs, both values, and how many of how many differ.

    None where all are equal, or where the two are not of one shape, nor maps with channels first and last.
    """
    if a.ndim == b.ndim == 4 and a.shape != b.shape:
        places = [0, 3, 1, 2] if b.shape == tuple(a.shape[at] for at in (0, 2, 3, 1)) else [0, 2, 3, 1]
        b = b.transpose(places)
    if np.shape(a) != np.shape(b) or a.dtype.kind not in "fiub" or b.dtype.kind not in "fiub":
        return None
    is_off = _differ(a, b)
    if not is_off.any():
        return None
    index = tuple(int(at) for at in np.argwhere(is_off)[0])
    return index, (float(a[index]), float(b[index])), int(is_off.sum()), int(is_off.size)
