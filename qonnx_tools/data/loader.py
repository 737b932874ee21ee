"""A user's own loader: a function that returns arrays or yields batches."""

import importlib
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from qonnx_tools.data.arrays import ArrayDataset
from qonnx_tools.data.dataset import Batch, Dataset, capped, checked_labels
from qonnx_tools.data.model_input import RAW_NOTE, ModelInput
from qonnx_tools.errors import DataError

Loader = Callable[[], object]


class StreamDataset(Dataset):
    """Batches that a function yields, cut anew into the size asked for; nothing is kept.

    The function is called afresh for each pass, and must yield the same images each time. `count` without a limit
    reads all of them.

    Args:
        load: returns an iterable of ``images`` or ``(images, labels)`` arrays, any number of images each.
        model_input: what the images must become.
        source: what error messages and the description call the data.
        classes: of the model; a label at or above is an error. None leaves that unchecked.
    """

    def __init__(self, load: Loader, model_input: ModelInput, source: str, classes: int | None = None) -> None:
        self._load = load
        self._input = model_input
        self._source = source
        self._classes = classes
        first = next(self._stored(), None)
        if first is None:
            raise DataError(f"{source}: returned no images")
        images, labels = first
        model_input.prepare(images[:1], source)
        self._labelled = labels is not None
        self.description = f"images of {source}"
        self.notes = (RAW_NOTE,) if images.dtype == np.uint8 and model_input.preprocessing is None else ()

    @property
    def has_labels(self) -> bool:
        return self._labelled

    def count(self, limit: int | None = None) -> int:
        capped(0, limit)
        seen = 0
        for images, _ in self._stored():
            seen += len(images)
            if limit is not None and seen >= limit:
                return limit
        return seen

    def batches(self, size: int, limit: int | None = None) -> Iterator[Batch]:
        if size < 1:
            raise DataError(f"batch size is {size}; it must be at least 1")
        capped(0, limit)
        left = sys.maxsize if limit is None else limit
        waiting: list[Batch] = []
        for images, labels in self._stored():
            for start in range(0, min(len(images), left), size):
                piece = slice(start, min(start + size, left))
                ready = self._input.prepare(images[piece], self._source)
                waiting.append(Batch(ready, None if labels is None else labels[piece]))
                if sum(len(batch.images) for batch in waiting) >= size:
                    full, rest = _split(waiting, size)
                    waiting = [rest] if len(rest.images) else []
                    yield full
            left -= min(len(images), left)
            if not left:
                break
        if waiting:
            yield _split(waiting, size)[0]

    def _stored(self) -> Iterator[tuple[npt.NDArray[Any], npt.NDArray[np.int64] | None]]:
        """Yield what the function yields, as arrays, checked; empty batches are passed over."""
        with _users_code(self._source):
            result = self._load()
        if not isinstance(result, Iterable):
            raise DataError(
                f"{self._source}: returned {type(result).__name__}; return (images, labels) arrays, or yield batches"
            )
        labelled: bool | None = None
        for item in _items(result, self._source):
            images, labels = _pair(item, self._source)
            if labelled not in {None, labels is not None}:
                raise DataError(f"{self._source}: some batches have labels and some do not; give labels with all")
            labelled = labels is not None
            if len(images):
                checked = None if labels is None else checked_labels(labels, len(images), self._classes, self._source)
                yield images, checked


def open_loader(
    source: str, model_input: ModelInput, *, seed: int | None = None, classes: int | None = None
) -> Dataset:
    """Return the data of ``module:function``; the module is looked for in the working directory, too.

    The function takes no arguments and returns ``images``, ``(images, labels)``, or an iterable of such batches.
    Arrays are put in the order of ``seed``; an iterable keeps its own order.

    Raises:
        DataError: the module cannot be imported, has no such function, the function raises anything, or what it
            returns is not data.
    """
    load = _imported(source)
    with _users_code(source):
        result = load()
    if not (isinstance(result, np.ndarray) or (isinstance(result, tuple) and len(result) == 2)):
        return StreamDataset(load, model_input, source, classes)
    images, labels = _pair(result, source)
    return ArrayDataset(images, labels, model_input, source, seed=seed, classes=classes)


def _imported(source: str) -> Loader:
    module_name, _, name = source.partition(":")
    here = str(Path.cwd())
    sys.path.insert(0, here)
    try:
        module = importlib.import_module(module_name)
    except (ImportError, SyntaxError) as error:
        raise DataError(f"{source}: cannot import the module '{module_name}': {error}") from error
    finally:
        sys.path.remove(here)
    load = getattr(module, name, None)
    if not callable(load):
        raise DataError(f"{source}: the module '{module_name}' has no function '{name}'; check the spelling")
    return load  # type: ignore[no-any-return]  # callable() is all that can be known of a user's function


@contextmanager
def _users_code(source: str) -> Iterator[None]:
    """Say of whatever the user's code raises that it comes from there; the traceback stays attached."""
    try:
        yield
    except MemoryError:
        raise
    except Exception as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{Path(place.filename).name}, line {place.lineno}"
        raise DataError(f"{source}: the loader raised {type(error).__name__}: {error} ({where})") from error


def _items(result: Iterable[object], source: str) -> Iterator[object]:
    """Yield what a user's iterable yields."""
    with _users_code(source):
        iterator = iter(result)
    end = object()
    while True:
        with _users_code(source):
            item = next(iterator, end)
        if item is end:
            return
        yield item


def _pair(item: object, source: str) -> tuple[npt.NDArray[Any], npt.NDArray[Any] | None]:
    """Return ``images`` or ``(images, labels)`` as two arrays."""
    if isinstance(item, (tuple, list)):
        if len(item) != 2:
            raise DataError(f"{source}: gave {len(item)} values at once; give images, or (images, labels)")
        images, labels = np.asarray(item[0]), None if item[1] is None else np.asarray(item[1])
    else:
        images, labels = np.asarray(item), None
    if images.ndim == 0 or images.dtype == object:
        raise DataError(f"{source}: gave {type(item).__name__} where an array of images must stand, [N, ...]")
    return images, labels


def _split(batches: list[Batch], size: int) -> tuple[Batch, Batch]:
    """Return the first ``size`` images of ``batches`` as one batch, and the others as another."""
    images = np.concatenate([batch.images for batch in batches])
    parts = [batch.labels for batch in batches if batch.labels is not None]
    labels = np.concatenate(parts) if parts else None
    return (
        Batch(images[:size], None if labels is None else labels[:size]),
        Batch(images[size:], None if labels is None else labels[size:]),
    )
