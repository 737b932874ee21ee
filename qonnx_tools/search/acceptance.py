"""Whether a plan stays within the accuracy budget, decided on as few images as that takes.

Both models see the same images. With b images that the reference alone has right and c that the candidate alone has,
of n, the loss is d = (b - c) / n with the standard error sqrt(b + c - (b - c)^2 / n) / n. At each of several looks the
test stops where d - z s is above the budget, or d + z s is not; z spends the level in equal parts (Bonferroni). What
no look decides is decided by d itself, at the end.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

LOOKS = (0.1, 0.2, 0.35, 0.5, 0.75, 1.0)
"""Shares of the images at which the test looks."""
LEVEL = 0.05

Right = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Verdict:
    """What was found: the loss in 0..1 after ``images`` images, and its interval at the level of the test.

    ``sure`` says that the interval decided, and not the loss itself after the last image.
    """

    accepted: bool
    sure: bool
    loss: float
    low: float
    high: float
    images: int


def accept(pairs: Iterable[tuple[Right, Right]], total: int, budget: float) -> Verdict:
    """Return whether the loss is within ``budget``, reading ``pairs`` only as far as that takes.

    Args:
        pairs: batches of (reference right, candidate right).
        total: images in all batches.
        budget: the largest loss allowed, in 0..1.
    """
    z = critical_value(LEVEL / len(LOOKS))
    looks = [max(1, math.ceil(share * total)) for share in LOOKS]
    n = b = c = 0
    verdict = Verdict(True, False, 0.0, -1.0, 1.0, 0)
    for reference, candidate in pairs:
        n += len(reference)
        b += int(np.count_nonzero(reference & ~candidate))
        c += int(np.count_nonzero(candidate & ~reference))
        if n < looks[0]:
            continue
        while looks and n >= looks[0]:
            looks.pop(0)
        loss = (b - c) / n
        reach = z * math.sqrt(b + c + 1 - (b - c) ** 2 / n) / n  # one image more, so that agreement is not certainty
        is_in, is_out = loss + reach <= budget, loss - reach > budget
        verdict = Verdict(loss <= budget, is_in or is_out, loss, loss - reach, loss + reach, n)
        if verdict.sure:
            break
    return verdict


def critical_value(level: float) -> float:
    """Return z with a two-sided ``level`` of a standard normal number beyond it."""
    from scipy.stats import norm  # noqa: PLC0415  # slow to import

    return float(norm.ppf(1 - level / 2))
