"""Transforms, masks and steps of feature maps, found on images."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from qonnx_tools.arithmetic.wavelet import Wavelet
from qonnx_tools.calibration import Progress
from qonnx_tools.compression.images import Images, TuningImages
from qonnx_tools.compression.masks import counts_of_all, dropped_channels
from qonnx_tools.compression.options import AUTO, EACH, FeatureMapOptions
from qonnx_tools.compression.steps import Maps, Point, last_within, points, sequence
from qonnx_tools.compression.tails import CutMap, cut
from qonnx_tools.compression.transforms import best_coder, best_levels, candidates, transform_at_equal_error
from qonnx_tools.divergence import most_telling
from qonnx_tools.errors import ConfigError, DataError
from qonnx_tools.feature_map_plan import FeatureMapPlan, relative_step
from qonnx_tools.graph import Model
from qonnx_tools.runtime import run, session

TOLD = 128
"""Images that divergences are measured on: those that show most of small errors, and any for whole bands."""
TRANSFORM_IMAGES = 24
"""Images that transforms are compared on."""
LEVELS_AT = 1 / 32
"""The relative step at which the levels of wavelets are compared where the step is still to be chosen."""
MOST_TOLD_BYTES = 1 << 29
BATCH = 64


@dataclass(frozen=True)
class Loss:
    """What the chosen maps cost on ``images`` images that nothing was tuned on: the share of right answers lost."""

    share: float
    images: int
    measured: int


@dataclass(frozen=True)
class Tuned:
    """How each map is compressed, and the loss where that was measured."""

    maps: Maps
    loss: Loss | None = None


class Tuning:
    """Finds how the feature maps of one quantized network are compressed.

    ``start`` says of each map how it is compressed without tuning.
    """

    def __init__(
        self,
        quantized: Model,
        start: Mapping[str, FeatureMapPlan],
        options: FeatureMapOptions,
        images: TuningImages,
        progress: Progress | None = None,
    ) -> None:
        self._options, self._start, self._images = options, dict(start), images
        self._progress = progress
        count = max(1, min(TOLD, MOST_TOLD_BYTES // max(4 * _values(quantized, start), 1)))
        self._cuts = cut(quantized, start, _telling(quantized, images.tuning, count))
        self._any = cut(quantized, start, images.tuning[:count]) if options.drop else {}
        self._counts = self._dropped_counts()

    def run(self, reference: Model, build: Callable[[Maps], Model]) -> Tuned:
        """Return what was found.

        Args:
            reference: the float model.
            build: returns the graph that computes with these maps.

        Raises:
            ConfigError: no step is within the accuracy budget.
        """
        if self._options.max_drop is None:
            return Tuned({found.name: self._coded(found, self._fixed(found)) for found in self._each()})
        every = {found.name: self._points(found) for found in self._each()}
        plans = sequence(every)
        compare = _Comparison(reference, build, self._images, len(plans), self._progress)
        found = last_within(plans, compare.loss, self._options.max_drop)
        if found is None:
            raise ConfigError(
                f"max drop: the plan loses {100 * compare.loss(plans[0]):.2f} points with the maps at their best, "
                f"measured on {len(self._images.comparison)} images; allow more, or give the plan more bits"
            )
        place, share = found
        chosen = {name: self._coded(self._cuts[name], plan) for name, plan in plans[place].items()}
        return Tuned(chosen, Loss(share, len(self._images.comparison), compare.measured))

    def _each(self) -> Iterator[CutMap]:
        """Yield each map, and tell how many there have been."""
        for number, found in enumerate(self._cuts.values()):
            if self._progress:
                self._progress(number, len(self._cuts))
            yield found

    def _fixed(self, found: CutMap) -> FeatureMapPlan:
        """Return how a map is compressed at the step that the options name."""
        step = relative_step(self._options.step, found.format)
        if self._options.transform != AUTO:
            return self._masked(found, replace(self._start[found.name], step=step))
        plans = [self._masked(found, plan) for plan in candidates(dropping=bool(self._counts[found.name]))]
        return transform_at_equal_error(found.codes[:TRANSFORM_IMAGES], found.format, step, plans)

    def _points(self, found: CutMap) -> list[Point]:
        """Return what a map takes and does at each step, with each transform that may be chosen."""
        if self._options.transform != AUTO:
            plans = [self._start[found.name]]
        else:
            step = relative_step(LEVELS_AT, found.format)
            plans = best_levels(found.codes[:TRANSFORM_IMAGES], found.format, step)
        if self._counts[found.name]:
            plans = [self._masked(found, plan) for plan in plans if plan.levels]
        if self._options.coder is not None:
            plans = [replace(plan, coder=self._options.coder) for plan in plans]
        return points(found, plans)

    def _masked(self, found: CutMap, plan: FeatureMapPlan) -> FeatureMapPlan:
        count = self._counts[found.name]
        return replace(plan, dropped=dropped_channels(self._any[found.name], plan, count)) if count else plan

    def _dropped_counts(self) -> dict[str, int]:
        """Return of how many channels the finest bands are left out, map by map."""
        share = self._options.drop
        if not share:
            return dict.fromkeys(self._cuts, 0)
        if self._options.drop_from == EACH:
            return {name: int(share * found.codes.shape[1] + 0.5) for name, found in self._any.items()}
        tried = {
            name: plan if plan.levels else FeatureMapPlan(Wavelet.WAVELET53.value, levels=1)
            for name, plan in self._start.items()
        }
        return counts_of_all({name: (found, tried[name]) for name, found in self._any.items()}, share)

    def _coded(self, found: CutMap, plan: FeatureMapPlan) -> FeatureMapPlan:
        """Return ``plan`` with the coder that the options name, or the best one where they leave all open."""
        if self._options.coder is not None:
            return replace(plan, coder=self._options.coder)
        codes = found.codes[:TRANSFORM_IMAGES]
        return best_coder(codes, found.format, plan) if self._options.transform == AUTO else plan


class _Comparison:
    """Measures what plans lose against the float model, on images that nothing was tuned on."""

    def __init__(
        self,
        reference: Model,
        build: Callable[[Maps], Model],
        images: TuningImages,
        steps: int,
        progress: Progress | None,
    ) -> None:
        given = _answers(reference, images.comparison)
        self._truth = given if images.labels is None else images.labels
        self._right = float((given == self._truth).mean())
        self._build, self._images = build, images.comparison
        self._progress, self._most = progress, steps.bit_length() + 1
        self.measured = 0

    def loss(self, maps: Maps) -> float:
        """Return the share of right answers lost; without labels the float model's answers are right."""
        right = float((_answers(self._build(maps), self._images) == self._truth).mean())
        self.measured += 1
        if self._progress:
            self._progress(min(self.measured, self._most), self._most)
        return self._right - right


def _answers(model: Model, images: Images) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    runner = session(model)
    parts = [run(runner, images[at : at + BATCH])[0] for at in range(0, len(images), BATCH)]
    if parts[0].ndim != 2:
        raise DataError(f"max drop: the model's output {list(parts[0].shape)} is not [N, classes]; give steps instead")
    return np.concatenate([part.argmax(axis=1) for part in parts])


def _telling(quantized: Model, images: Images, count: int) -> Images:
    """Return the ``count`` images that show most of what errors do."""
    runner = session(quantized)
    outputs = np.concatenate([run(runner, images[at : at + BATCH])[0] for at in range(0, len(images), BATCH)])
    return images[most_telling(outputs, count)]


def _values(model: Model, names: Mapping[str, FeatureMapPlan]) -> int:
    """Return how many numbers the maps of one image have, as far as their sizes are known."""
    tensors = model.graph.tensors()
    shapes = [[size for size in tensors[name].shape[1:] if isinstance(size, int)] for name in names]
    return int(sum(np.prod(shape) for shape in shapes))
