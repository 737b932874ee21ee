"""How sure an accuracy is: confidence intervals and tests for shares of right answers."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from qonnx_tools.errors import DataError

CONFIDENCE = 0.95
_Z = 1.959963984540054  # standard normal quantile at (1 + CONFIDENCE) / 2


@dataclass(frozen=True)
class Proportion:
    """``successes`` of ``total``, and the 95 % confidence interval ``low``..``high`` of their share, all in 0..1."""

    successes: int
    total: int
    low: float
    high: float

    @property
    def share(self) -> float:
        """``successes / total``."""
        return self.successes / self.total


@dataclass(frozen=True)
class PairedComparison:
    """Two models on the same images: a reference, and a candidate to take its place.

    Attributes:
        total: images.
        only_reference: images that the reference alone has right (b).
        only_candidate: images that the candidate alone has right (c).
        low: lower end of the 95 % interval of ``difference``.
        high: upper end.
        p_value: of the exact McNemar test, two-sided, that both are right equally often.
    """

    total: int
    only_reference: int
    only_candidate: int
    low: float
    high: float
    p_value: float

    @property
    def difference(self) -> float:
        """Share right of the candidate less that of the reference, ``(c - b) / total``; below 0 is a loss."""
        return (self.only_candidate - self.only_reference) / self.total


def proportion(successes: int, total: int) -> Proportion:
    """Return the share of successes with its Wilson score interval.

    Source: E. B. Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22 (1927).

    Raises:
        DataError: ``total`` is 0, or ``successes`` is not in ``0..total``.
    """
    from scipy.stats import binomtest  # noqa: PLC0415  # slow to import

    if total < 1:
        raise DataError("there are no images to take an accuracy of")
    if not 0 <= successes <= total:
        raise DataError(f"{successes} successes of {total}: the count must lie in 0..{total}")
    interval = binomtest(successes, total).proportion_ci(CONFIDENCE, method="wilson")
    return Proportion(successes, total, float(interval.low), float(interval.high))


def compare_paired(reference_right: npt.NDArray[np.bool_], candidate_right: npt.NDArray[np.bool_]) -> PairedComparison:
    """Compare two models by which images each has right, ``[n]`` both, the images in the same order.

    With b images right in the reference alone and c in the candidate alone, the interval is the adjusted Wald
    interval for paired proportions: with one image added to each of b and c,
    p = (b + 1) / (n + 2), q = (c + 1) / (n + 2), it is q - p ± z * sqrt((p + q - (q - p)**2) / (n + 2)), cut to
    -1..1. Unlike the plain Wald interval (z * sqrt(b + c - (b - c)**2 / n) / n about (c - b) / n) it has a width
    where b = c = 0, and it keeps its level in small samples; for large b + c the two agree. The p-value is that of
    b among b + c fair coin tosses; it is 1 where b + c = 0.

    Source: D. G. Bonett, R. M. Price, "Adjusted Wald confidence interval for a difference of binomial proportions
    based on paired data", J. Educational and Behavioral Statistics 37 (2012); the test: Q. McNemar, "Note on the
    sampling error of the difference between correlated proportions or percentages", Psychometrika 12 (1947).

    Raises:
        DataError: the two do not have the same length, or have none.
    """
    from scipy.stats import binomtest  # noqa: PLC0415  # slow to import

    if reference_right.shape != candidate_right.shape or reference_right.ndim != 1:
        raise DataError(
            f"the models were run on {len(reference_right)} and {len(candidate_right)} images; "
            "a paired comparison needs the same images for both"
        )
    n = len(reference_right)
    if n == 0:
        raise DataError("there are no images to compare the models on")
    b = int(np.count_nonzero(reference_right & ~candidate_right))
    c = int(np.count_nonzero(candidate_right & ~reference_right))
    p, q = (b + 1) / (n + 2), (c + 1) / (n + 2)
    reach = _Z * math.sqrt((p + q - (q - p) ** 2) / (n + 2))
    p_value = float(binomtest(b, b + c).pvalue) if b + c else 1.0
    return PairedComparison(n, b, c, max(-1.0, q - p - reach), min(1.0, q - p + reach), p_value)
