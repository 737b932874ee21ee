"""Images that a network is trained on, and others on which the best epoch is chosen."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from qonnx_tools.data import Dataset
from qonnx_tools.errors import DataError
from qonnx_tools.finetune.options import FinetuneOptions

READ = 256
MOST_VALIDATION = 5000
LEAST = 4
SHIFT = 8
"""Images are shifted by up to 1 / SHIFT of their size."""


@dataclass(frozen=True)
class Split:
    """Training and validation images ``[N, ...]`` in memory, with labels ``[N]`` where there are any."""

    images: npt.NDArray[np.float32]
    labels: npt.NDArray[np.int64] | None
    validation: npt.NDArray[np.float32]
    validation_labels: npt.NDArray[np.int64] | None
    description: str

    @classmethod
    def of(cls, dataset: Dataset, share: float, limit: int | None, *, labels: bool) -> "Split":
        """Read ``dataset`` and keep ``share`` of it for validation.

        Raises:
            DataError: there are too few images.
        """
        batches = list(dataset.batches(READ, limit=limit))
        images = np.concatenate([batch.images for batch in batches]) if batches else np.empty(0, np.float32)
        if len(images) < LEAST:
            raise DataError(f"{dataset.description}: training needs {LEAST} images or more")
        known = [batch.labels for batch in batches if batch.labels is not None]
        truth = np.concatenate(known) if known and labels else None
        kept = min(max(1, round(share * len(images))), MOST_VALIDATION, len(images) - 2)
        parts = (truth[kept:], truth[:kept]) if truth is not None else (None, None)
        return cls(images[kept:], parts[0], images[:kept], parts[1], dataset.description)


@dataclass(frozen=True)
class Batches:
    """Batches of an epoch: the same ones whenever they are asked for, whatever happened before."""

    split: Split
    size: int
    seed: int
    augment: str
    mix: float

    @classmethod
    def of(cls, split: Split, options: FinetuneOptions) -> "Batches":
        """Return the batches that ``options`` ask for."""
        return cls(split, min(options.batch_size, len(split.images)), options.seed, options.augment, options.mix)

    def __len__(self) -> int:
        return max(1, len(self.split.images) // self.size)

    def of_epoch(self, epoch: int, first: int = 0) -> Iterator[tuple[Tensor, Tensor | None]]:
        """Yield images and labels from batch number ``first`` on; a short last batch is left out.

        Labels are classes ``[N]``, or of mixed images the shares of the classes ``[N, classes]``.
        """
        order = np.random.default_rng((self.seed, epoch)).permutation(len(self.split.images))
        for number in range(first, len(self)):
            chosen = order[number * self.size : (number + 1) * self.size]
            random = np.random.default_rng((self.seed, epoch, number))
            images = augmented(torch.from_numpy(self.split.images[chosen]), self.augment, random)
            labels = None if self.split.labels is None else torch.from_numpy(self.split.labels[chosen])
            yield mixed(images, labels, self.mix, random)


def augmented(images: Tensor, how: str, random: np.random.Generator) -> Tensor:
    """Return ``images`` ``[N, C, H, W]`` each shifted, or mirrored, at random; others than 4-D as they are.

    What a shift brings in from outside repeats the border.
    """
    if how == "none" or images.dim() != 4:
        return images
    count, _, height, width = images.shape
    if how == "shift-flip":
        turned = torch.from_numpy(random.random(count) < 0.5)
        images = torch.where(turned[:, None, None, None], images.flip(3), images)
    by_rows, by_columns = height // SHIFT, width // SHIFT
    padded = F.pad(images, (by_columns, by_columns, by_rows, by_rows), mode="replicate")
    rows = torch.from_numpy(random.integers(0, 2 * by_rows + 1, count))[:, None] + torch.arange(height)
    columns = torch.from_numpy(random.integers(0, 2 * by_columns + 1, count))[:, None] + torch.arange(width)
    return padded[torch.arange(count)[:, None, None], :, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


def mixed(
    images: Tensor, labels: Tensor | None, most: float, random: np.random.Generator
) -> tuple[Tensor, Tensor | None]:
    """Return ``images`` ``[N, ...]`` each with a share, up to ``most``, of the one after it, and what they show.

    Source: Zhang et al., "mixup: beyond empirical risk minimization", 2018.
    """
    if not most:
        return images, labels
    shares = torch.from_numpy((random.random(len(images)) * most).astype(np.float32))

    def blend(x: Tensor) -> Tensor:
        return torch.lerp(x, x.roll(-1, 0), shares.reshape(-1, *[1] * (x.dim() - 1)))

    return blend(images), None if labels is None else blend(F.one_hot(labels).float())
