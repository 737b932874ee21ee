"""The accuracy of a network as its convolutions get narrower, and the width that it needs.

A treatment says what shares a number format and what becomes of batch normalization; the convolution bits N are those
of weights and activations. Calibration runs once for each form of the graph; then every width is a plan and a run.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import takewhile
from typing import Any

import numpy as np
import numpy.typing as npt
from measuring import asset

from qonnx_tools.conversion import convert
from qonnx_tools.data import Preprocessing, open_data
from qonnx_tools.graph import Model, load
from qonnx_tools.plan import BatchNorm, Plan
from qonnx_tools.runtime import run, session
from qonnx_tools.schemes.fixed import Fixed
from qonnx_tools.schemes.network import Network
from qonnx_tools.schemes.overrides import Override
from qonnx_tools.statistics import PairedComparison, Proportion, compare_paired, proportion

WIDTHS = tuple(range(16, 4, -1))
"""Convolution bits tried, widest first."""
LOSS = 0.01
"""The share of accuracy that a width may cost to be good enough."""
CALIBRATION_IMAGES = 512
BATCH = 32
THREADS = 1
Images = npt.NDArray[np.float32]
Shape = tuple[int | str | None, ...]


@dataclass(frozen=True)
class Treatment:
    """What shares a format (granularity), what becomes of batch norm, and its width; None is the convolutions'.

    With ``roles_apart`` weights, activations and batch-norm constants share formats each among themselves.
    """

    name: str
    granularity: str
    batch_norm: BatchNorm
    batch_norm_bits: int | None = None
    roles_apart: bool = False

    def plan(self, network: Network, bits: int) -> Plan:
        """Return the plan for ``bits`` convolution bits."""
        return Fixed(
            weight_bits=bits,
            activation_bits=bits,
            granularity=self.granularity,
            batch_norm=self.batch_norm,
            batch_norm_bits=self.batch_norm_bits or bits,
            overrides=tuple(self._exceptions(network)) if self.roles_apart else (),
        ).propose(network)

    def _exceptions(self, network: Network) -> Iterator[Override]:
        """Let weights share among themselves, and batch-norm constants, by sharing as far as no other tensor does."""
        other = {"granularity": "class" if self.granularity == "network" else "network"}
        yield from (Override(layer.weight, other) for layer in network.layers)
        yield from (Override(name, other) for unit in network.normalizations for name in (unit.scale, unit.offset))


SHARED = Treatment("shared: one format for the network, BN N", "network", BatchNorm.SEPARATE)
PER_CLASS = Treatment("a format a class, BN 16", "class", BatchNorm.SEPARATE, 16)
SHARED_ROLES = replace(SHARED, name="shared, but one for weights, activations, BN constants", roles_apart=True)
PER_CLASS_ROLES = replace(PER_CLASS, name="a class likewise, BN 16", roles_apart=True)
PER_LAYER = Treatment("a format a layer, BN N", "layer", BatchNorm.SEPARATE)
PER_LAYER_APART = Treatment("a format a layer, BN 16", "layer", BatchNorm.SEPARATE, 16)
PER_CHANNEL = Treatment("a weight format a channel, BN N", "channel", BatchNorm.SEPARATE)
PER_CHANNEL_APART = Treatment("a weight format a channel, BN 16", "channel", BatchNorm.SEPARATE, 16)
FOLDED = Treatment("a format a layer, folded", "layer", BatchNorm.FOLD)
FOLDED_CHANNELS = Treatment("a weight format a channel, folded", "channel", BatchNorm.FOLD)


@dataclass(frozen=True)
class TestSet:
    """Images as the model wants them. ``labels`` is None where only agreement with the float model counts."""

    name: str
    images: Images
    labels: npt.NDArray[np.int64] | None


@dataclass(frozen=True)
class Point:
    """What one width does to the network on one test set; ``paired`` and ``top1`` are None without labels."""

    treatment: str
    bits: int
    test: str
    top1: Proportion | None
    paired: PairedComparison | None
    agreement: Proportion

    @property
    def difference(self) -> str:
        """The difference in top-1 in points with the lower end of its interval; without labels the agreement in %."""
        if self.paired is None:
            return f"{100 * self.agreement.share:.1f}"
        return f"{100 * self.paired.difference:+.2f} [{100 * self.paired.low:+.2f}]"

    @property
    def surely_within(self) -> bool:
        """Whether the whole interval of the difference in accuracy lies above -LOSS."""
        return self.paired is not None and self.paired.low > -LOSS

    @property
    def about_within(self) -> bool:
        """Whether the difference in accuracy found is at least -LOSS."""
        return self.paired is not None and self.paired.difference >= -LOSS


@dataclass(frozen=True)
class _Listening(Fixed):
    """A scheme that remembers the network that it was asked about."""

    heard: list[Network] = field(default_factory=list, compare=False)

    def propose(self, network: Network) -> Plan:
        self.heard.append(network)
        return super().propose(network)


@dataclass(frozen=True)
class Subject:
    """A float model with its calibration images and test sets."""

    model: Model
    prepared: Preprocessing
    calibration: str
    tests: tuple[TestSet, ...]
    _networks: dict[BatchNorm, Network] = field(default_factory=dict, compare=False)
    _predictions: dict[str, npt.NDArray[np.int64]] = field(default_factory=dict, compare=False)

    @classmethod
    def of(
        cls, name: str, prepared: Preprocessing, calibration: str, tests: Iterable[tuple[str, bool]], limit: int | None
    ) -> "Subject":
        """Load a model of the assets, and its test sets, each with whether its labels count."""
        model = load(asset("models", f"{name}.onnx"))
        shape = tuple(model.graph.inputs[0].shape)
        found = tuple(_test_set(test, prepared, shape, limit, labelled=labelled) for test, labelled in tests)
        return cls(model, prepared, str(asset("data", calibration)), found)

    def points(self, treatment: Treatment, bits: int, *, target: str = "native") -> list[Point]:
        """Convert with ``bits`` convolution bits and compare with the float model, on every test set."""
        plan = treatment.plan(self._network(treatment.batch_norm), bits)
        runner = session(convert(self.model, plan=plan, target=target).model, threads=THREADS)
        return [self._point(treatment.name, bits, test, predictions(runner, test.images)) for test in self.tests]

    def _network(self, batch_norm: BatchNorm) -> Network:
        if batch_norm not in self._networks:
            scheme = _Listening(batch_norm=batch_norm)
            convert(
                self.model,
                scheme=scheme,
                data=self.calibration,
                images=CALIBRATION_IMAGES,
                preprocessing=self.prepared,
                target="simulation",
            )
            self._networks[batch_norm] = scheme.heard[0]
        return self._networks[batch_norm]

    def _point(self, treatment: str, bits: int, test: TestSet, found: npt.NDArray[np.int64]) -> Point:
        if test.name not in self._predictions:
            self._predictions[test.name] = predictions(session(self.model, threads=THREADS), test.images)
        reference = self._predictions[test.name]
        agreement = proportion(int((found == reference).sum()), len(found))
        if test.labels is None:
            return Point(treatment, bits, test.name, None, None, agreement)
        right = found == test.labels
        paired = compare_paired(reference == test.labels, right)
        return Point(treatment, bits, test.name, proportion(int(right.sum()), len(right)), paired, agreement)


def predictions(runner: Any, images: Images) -> npt.NDArray[np.int64]:
    """Return the class that the model predicts for each image."""
    parts = [run(runner, images[i : i + BATCH])[0] for i in range(0, len(images), BATCH)]
    return np.asarray(np.concatenate(parts).argmax(axis=1))


def shown(width: int | None) -> str:
    """Return ``width`` in words: None is more than the widest tried."""
    return f"> {max(WIDTHS)}" if width is None else str(width)


def knee(points: Iterable[Point], passes: Callable[[Point], bool]) -> int | None:
    """Return the least width that passes together with all wider ones tried; None where the widest does not."""
    passing = takewhile(passes, sorted(points, key=lambda point: -point.bits))
    return min((point.bits for point in passing), default=None)


@cache
def _images(test: str, prepared: Preprocessing, shape: Shape, limit: int | None) -> tuple[Images, Images]:
    data = open_data(str(asset("data", test)), prepared, shape)
    batches = list(data.batches(BATCH, limit=data.count(limit)))
    labels = [batch.labels for batch in batches if batch.labels is not None]
    return np.concatenate([batch.images for batch in batches]), np.concatenate(labels)


def _test_set(test: str, prepared: Preprocessing, shape: Shape, limit: int | None, *, labelled: bool) -> TestSet:
    images, labels = _images(test, prepared, shape, limit)
    return TestSet(test, images, labels.astype(np.int64) if labelled else None)
