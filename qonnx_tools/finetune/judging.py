"""How good a plan is: its integer graph on validation images, beside the simulation that was trained."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from qonnx_tools.compression.stored import MapMeter
from qonnx_tools.conversion import apply, copied
from qonnx_tools.finetune.images import Split, mixed
from qonnx_tools.finetune.layout import laid_out
from qonnx_tools.finetune.losses import loss_of
from qonnx_tools.finetune.network import Student
from qonnx_tools.finetune.options import FinetuneOptions
from qonnx_tools.graph import Model
from qonnx_tools.plan import Plan
from qonnx_tools.preparation import Prepared
from qonnx_tools.runtime import run, session
from qonnx_tools.targets import NATIVE

BATCH = 256
METERED = 512
"""Most images of which the bits of feature maps are counted."""
Outputs = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Measured:
    """What the native graph of a plan does on the validation images.

    ``loss`` is that of training, of mixed images where it mixes them; ``top1`` is the share of right
    answers, or of the teacher's where there are no labels; None where outputs are no logits. ``differing`` counts the
    images of which the simulation, whose sums round in float32, predicts another class; None where that was not looked
    at. ``bits`` are those of compressed feature maps, a value; None where there are none.
    """

    epoch: int
    loss: float
    top1: float | None
    images: int
    differing: int | None
    bits: float | None = None


class Judge:
    """Measures plans of one network; ``teacher`` is the float model whose answers are wanted."""

    def __init__(self, prepared: Prepared, teacher: Model, split: Split, options: FinetuneOptions) -> None:
        self._prepared, self._split, self._options = prepared, split, options
        truth = split.validation_labels
        self._labels = None if truth is None else torch.from_numpy(truth)
        plain, random = torch.from_numpy(split.validation), np.random.default_rng(options.seed)
        shown, self._shown_labels = mixed(plain, self._labels, options.mix, random)
        self._images = torch.cat([plain, shown]).numpy() if options.mix else split.validation
        self._wanted = torch.from_numpy(outputs_of(teacher, self._images))

    def measure(self, plan: Plan, epoch: int, student: Student | None = None) -> Measured:
        """Return what ``plan`` does, and how many predictions of ``student`` differ from those of its graph."""
        count = len(self._split.validation)
        model = apply(copied(self._prepared), plan, NATIVE).model
        everything = torch.from_numpy(outputs_of(model, self._images))
        logits, wanted = everything[:count], self._wanted[:count]
        shown, answers = everything[-count:], self._wanted[-count:]
        share, temperature = self._options.teacher, self._options.temperature
        loss = float(loss_of(shown, answers, self._shown_labels, share, temperature))
        top1, differing = None, None
        if logits.dim() == 2:
            right = wanted.argmax(1) if self._labels is None else self._labels
            top1 = float((logits.argmax(1) == right).float().mean())
            if student is not None:
                differing = int((_predicted(student, self._split.validation) != logits.argmax(1)).sum())
        return Measured(epoch, loss, top1, count, differing, _bits(model, self._split.validation[:METERED]))


def outputs_of(model: Model, images: npt.NDArray[np.float32]) -> Outputs:
    """Return the first output of ``model`` for ``images``."""
    runner = session(model)
    return np.concatenate([run(runner, part)[0] for part in parts(images, BATCH)])


def _bits(model: Model, images: npt.NDArray[np.float32]) -> float | None:
    meter = MapMeter(model)
    for part in parts(images, BATCH):
        meter.run(part)
    stored = meter.result()
    return None if stored is None else stored.total.bits_a_value


def parts(images: npt.NDArray[np.float32], size: int) -> Iterator[npt.NDArray[np.float32]]:
    """Yield ``images`` in batches."""
    return (images[at : at + size] for at in range(0, len(images), size))


def on_device(images: npt.NDArray[np.float32], device: Any) -> Tensor:
    """Return ``images`` as training has them in memory."""
    return laid_out(torch.from_numpy(images).to(device))


def _predicted(student: Student, images: npt.NDArray[np.float32]) -> Tensor:
    device = next(student.parameters()).device
    with student.as_exported(), torch.no_grad():
        return torch.cat([student(on_device(part, device)).argmax(1).cpu() for part in parts(images, BATCH)])
