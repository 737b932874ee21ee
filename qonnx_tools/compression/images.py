"""The images that feature maps are compressed for: some to tune on, others to measure the loss on."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from qonnx_tools.data import Dataset
from qonnx_tools.errors import DataError

TUNING, COMPARISON = 1024, 10_000
"""Most images to tune on, and to measure the loss on."""
SHARE = 0.25
"""Of the images for tuning, where there are few."""
LEAST = 8
MOST_BYTES = 1 << 30
READ = 256

Images = npt.NDArray[np.float32]


@dataclass(frozen=True)
class TuningImages:
    """Images to tune on, others to measure the loss on, and their labels where there are any."""

    tuning: Images
    comparison: Images
    labels: npt.NDArray[np.int64] | None
    description: str

    @classmethod
    def of(cls, dataset: Dataset, *, compare: bool) -> "TuningImages":
        """Read the images; all serve for tuning, up to its number, unless some are to ``compare`` on.

        Raises ``DataError`` where there are too few to compare.
        """
        total = dataset.count()
        first = next(iter(dataset.batches(1, limit=1)), None)
        if first is None or (compare and total < LEAST):
            raise DataError(f"{dataset.description}: feature maps need {LEAST if compare else 1} images or more")
        total = min(total, max(LEAST, MOST_BYTES // max(first.images.nbytes, 1)))
        tuning = min(TUNING, max(1, int(total * SHARE)) if compare else total)
        others = min(COMPARISON, total - tuning) if compare else 0
        batches = list(dataset.batches(READ, limit=tuning + others))
        images = np.concatenate([batch.images for batch in batches])
        labels: list[Any] = [batch.labels for batch in batches if batch.labels is not None]
        known = np.concatenate(labels)[tuning:] if labels else None
        return cls(images[:tuning], images[tuning:], known, dataset.description)
