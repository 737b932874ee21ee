"""Images in a folder, or in one folder a class."""

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from qonnx_tools.data.dataset import Batch, Dataset, capped, checked_labels, draw_order, spans
from qonnx_tools.data.model_input import RAW_NOTE, ModelInput
from qonnx_tools.errors import DataError

SUFFIXES = frozenset({".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"})
"""Endings of the files that count as images, in either case; other files are passed over."""


_DECODING_ERRORS = (OSError, EOFError, SyntaxError, TypeError, ValueError, LookupError, ArithmeticError, struct.error)
"""What Pillow's decoders raise on damaged files, found by damaging some."""


@dataclass(frozen=True)
class _Listing:
    paths: tuple[Path, ...]
    labels: tuple[int, ...] | None
    notes: tuple[str, ...]


class FolderDataset(Dataset):
    """Image files, decoded when a batch asks for them.

    A folder that holds images is one set without labels. A folder of folders is one folder a class: where all names
    are numbers, the name is the label (ImageNet's 0000 to 0999, with gaps or not); else the labels are the positions
    of the names in sorted order. Names that begin with a dot and files that are no images are passed over.

    Args:
        folder: the folder.
        model_input: what the images must become; its channels say whether files are read as grey or as RGB.
        seed: of the order (`draw_order`); None keeps the order of the names.
        classes: of the model; a label at or above is an error. None leaves that unchecked.
    """

    def __init__(
        self, folder: Path, model_input: ModelInput, *, seed: int | None = None, classes: int | None = None
    ) -> None:
        listing = _listed(folder)
        self._paths = listing.paths
        self._labels = None
        if listing.labels is not None:
            self._labels = checked_labels(np.array(listing.labels), len(listing.paths), classes, str(folder))
        self._order = draw_order(self._labels, len(self._paths), seed)
        self._input = model_input
        self._channels = model_input.channels()
        self.description = f"{len(self._paths)} images of {folder}"
        self.notes = (*listing.notes, *(() if model_input.preprocessing else (RAW_NOTE,)))

    @property
    def has_labels(self) -> bool:
        return self._labels is not None

    def count(self, limit: int | None = None) -> int:
        return capped(len(self._paths), limit)

    def batches(self, size: int, limit: int | None = None) -> Iterator[Batch]:
        for span in spans(self.count(limit), size):
            chosen = self._order[span]
            images = np.concatenate([self._read(self._paths[index]) for index in chosen])
            yield Batch(images, None if self._labels is None else self._labels[chosen])

    def _read(self, path: Path) -> npt.NDArray[np.float32]:
        """Return one image as the model reads it, ``[1, ...]``."""
        return self._input.prepare(_decoded(path, self._channels)[None], str(path))


def _listed(folder: Path) -> _Listing:
    try:
        entries = _entries(folder)
        images = _images(entries)
        groups = {entry: _images(_entries(entry)) for entry in entries if entry.is_dir()}
    except OSError as error:
        raise DataError(f"{error.filename}: cannot read the folder: {error.strerror}") from error
    groups = {group: members for group, members in groups.items() if members}
    if images and groups:
        raise DataError(
            f"{folder}: holds both images ({images[0].name}) and folders of images ({next(iter(groups)).name}); "
            "keep one kind"
        )
    if images:
        return _Listing(tuple(images), None, ())
    if not groups:
        raise DataError(f"{folder}: no images ({' '.join(sorted(SUFFIXES))}) in it or in the folders directly inside")
    labels, notes = _class_indices(folder, list(groups))
    return _Listing(
        tuple(path for members in groups.values() for path in members),
        tuple(label for label, members in zip(labels, groups.values(), strict=True) for _ in members),
        notes,
    )


def _entries(folder: Path) -> list[Path]:
    return sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))


def _images(entries: Sequence[Path]) -> list[Path]:
    return [entry for entry in entries if entry.suffix.lower() in SUFFIXES and entry.is_file()]


def _class_indices(folder: Path, groups: Sequence[Path]) -> tuple[Sequence[int], tuple[str, ...]]:
    """Return the label of each class folder, and a note where the labels rest on the sorted names."""
    names = [group.name for group in groups]
    numeric = [name for name in names if name.isascii() and name.isdecimal()]
    if not numeric:
        shown = ", ".join(f"{name} = {index}" for index, name in enumerate(names[:3]))
        more = ", ..." if len(names) > 3 else ""
        return range(len(names)), (f"Labels are the positions of the folder names in sorted order: {shown}{more}.",)
    if len(numeric) < len(names):
        other = next(name for name in names if name not in numeric)
        raise DataError(
            f"{folder}: folder names are partly numbers ('{numeric[0]}') and partly not ('{other}'); "
            "name all by class index, or none"
        )
    indices = [int(name) for name in names]
    if len(set(indices)) < len(indices):
        raise DataError(f"{folder}: two folders have names for the same class index; merge them")
    return indices, ()


def _decoded(path: Path, channels: int) -> npt.NDArray[np.uint8]:
    """Return an image file as uint8 ``[H, W, channels]``, grey or RGB; transparency is dropped."""
    from PIL import Image  # noqa: PLC0415  # slow to import, and only image files need it

    try:
        with Image.open(path) as image:
            if image.mode.startswith(("I", "F")):
                raise DataError(f"{path}: pixels of more than 8 bits (Pillow mode {image.mode}); convert it to 8 bits")
            pixels: npt.NDArray[Any] = np.asarray(image.convert("L" if channels == 1 else "RGB"), dtype=np.uint8)
    except (*_DECODING_ERRORS, Image.DecompressionBombError) as error:
        raise DataError(f"{path}: cannot read the image, it may be damaged ({error}); replace or remove it") from error
    return pixels.reshape(*pixels.shape[:2], channels)
