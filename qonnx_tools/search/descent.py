"""From what each width does alone to the cheapest plan that keeps the accuracy: joint measurements, few of them.

The integer program is solved for a ladder of budgets on the added-up damage. Damages do not add up where widths are
small, so the plans are measured: the largest budget that keeps the loss is found by bisection. Between its plan and the
next one, which loses too much, the steps are taken in order of what they save for their damage, and the most of them
that keep the loss are found by bisection, too.
"""

from collections.abc import Callable, Iterator, Mapping

from qonnx_tools.search.allocation import Decision, Product, allocate
from qonnx_tools.search.space import Widths

LADDER = tuple(1e-4 * 2 ** (step / 2) for step in range(34))
"""Budgets on the sum of damages, in nats."""

Loss = Callable[[Widths], float]


def descend(decisions: list[Decision], products: list[Product], loss: Loss, most: float) -> dict[str, int]:
    """Return the widths of the cheapest plan found whose loss is ``most`` or less.

    Where even the widest plan loses more, that one is returned.

    Args:
        decisions: of the integer program.
        products: of it.
        loss: measures a plan on images, in 0..1.
        most: the largest loss allowed.
    """
    rungs = list(_rungs(decisions, products))
    good, bad = -1, len(rungs)
    while bad - good > 1:
        middle = (good + bad) // 2
        if loss(rungs[middle]) <= most:
            good = middle
        else:
            bad = middle
    widest = {each.name: each.widths[-1] for each in decisions}
    best = rungs[good] if good >= 0 else widest
    return _between(best, rungs[bad], decisions, loss, most) if bad < len(rungs) else best


def _rungs(decisions: list[Decision], products: list[Product]) -> Iterator[dict[str, int]]:
    """Yield the unlike plans of the ladder, those of least damage first."""
    before = None
    least = sum(min(each.damages) for each in decisions)
    for budget in LADDER:
        widths = allocate(decisions, products, least + budget)
        if widths != before:
            before = widths
            yield widths


def _between(
    best: Mapping[str, int], worse: Mapping[str, int], decisions: list[Decision], loss: Loss, most: float
) -> dict[str, int]:
    """Return ``best`` with as many of the steps towards ``worse`` as keep the loss."""
    steps = sorted((each for each in decisions if best[each.name] != worse[each.name]), key=lambda each: _price(
        each, best[each.name], worse[each.name]
    ))  # fmt: skip
    good, bad = 0, len(steps)

    def after(count: int) -> dict[str, int]:
        return {**best, **{each.name: worse[each.name] for each in steps[:count]}}

    while bad - good > 1:
        middle = (good + bad) // 2
        if loss(after(middle)) <= most:
            good = middle
        else:
            bad = middle
    return after(good)


def _price(each: Decision, best: int, worse: int) -> float:
    """Return the damage that a step adds for each bit that it saves; steps that add bits come first, as they heal."""
    at = dict(zip(each.widths, each.damages, strict=True))
    saved = best - worse
    return (at[worse] - at[best]) / saved if saved > 0 else -1.0
