"""How well a classifier does on labelled images, alone and beside another model."""

import math
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx

from qonnx_tools.compression.stored import MapMeter, StoredMaps
from qonnx_tools.data import Dataset, Preprocessing, open_data
from qonnx_tools.errors import DataError, ModelError
from qonnx_tools.graph import Model, from_proto, load
from qonnx_tools.runtime import run, session
from qonnx_tools.statistics import PairedComparison, Proportion, compare_paired, proportion

BATCH = 64
Logits = npt.NDArray[np.float32]
Progress = Callable[[int, int], None]
ModelSource = str | os.PathLike[str] | onnx.ModelProto | Model


@dataclass(frozen=True)
class Score:
    """How one model did: top-1 and top-5 with 95 % intervals (None without labels), and its speed."""

    name: str
    top1: Proportion | None
    top5: Proportion | None
    images_per_second: float


@dataclass(frozen=True)
class Comparison:
    """A model beside another one, on the same images.

    ``agreement`` is the share of images on which both predict the same class; ``sqnr_db`` the power of the other
    model's outputs over that of the difference, in decibels (infinite when they are equal); ``paired`` the
    difference in top-1, None without labels.
    """

    other: Score
    agreement: Proportion | None
    sqnr_db: float
    paired: PairedComparison | None


@dataclass(frozen=True)
class Evaluation:
    """The result of :func:`evaluate` on ``images`` images of ``data``; ``notes`` say how the images were read.

    ``stored`` are the feature maps that the model stores compressed, None where it does not.
    """

    images: int
    data: str
    model: Score
    against: Comparison | None
    notes: tuple[str, ...]
    stored: StoredMaps | None = None


def evaluate(
    model: ModelSource,
    data: Dataset | str | os.PathLike[str],
    *,
    against: ModelSource | None = None,
    limit: int | None = None,
    preprocessing: Preprocessing | None = None,
    threads: int | None = None,
    labelled: bool = True,
    progress: Progress | None = None,
) -> Evaluation:
    """Run ``model`` over ``data`` and count what it gets right, beside ``against`` where given.

    Without labels, and for models that are no classifiers, only the comparison with ``against`` is made.

    Args:
        model: a classifier with one input and logits ``[N, classes]`` as its first output.
        data: labelled images.
        against: the model to compare with, on the same images: usually the float model.
        limit: the number of images to use at most.
        preprocessing: what turns pixels into the model's input.
        threads: threads that onnxruntime may use; None for all cores.
        labelled: whether to measure accuracy, which needs labels; False only compares outputs with ``against``.
        progress: called with (done, total) images.

    Raises:
        DataError: no labels or no images, or they do not fit the model.
        ModelError: a model cannot be read or run, or the outputs of the two differ in shape.
    """
    runners = [_Runner(source, threads) for source in (model, against) if source is not None]
    dataset = data if isinstance(data, Dataset) else open_data(os.fspath(data), preprocessing, runners[0].shape)
    if labelled:
        dataset.require_labels()
    total = dataset.count(limit)
    meter = MapMeter(runners[0].model, threads)
    labels: list[npt.NDArray[np.int64]] = []
    for batch in dataset.batches(runners[0].batch, limit=total):
        for runner in runners:
            runner.run(batch.images)
        meter.run(batch.images)
        if labelled and batch.labels is not None:
            labels.append(batch.labels)
        if progress:
            progress(sum(map(len, runners[0].outputs)), total)
    if not runners[0].outputs:
        raise DataError(f"{dataset.description}: there are no images to evaluate on")
    truth = np.concatenate(labels) if labels else None
    outputs = [np.concatenate(runner.outputs) for runner in runners]
    ranks = [_ranks(output, truth, runner.name) for output, runner in zip(outputs, runners, strict=True)]
    scores = [runner.score(rank) for runner, rank in zip(runners, ranks, strict=True)]
    comparison = _compare(outputs, ranks, scores[1]) if against is not None else None
    return Evaluation(len(outputs[0]), dataset.description, scores[0], comparison, dataset.notes, meter.result())


