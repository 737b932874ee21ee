"""A whole plan measured: its widths, the weights fitted with all of them in place, and the images that it loses."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from qonnx_tools.conversion import apply
from qonnx_tools.cost import Work
from qonnx_tools.graph import Model, from_proto, to_proto
from qonnx_tools.plan import Plan, load_plan, save_plan
from qonnx_tools.preparation import Prepared
from qonnx_tools.reconstruction.outputs import fit_to_outputs
from qonnx_tools.runtime import run, session
from qonnx_tools.search.acceptance import Right
from qonnx_tools.search.images import Images, Parts
from qonnx_tools.search.journal import Journal
from qonnx_tools.search.space import Space, Widths
from qonnx_tools.targets import NATIVE
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
    """Measures plans, each once: what the journal has is not measured again, and plans lie in a folder."""

    def __init__(self, prepared: Prepared, space: Space, parts: Parts, journal: Journal, folder: Path) -> None:
        self._prepared, self._space, self._parts = prepared, space, parts
        self._journal, self._folder = journal, folder
        self._known: dict[int, tuple[Right, npt.NDArray[np.int64]]] = {}
        self.evaluations = 0

    def measure(self, widths: Widths) -> Measured:
        """Return what the plan with these widths loses on the images for comparison."""
        key = hashlib.sha256(json.dumps(sorted(widths.items())).encode()).hexdigest()[:16]
        path = self._folder / f"{key}.json"
        if key in self._journal and path.exists():
            plan = load_plan(path)
        else:
            scheme = self._space.scheme_with(widths)
            plan = scheme.propose(self._space.network)
            tuning = self._parts.tuning
            plan = fit_to_outputs(self._prepared.model, self._space.network, plan, scheme, tuning, len(tuning))
            save_plan(plan, path)
            reference, candidate = zip(*self.pairs(plan, self._parts.comparison), strict=True)
            before, after = np.concatenate(reference), np.concatenate(candidate)
            lost, won = int((before & ~after).sum()), int((after & ~before).sum())
            self._journal.put(key, {"lost": lost, "won": won, "total": len(before)})
            self.evaluations += 1
        counts = self._journal[key]
        work = work_of(self._space.model, plan)
        return Measured(dict(widths), plan, work, counts["lost"], counts["won"], counts["total"], path.name)

    def pairs(self, plan: Plan, images: Images) -> Iterator[tuple[Right, Right]]:
        """Yield, batch after batch, which images the float model has right, and which the native graph of ``plan``.

        Without labels the float model is always right.
        """
        copy = replace(self._prepared, model=from_proto(to_proto(self._prepared.model)))
        runner = session(apply(copy, plan, NATIVE).model)
        right, wanted = self._float_right(images)
        for at, batch in enumerate(images.batches(BATCH)):
            span = slice(at * BATCH, at * BATCH + len(batch.images))
            yield right[span], run(runner, batch.images)[0].argmax(axis=1) == wanted[span]

    def _float_right(self, images: Images) -> tuple[Right, npt.NDArray[np.int64]]:
        """Return which images the float model has right, and the classes that are right."""
        if id(images) not in self._known:
            chosen = classes(self._prepared.model, images)
            wanted = chosen if images.labels is None else images.labels
            self._known[id(images)] = chosen == wanted, wanted
        return self._known[id(images)]


def classes(model: Model, images: Images) -> npt.NDArray[np.int64]:
    """Return the class that ``model`` gives each image."""
    runner = session(model)
    return np.concatenate([run(runner, batch.images)[0].argmax(axis=1) for batch in images.batches(BATCH)])
