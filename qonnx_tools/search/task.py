"""What a search works on: the network, the images, the cost, and the journal of what is known."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from qonnx_tools.preparation import Prepared
from qonnx_tools.search.acceptance import LEVEL, critical_value
from qonnx_tools.search.images import Parts
from qonnx_tools.search.joint import Joint, Measured
from qonnx_tools.search.journal import Journal
from qonnx_tools.search.objective import Objective
from qonnx_tools.search.options import SearchOptions
from qonnx_tools.search.space import Space

Progress = Callable[[str, int, int], None]
"""Called with what is being done, and (done, total) of it; 0 is a total that is not known."""


@dataclass(frozen=True)
class Task:
    """What a method of searching is given.

    Attributes:
        prepared: the model that plans are for.
        space: what there is to choose.
        parts: images for tuning, comparing and accepting.
        objective: what to lessen.
        options: of the search.
        journal: of finished evaluations.
        folder: of plans.
        report: called with what is being done.
    """

    prepared: Prepared
    space: Space
    parts: Parts
    objective: Objective
    options: SearchOptions
    journal: Journal
    folder: Path
    report: Progress

    @cached_property
    def joint(self) -> Joint:
        """What measures whole plans."""
        return Joint(self.prepared, self.space, self.parts, self.journal, self.folder)

    @cached_property
    def most(self) -> float:
        """The largest loss on the images for comparison, as a share of them."""
        return self.most_of(self.joint.float_accuracy(self.parts.comparison))

    def most_of(self, accuracy: float) -> float:
        """Return the largest loss on images of which the float model has the share ``accuracy`` right."""
        return self.options.max_drop * (accuracy if self.options.relative else 1.0)

    def fits(self, measured: Measured) -> bool:
        """Tell whether a plan stays within the limits of cost."""
        return self.objective.excess(measured.work) <= 0

    def state(self, measured: Sequence[Measured]) -> str:
        """Return in words what the search knows."""
        within = [each for each in measured if each.loss <= self.most and self.fits(each)]
        if not within:
            return f"{len(measured)} plans compared, none within the budget yet"
        best = min(within, key=lambda each: self.objective.of(each.work))
        reach = critical_value(LEVEL) * math.sqrt(best.lost + best.won + 1) / best.total
        loss = f"{100 * best.loss:+.2f} \N{PLUS-MINUS SIGN} {100 * reach:.2f} points"
        return f"{len(measured)} plans compared; best: cost {self.objective.of(best.work):.3f}, loss {loss}"


def pareto(measured: Sequence[Measured], objective: Objective) -> tuple[Measured, ...]:
    """Return the plans than which none is both cheaper and better, cheapest first."""
    order = sorted(measured, key=lambda each: (objective.of(each.work), each.loss))
    front: list[Measured] = []
    for each in order:
        if not front or each.loss < front[-1].loss:
            front.append(each)
    return tuple(front)


def inferences(journal: Journal) -> float:
    """Return the images that went through the network, tails counted by their multiplications."""
    return float(sum(result["inferences"] for result in journal.values()))