class _Runner:
    """One model, its outputs so far and the time that they took."""

    def __init__(self, source: ModelSource, threads: int | None) -> None:
        self.name = os.fspath(source) if isinstance(source, str | os.PathLike) else "the model"
        self._source = load(source) if isinstance(source, str | os.PathLike) else source
        self._session = session(self._source, threads=threads)
        inputs, results = self._session.get_inputs(), self._session.get_outputs()
        if len(inputs) != 1 or not results:
            raise ModelError(
                f"{self.name}: it has {len(inputs)} inputs and {len(results)} outputs; one input is needed"
            )
        (entry,) = inputs
        if entry.type != "tensor(float)":
            raise ModelError(
                f"{self.name}: input '{entry.name}' is {entry.type}; export the model with a float32 input"
            )
        self._output = results[0].name
        self.shape: tuple[Any, ...] = tuple(entry.shape)
        self.batch = self.shape[0] if self.shape and isinstance(self.shape[0], int) else BATCH
        self.outputs: list[Logits] = []
        self._runs: list[tuple[int, float]] = []

    @property
    def model(self) -> Model:
        """The model that is run."""
        return from_proto(self._source) if isinstance(self._source, onnx.ModelProto) else self._source

    def run(self, images: npt.NDArray[np.float32]) -> None:
        start = time.perf_counter()
        try:
            (output,) = run(self._session, images, [self._output])
        except ModelError as error:
            raise ModelError(f"{self.name}: {error}") from error
        self._runs.append((len(images), time.perf_counter() - start))
        if np.shape(output)[:1] != (len(images),) or not np.issubdtype(output.dtype, np.number):
            shown = f"{output.dtype} of shape {list(np.shape(output))}"
            raise ModelError(
                f"{self.name}: output '{self._output}' is {shown} for {len(images)} images; numbers [N, ...] are needed"
            )
        self.outputs.append(output)

    def score(self, ranks: npt.NDArray[np.int64] | None) -> Score:
        counted = self._runs[1:] or self._runs  # the first run also allocates
        speed = sum(images for images, _ in counted) / max(sum(seconds for _, seconds in counted), 1e-9)
        if ranks is None:
            return Score(self.name, None, None, speed)
        count = len(ranks)
        return Score(
            self.name, proportion(int((ranks < 1).sum()), count), proportion(int((ranks < 5).sum()), count), speed
        )


def _ranks(outputs: Logits, truth: npt.NDArray[np.int64] | None, name: str) -> npt.NDArray[np.int64] | None:
    """Return how many classes come before the true one, 0 being a correct answer; of equal logits the first wins.

    NaN counts as less than any number, and its own class never as right.
    """
    if truth is None:
        return None
    if outputs.ndim != 2:
        raise ModelError(f"{name}: output of shape {list(outputs.shape)} is not [N, classes]; use --no-labels")
    if truth.min() < 0 or truth.max() >= outputs.shape[1]:
        bad = truth.min() if truth.min() < 0 else truth.max()
        raise DataError(f"label {bad} is not one of the {outputs.shape[1]} classes of {name}; mend the labels")
    own = outputs[np.arange(len(truth)), truth][:, None]
    earlier = np.arange(outputs.shape[1])[None, :] < truth[:, None]
    before = ((outputs > own) | ((outputs == own) & earlier)).sum(axis=1)
    return np.asarray(np.where(np.isnan(own[:, 0]), outputs.shape[1], before))


def _compare(outputs: list[Logits], ranks: list[npt.NDArray[np.int64] | None], other: Score) -> Comparison:
    mine, theirs = outputs
    if mine.shape != theirs.shape:
        raise ModelError(f"{other.name}: its output {list(theirs.shape)} differs in shape from {list(mine.shape)}")
    agreement = None
    if mine.ndim == 2:
        agreement = proportion(int((mine.argmax(axis=1) == theirs.argmax(axis=1)).sum()), len(mine))
    wide = theirs.astype(np.float64)
    signal, noise = (float(np.square(part).sum()) for part in (wide, mine - wide))
    sqnr = math.inf if noise == 0 else 10 * math.log10(signal / noise) if signal else -math.inf
    paired = None
    if ranks[0] is not None and ranks[1] is not None:
        paired = compare_paired(ranks[1] < 1, ranks[0] < 1)
    return Comparison(other, agreement, sqnr, paired)
