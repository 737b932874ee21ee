"""Images of a search in memory, in parts that serve one purpose each."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from qonnx_tools.data import Batch, Dataset
from qonnx_tools.data.dataset import capped, spans
from qonnx_tools.errors import DataError

READ = 256
"""Images read at once."""
SHARES = (0.25, 0.45, 0.3)
"""Of the images for tuning, comparing plans and accepting one, where there are few."""
MOST = (6144, 6000, 10000)
LEAST = 12
MOST_BYTES = 2 << 30
"""Of all images, which stay in memory."""


class Images(Dataset):
    """Prepared images ``[N, ...]`` with their labels ``[N]`` or None."""

    def __init__(self, images: npt.NDArray[np.float32], labels: npt.NDArray[np.int64] | None, name: str) -> None:
        self.images, self.labels = images, labels
        self.description, self.notes = name, ()

    @property
    def has_labels(self) -> bool:
        return self.labels is not None

    def count(self, limit: int | None = None) -> int:
        return capped(len(self.images), limit)

    def batches(self, size: int, limit: int | None = None) -> Iterator[Batch]:
        for span in spans(self.count(limit), size):
            yield Batch(self.images[span], None if self.labels is None else self.labels[span])


@dataclass(frozen=True)
class Parts:
    """Images that widths and weights are tuned on, that plans are compared on, and that one is accepted on."""

    tuning: Images
    comparison: Images
    acceptance: Images

    @classmethod
    def of(cls, dataset: Dataset) -> "Parts":
        """Divide the images of ``dataset``, which no two parts share.

        Raises:
            DataError: there are too few.
        """
        total = min(dataset.count(), sum(MOST))
        first = next(iter(dataset.batches(1, limit=1)), None)
        if first is not None:
            total = min(total, max(LEAST, MOST_BYTES // first.images.nbytes))
        if total < LEAST:
            raise DataError(f"{dataset.description}: a search needs {LEAST} images or more")
        counts = [min(most, max(1, int(total * share))) for most, share in zip(MOST, SHARES, strict=True)]
        counts[-1] = min(MOST[-1], total - sum(counts[:-1]))
        batches = list(dataset.batches(READ, limit=sum(counts)))
        images = np.concatenate([batch.images for batch in batches])
        labels = [batch.labels for batch in batches if batch.labels is not None]
        all_labels = np.concatenate(labels) if labels else None
        ends = np.cumsum([0, *counts])
        parts = [
            Images(images[a:b], None if all_labels is None else all_labels[a:b], dataset.description)
            for a, b in pairwise(ends)
        ]
        return cls(*parts)
