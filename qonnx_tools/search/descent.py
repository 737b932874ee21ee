"""From what each width does alone to the cheapest plan that keeps the accuracy: joint measurements, few of them.

The integer program is solved for budgets on the added-up damage. Damages do not add up where widths are small, so the
plans are measured. A rough measurement, whose weights are fitted to few images, finds about where the loss becomes too
large, in strides that double, and then halve; the exact one goes on from there in the same way. Between the best plan
and the next one, which loses too much, the steps are taken in order of what they save for their damage, and the most
of them that keep the loss are found by bisection, too.
"""

import math
from collections.abc import Callable

from qonnx_tools.errors import ConfigError
from qonnx_tools.search.allocation import Program
from qonnx_tools.search.space import Width, Widths, bits_of

LEAST_BUDGET = 1e-4
"""The smallest budget on the sum of damages, in nats."""
STEP = 2**0.25
"""Between two budgets."""
FIRST_STRIDE = 4
"""Of the rough measurements, from the budget that is as many nats as the loss allowed is a share of the images."""
LEAST_GAIN = 0.04
"""Share of the cost that the next plan must save for steps towards it to be looked at."""

Loss = Callable[[Widths], float]


def descend(program: Program, rough: Loss, exact: Loss, most: float) -> dict[str, Width]:
    """Return the widths of the cheapest plan found whose exact loss is ``most`` or less.

    Where even the widest plan within the limits loses more, that one is returned.

    Args:
        program: the integer program.
        rough: measures a plan on images, in 0..1; more quickly, and rather too high.
        exact: measures a plan.
        most: the largest loss allowed.

    Raises:
        ConfigError: no widths stay within the limits of the program.
    """
    rungs = _Rungs(program)

    def keeps(loss: Loss, rung: int) -> bool:
        widths = rungs.widths(rung)
        return widths is None or loss(widths) <= most  # a budget that no widths meet is too small

    about, _ = _from(rungs.nearest(most), rungs.count, lambda rung: keeps(rough, rung), FIRST_STRIDE)
    good, bad = _from(about, rungs.count, lambda rung: keeps(exact, rung))
    best = rungs.widths(good) if good >= 0 else None
    worse = rungs.widths(bad) if bad < rungs.count else None
    if best is None:
        return worse if worse is not None else program.solve(math.inf)
    if worse is None or program.value(best) - program.value(worse) < LEAST_GAIN * program.value(best):
        return best
    return _between(best, worse, program, exact, most)


def _from(start: int, count: int, keeps: Callable[[int], bool], stride: int = 1) -> tuple[int, int]:
    """Return neighbours of which ``keeps`` says yes and no, looked for near ``start``; -1 is a yes, ``count`` a no.

    ``stride`` is the first step, which doubles.
    """
    good, bad = -1, count
    at = min(max(start, 0), count - 1)
    while good < at < bad:
        if keeps(at):
            good, at = at, at + stride
        else:
            bad, at = at, at - stride
        if good > -1 and bad < count:
            break
        stride *= 2
    return _bisected(good, bad, keeps)


def _bisected(good: int, bad: int, keeps: Callable[[int], bool]) -> tuple[int, int]:
    """Return neighbours between ``good`` and ``bad`` of which ``keeps`` says yes and no."""
    while bad - good > 1:
        middle = (good + bad) // 2
        if keeps(middle):
            good = middle
        else:
            bad = middle
    return good, bad


class _Rungs:
    """The plans of rising budgets, each solved for once."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._known: dict[int, dict[str, Width] | None] = {}
        span = max(program.most_damage - program.least_damage, LEAST_BUDGET)
        self.count = math.ceil(math.log(span / LEAST_BUDGET, STEP)) + 1

    def nearest(self, budget: float) -> int:
        """Return the rung of about this budget."""
        return round(math.log(max(budget, LEAST_BUDGET) / LEAST_BUDGET, STEP))

    def widths(self, rung: int) -> dict[str, Width] | None:
        """Return the cheapest widths of a budget, or None where none meet it and the limits."""
        if rung not in self._known:
            try:
                self._known[rung] = self._program.solve(self._program.least_damage + LEAST_BUDGET * STEP**rung)
            except ConfigError:
                self._known[rung] = None
        return self._known[rung]


def _between(best: Widths, worse: Widths, program: Program, loss: Loss, most: float) -> dict[str, Width]:
    """Return ``best`` with as many of the steps towards ``worse`` as keep the loss."""
    steps = sorted(
        (name for name in program.widths if best[name] != worse[name]),
        key=lambda name: _price(program, name, best[name], worse[name]),
    )

    def after(count: int) -> dict[str, Width]:
        return {**best, **{name: worse[name] for name in steps[:count]}}

    good, _ = _bisected(0, len(steps), lambda count: loss(after(count)) <= most)
    return after(good)


def _price(program: Program, name: str, best: Width, worse: Width) -> float:
    """Return the damage that a step adds for each bit that it saves; steps that add bits come first, as they heal.

    One to other options of the same bits comes first where it heals, and last where it does not.
    """
    saved = bits_of(best) - bits_of(worse)
    added = program.damage(name, worse) - program.damage(name, best)
    if saved:
        return added / saved if saved > 0 else -1.0
    return -1.0 if added <= 0 else math.inf
