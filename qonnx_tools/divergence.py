"""What errors do to the outputs of a network, and the images that show most of it."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt


def divergence(reference: Sequence[npt.NDArray[Any]], found: Sequence[npt.NDArray[Any]]) -> float:
    """Return the mean divergence of class probabilities; noise over signal of what are no logits ``[n, classes]``."""
    one, other = np.concatenate(reference).astype(np.float64), np.concatenate(found).astype(np.float64)
    if one.ndim != 2:
        power = float(np.square(one).sum())
        return float(np.square(one - other).sum()) / power if power else 0.0
    from scipy.special import log_softmax  # noqa: PLC0415  # slow to import

    expected, given = log_softmax(one, axis=1), log_softmax(other, axis=1)
    return float((np.exp(expected) * (expected - given)).sum(axis=1).mean())


def most_telling(logits: npt.NDArray[np.floating], count: int) -> npt.NDArray[np.intp]:
    """Return which ``count`` images ``[n, classes]`` show most of what errors do, in order.

    For a small error e of the logits the divergence is e' (diag p - p p') e / 2, so that images of which the network is
    certain show next to nothing. Those with the largest trace, 1 - sum p^2, are taken; of what are no logits the first.
    """
    if logits.ndim != 2:
        return np.arange(min(count, len(logits)))
    from scipy.special import softmax  # noqa: PLC0415  # slow to import

    doubt = 1 - np.square(softmax(logits.astype(np.float64), axis=1)).sum(axis=1)
    return np.sort(np.argsort(-doubt, kind="stable")[:count])
