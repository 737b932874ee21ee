"""What every source of data offers: batches that a model can read, and labels where there are any."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from qonnx_tools.errors import DataError


@dataclass(frozen=True, eq=False)
class Batch:
    """Images as the model reads them, ``[n, ...]``, and their labels ``[n]``, or None where the data have none."""

    images: npt.NDArray[np.float32]
    labels: npt.NDArray[np.int64] | None


class Dataset(ABC):
    """Images in a fixed order, read again from their source on each pass.

    ``description`` says in a few words what the data are; ``notes`` holds what a user should know about how they
    are read, a sentence each, for the command to print.
    """

    description: str
    notes: tuple[str, ...]

    @property
    @abstractmethod
    def has_labels(self) -> bool:
        """Whether each image has a label."""

    @abstractmethod
    def count(self, limit: int | None = None) -> int:
        """Return how many images a pass with this ``limit`` yields."""

    def __len__(self) -> int:
        return self.count()

    @abstractmethod
    def batches(self, size: int, limit: int | None = None) -> Iterator[Batch]:
        """Yield the first ``limit`` images (None: all) in batches of ``size``; the last one may be smaller.

        Raises:
            DataError: an image cannot be read or does not fit the model's input.
        """

    def require_labels(self) -> None:
        """Raise DataError unless the images have labels."""
        if not self.has_labels:
            raise DataError(
                f"{self.description}: no labels, and accuracy needs them; add 'labels' to the .npz file, "
                "sort the images into one folder a class, or let the loader return (images, labels)"
            )


def checked_labels(labels: npt.NDArray[Any], images: int, classes: int | None, source: str) -> npt.NDArray[np.int64]:
    """Return ``labels`` as int64 ``[images]``, each in ``0..classes - 1`` where ``classes`` is given."""
    if labels.ndim != 1 or not np.issubdtype(labels.dtype, np.integer):
        raise DataError(
            f"{source}: labels are {labels.dtype} of shape {list(labels.shape)}; they must be integers, one an image"
        )
    if len(labels) != images:
        raise DataError(f"{source}: {images} images but {len(labels)} labels; there must be one label an image")
    wide = labels.astype(np.int64)
    if images and (wide.min() < 0 or (classes is not None and wide.max() >= classes)):
        bad = int(wide.min() if wide.min() < 0 else wide.max())
        allowed = "0 or more" if classes is None else f"in 0..{classes - 1}, as the model has {classes} classes"
        raise DataError(f"{source}: label {bad} is out of range; labels must be {allowed}")
    return wide


def draw_order(labels: npt.NDArray[np.int64] | None, count: int, seed: int | None) -> npt.NDArray[np.intp]:
    """Return a random order of ``count`` images of which every prefix holds each class in its share of the whole.

    A class of m images spreads over (0, 1) at the random ranks r = 0..m-1 as (r + u) / m with one random u; sorting
    all images by that key interleaves the classes evenly. Without labels it is a plain shuffle. ``seed`` None keeps
    the order of the source.
    """
    if seed is None:
        return np.arange(count)
    random = np.random.default_rng(seed)
    if labels is None:
        return random.permutation(count)
    key = np.empty(count)
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        key[members] = (random.permutation(len(members)) + random.random()) / len(members)
    return np.argsort(key, kind="stable")


def spans(count: int, size: int) -> Iterator[slice]:
    """Yield the slices that cut ``count`` images into batches of ``size``."""
    if size < 1:
        raise DataError(f"batch size is {size}; it must be at least 1")
    return (slice(start, min(start + size, count)) for start in range(0, count, size))


def capped(count: int, limit: int | None) -> int:
    """Return how many of ``count`` images ``limit`` lets through."""
    if limit is not None and limit < 1:
        raise DataError(f"limit is {limit}; it must be at least 1 image")
    return count if limit is None else min(count, limit)
