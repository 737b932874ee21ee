"""How coarse each feature map may be: fewest bytes for what the outputs then suffer, map by map.

Each map is tried alone with a ladder of steps: its bytes, and the divergence of the outputs. Of these points the lower
convex hull counts. Walking down the hulls of all maps at once, always where a byte saved costs least divergence, gives
a sequence of plans, each a little smaller and worse than the one before. The last one within the accuracy budget is
found by bisection, with all maps compressed at once.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from qonnx_tools.compression.tails import CutMap
from qonnx_tools.compression.trials import mean_bytes, returned
from qonnx_tools.feature_map_plan import FeatureMapPlan, relative_step

RELATIVE_STEPS = (0.0, *(2 ** (quarter / 4) / 512 for quarter in range(33)))
"""Steps that are tried, as shares of the range of the codes; what every second one does is not measured."""
WORST = 0.2
"""Divergence at which no coarser step is tried: a network that suffers that of one map is useless."""
BYTES_IMAGES = 48
"""Images whose streams are measured."""

Maps = dict[str, FeatureMapPlan]


@dataclass(frozen=True)
class Point:
    """A map compressed in one way: mean bytes of an image, and the divergence of the outputs."""

    plan: FeatureMapPlan
    bytes: float
    damage: float


def points(cut: CutMap, plans: Sequence[FeatureMapPlan]) -> list[Point]:
    """Return what each of ``plans`` takes and does, at every step of the ladder."""
    found = []
    for alike in _alike(plans):
        for step, damage in _damages(cut, alike[0]).items():
            tried = [replace(plan, step=step) for plan in alike]
            found += [Point(plan, mean_bytes(cut.codes[:BYTES_IMAGES], cut.format, plan), damage) for plan in tried]
    return found


def _damages(cut: CutMap, plan: FeatureMapPlan) -> dict[float, float]:
    """Return what ``plan`` does at each step of the ladder, up to the first one that makes the network useless.

    Between two steps that are measured lies one of which their geometric mean is taken.
    """
    steps = list(dict.fromkeys(relative_step(share, cut.format) for share in RELATIVE_STEPS))
    found: dict[float, float] = {}
    for at in range(0, len(steps), 2):
        coded = replace(plan, step=steps[at])
        damage = cut.damage(returned(cut.codes, cut.format, coded)) if steps[at] > 1 or plan.dropped else 0.0
        if at and found[steps[at - 2]] > 0:
            found[steps[at - 1]] = math.sqrt(found[steps[at - 2]] * damage)
        found[steps[at]] = damage
        if damage > WORST:
            break
    return found


def _alike(plans: Sequence[FeatureMapPlan]) -> list[list[FeatureMapPlan]]:
    """Return the plans in groups that give back the same codes: a prediction changes none."""
    groups: dict[tuple[object, ...], list[FeatureMapPlan]] = {}
    for plan in plans:
        key = (plan.transform, plan.levels, plan.dropped) if plan.levels else ()
        groups.setdefault(key, []).append(plan)
    return list(groups.values())


def hull(every: Sequence[Point]) -> list[Point]:
    """Return the points on the lower convex hull, from the least damage and most bytes to the fewest bytes."""
    kept: list[Point] = []
    for point in sorted(every, key=lambda item: (item.damage, item.bytes)):
        if kept and point.bytes >= kept[-1].bytes:
            continue
        while len(kept) > 1 and _rate(kept[-2], kept[-1]) >= _rate(kept[-2], point):
            kept.pop()
        kept.append(point)
    return kept


def _rate(one: Point, other: Point) -> float:
    """Return the damage of each byte that ``other`` saves."""
    return (other.damage - one.damage) / (one.bytes - other.bytes)


def sequence(every: Mapping[str, Sequence[Point]]) -> list[Maps]:
    """Return plans for all maps, from the one of least damage, each with one map a step further down its hull."""
    hulls = {name: hull(found) for name, found in every.items()}
    moves = [
        (_rate(one, other), place, name)
        for name, line in hulls.items()
        for place, (one, other) in enumerate(pairwise(line))
    ]
    chosen = {name: line[0].plan for name, line in hulls.items()}
    found = [dict(chosen)]
    for _, place, name in sorted(moves):
        chosen[name] = hulls[name][place + 1].plan
        found.append(dict(chosen))
    return found


def last_within(plans: Sequence[Maps], loss: Callable[[Maps], float], budget: float) -> tuple[int, float] | None:
    """Return the place of the last plan whose loss is within ``budget``, and its loss, by bisection; None of none.

    Losses are taken to rise along the sequence.
    """
    first = loss(plans[0])
    if first > budget:
        return None
    low, high, known = 0, len(plans) - 1, first
    while low < high:
        middle = (low + high + 1) // 2
        measured = loss(plans[middle])
        if measured <= budget:
            low, known = middle, measured
        else:
            high = middle - 1
    return low, known
