"""A whole plan measured: its widths, the weights fitted with all of them in place, and the images that it loses."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from qonnx_tools.conversion import apply
from qonnx_tools.cost import Work
from qonnx_tools.divergence import divergence
from qonnx_tools.graph import Model, from_proto, to_proto
from qonnx_tools.plan import Plan, Role, load_plan, plan_to_json, save_plan
from qonnx_tools.preparation import Prepared
from qonnx_tools.reconstruction.outputs import fit_to_outputs
from qonnx_tools.runtime import run, session
from qonnx_tools.search.acceptance import Right
from qonnx_tools.search.damage import WALKS
from qonnx_tools.search.images import Images, Parts
from qonnx_tools.search.journal import Journal
from qonnx_tools.search.space import Space, Widths, plain
from qonnx_tools.search.stored_maps import LOSSLESS
from qonnx_tools.targets import NATIVE, SIMULATION
from qonnx_tools.workload import work_of

BATCH = 64


@dataclass(frozen=True)
class Measured:
    """A plan on the images for comparison.

    Attributes:
        widths: of every choice.
        plan: with fitted weights.
        work: what the network is under it.
        lost: images that the float model alone has right.
        won: images that the plan alone has right.
        total: images.
        file: of the plan, in the folder of the search.
    """

    widths: Widths
    plan: Plan
    work: Work
    lost: int
    won: int
    total: int
    file: str

    @property
    def loss(self) -> float:
        """The share of images lost, less those won."""
        return (self.lost - self.won) / self.total


class Joint:
    """Measures plans, each once: what the journal has is not measured again, and fitted plans lie in a folder.

    Attributes:
        measured: by the widths of the plans, in the order in which they were asked for.
        evaluations: plans measured in this run.
    """

    def __init__(self, prepared: Prepared, space: Space, parts: Parts, journal: Journal, folder: Path) -> None:
        self._prepared, self._space, self._parts = prepared, space, parts
        self._journal, self._folder = journal, folder
        self._known: dict[int, tuple[Right, npt.NDArray[np.int64]]] = {}
        self.measured: dict[str, Measured] = {}
        self.evaluations = 0

    def measure(self, widths: Widths, images: int) -> Measured:
        """Return what the plan with these widths loses on the images for comparison.

        Its weights are fitted to the outputs of their layers, on ``images`` of those for tuning.
        """
        images = min(images, len(self._parts.tuning))
        key = digest([images, plain(widths), *self._space.stored])
        if key in self.measured:
            return self.measured[key]
        path = self._folder / f"{key}.json"
        if key in self._journal and path.exists():
            plan = load_plan(path)
        else:
            plan = self._fitted(widths, images)
            save_plan(plan, path)
        self.measured[key] = self._counted(key, widths, plan, NATIVE, WALKS * images)
        return self.measured[key]

    def measure_plan(self, widths: Widths, plan: Plan, target: str) -> Measured:
        """Return what a plan loses, as it is; ``widths`` are for the record. It is written where it is kept."""
        return self._counted(digest([target, plan_to_json(plan)]), widths, plan, target, 0)

    def keep(self, measured: Measured) -> Measured:
        """Write the plan of what was measured into the folder, and put it among those measured."""
        save_plan(measured.plan, self._folder / measured.file)
        self.measured[measured.file] = measured
        return measured

    def divergence(self, widths: Widths, images: npt.NDArray[np.intp]) -> float:
        """Return the divergence of the outputs where activations alone have these widths, on some images for tuning."""
        plan = self._space.plan(widths)
        activations = {name: of for name, of in plan.tensors.items() if of.role is Role.ACTIVATION}
        rounded = self._graph(replace(plan, tensors=activations), SIMULATION)
        chosen = Images(self._parts.tuning.images[images], None, "images for tuning")
        return divergence([outputs(self._prepared.model, chosen)], [outputs(rounded, chosen)])

    def float_accuracy(self, images: Images) -> float:
        """Return the share of ``images`` that the float model has right."""
        return float(self._float_right(images)[0].mean())

    def pairs(self, plan: Plan, images: Images, target: str = NATIVE) -> Iterator[tuple[Right, Right]]:
        """Yield, batch after batch, which images the float model has right, and which the graph of ``plan``.

        Without labels the float model is always right.
        """
        runner = session(self._graph(plan, target))
        right, wanted = self._float_right(images)
        for at, batch in enumerate(images.batches(BATCH)):
            span = slice(at * BATCH, at * BATCH + len(batch.images))
            yield right[span], run(runner, batch.images)[0].argmax(axis=1) == wanted[span]

    def _graph(self, plan: Plan, target: str) -> Model:
        """Return the graph of ``plan``, made of a copy of the model."""
        copy = replace(self._prepared, model=from_proto(to_proto(self._prepared.model)))
        return apply(copy, plan, target).model

    def _fitted(self, widths: Widths, images: int) -> Plan:
        scheme = self._space.scheme_with(widths)
        network = self._space.network
        plan = fit_to_outputs(
            self._prepared.model, network, scheme.propose(network), scheme, self._parts.tuning, images
        )
        return replace(plan, feature_maps=dict.fromkeys(self._space.stored, LOSSLESS))

    def _counted(self, key: str, widths: Widths, plan: Plan, target: str, others: int) -> Measured:
        """Return what a plan loses, counted once; ``others`` are inferences that making it took."""
        if key not in self._journal:
            reference, candidate = zip(*self.pairs(plan, self._parts.comparison, target), strict=True)
            before, after = np.concatenate(reference), np.concatenate(candidate)
            lost, won = int((before & ~after).sum()), int((after & ~before).sum())
            total = len(before)
            self._journal.put(key, {"lost": lost, "won": won, "total": total, "inferences": total + others})
            self.evaluations += 1
        counts = self._journal[key]
        work = work_of(self._space.model, plan)
        return Measured(dict(widths), plan, work, counts["lost"], counts["won"], counts["total"], f"{key}.json")

    def _float_right(self, images: Images) -> tuple[Right, npt.NDArray[np.int64]]:
        """Return which images the float model has right, and the classes that are right."""
        if id(images) not in self._known:
            chosen = outputs(self._prepared.model, images).argmax(axis=1)
            wanted = chosen if images.labels is None else images.labels
            self._known[id(images)] = chosen == wanted, wanted
        return self._known[id(images)]


def digest(document: Any) -> str:
    """Return a short name for a JSON value."""
    return hashlib.sha256(json.dumps(document).encode()).hexdigest()[:16]


def outputs(model: Model, images: Images) -> npt.NDArray[np.float32]:
    """Return what ``model`` makes of the images: its first output."""
    runner = session(model)
    return np.concatenate([run(runner, batch.images)[0] for batch in images.batches(BATCH)])
