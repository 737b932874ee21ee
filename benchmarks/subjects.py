"""A network of the assets to try many plans on: calibrated once, its images read once."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from measuring import asset

from models import CASES
from qonnx_tools.conversion import convert
from qonnx_tools.data import Preprocessing, open_data
from qonnx_tools.graph import Model, load
from qonnx_tools.plan import BatchNorm, Plan
from qonnx_tools.runtime import run, session
from qonnx_tools.schemes.base import Scheme
from qonnx_tools.schemes.fixed import Fixed
from qonnx_tools.schemes.network import Network

CALIBRATION_IMAGES = 512
BATCH = 32
THREADS = 1
Images = npt.NDArray[np.float32]
Logits = npt.NDArray[np.float32]
Shape = tuple[int | str | None, ...]


@dataclass(frozen=True)
class TestSet:
    """Images as the model wants them. ``labels`` is None where only agreement with the float model counts."""

    name: str
    images: Images
    labels: npt.NDArray[np.int64] | None

    @classmethod
    def of(cls, name: str, prepared: Preprocessing, shape: Shape, limit: int | None, *, labelled: bool) -> "TestSet":
        """Read at most ``limit`` images of a test set of the assets."""
        data = open_data(str(asset("data", name)), prepared, shape)
        batches = list(data.batches(BATCH, limit=data.count(limit)))
        labels = [batch.labels for batch in batches if batch.labels is not None] if labelled else []
        images = np.concatenate([batch.images for batch in batches])
        return cls(name, images, np.concatenate(labels).astype(np.int64) if labels else None)


@dataclass(frozen=True)
class _Listening(Fixed):
    """A scheme that remembers the network that it was asked about."""

    fit: str = "weights"
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
    _floats: dict[str, Logits] = field(default_factory=dict, compare=False)

    @classmethod
    def of(cls, name: str, limit: int | None) -> "Subject":
        """Load a model of the assets by name, with its test sets."""
        (case,) = (case for case in CASES if case.model == name)
        model = load(asset("models", f"{name}.onnx"))
        shape = tuple(model.graph.inputs[0].shape)
        tests = [
            TestSet.of(test, case.prepared, shape, limit, labelled=labelled)
            for test, labelled in ((case.test, True), (case.unlabelled, False))
            if test
        ]
        return cls(model, case.prepared, str(asset("data", case.calibration)), tuple(tests))

    def converted(self, scheme: Scheme, target: str) -> Model:
        """Return the model as the scheme wants it, calibrated on the calibration images."""
        if scheme.fits_outputs:
            return self._calibrated(scheme, target)
        plan = scheme.propose(self.network(scheme.batch_norm))
        return convert(self.model, plan=plan, target=target).model

    def network(self, batch_norm: BatchNorm) -> Network:
        """Return the calibrated network with this treatment of batch normalization, for a scheme to look at.

        What a scheme proposes for it rounds weights to nearest: they are not fitted to the outputs of their layers.
        """
        if batch_norm not in self._networks:
            scheme = _Listening(batch_norm=batch_norm)
            self._calibrated(scheme, "simulation")
            self._networks[batch_norm] = scheme.heard[0]
        return self._networks[batch_norm]

    def _calibrated(self, scheme: Scheme, target: str) -> Model:
        return convert(
            self.model,
            scheme=scheme,
            data=self.calibration,
            images=CALIBRATION_IMAGES,
            preprocessing=self.prepared,
            target=target,
        ).model

    def outputs(self, converted: Model) -> list[Logits]:
        """Return what a converted model gives on each test set."""
        runner = session(converted, threads=THREADS)
        return [outputs(runner, test.images) for test in self.tests]

    def expected(self, test: TestSet) -> Logits:
        """Return what the float model gives on ``test``."""
        if test.name not in self._floats:
            self._floats[test.name] = outputs(session(self.model, threads=THREADS), test.images)
        return self._floats[test.name]


def outputs(runner: Any, images: Images) -> Logits:
    """Return the first output of the model for all images."""
    return np.concatenate([run(runner, images[i : i + BATCH])[0] for i in range(0, len(images), BATCH)])
