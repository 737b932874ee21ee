"""One training: steps of gradient descent, with everything that changes on the way, and its state."""

import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from qonnx_tools.finetune.convolution import gradients_in, precision_of
from qonnx_tools.finetune.images import Batches
from qonnx_tools.finetune.layout import laid_out
from qonnx_tools.finetune.losses import loss_of
from qonnx_tools.finetune.network import Student
from qonnx_tools.finetune.options import FinetuneOptions
from qonnx_tools.plan import tensor_from_json, tensor_to_json

MOMENTUM = 0.9
SCORE_RATE = 0.01
"""Learning rate of the scores of feature-map channels, which descend with momentum whatever trains the weights: how
much the loss feels a channel is what sets them apart."""
SCORE_WEIGHT = 1e-3
"""Of the scores' distance from the threshold in the loss: lambda."""
SCORE_DECADES, SCORE_WARMUP = 5, 0.25
"""Powers of ten by which that weight rises, and the share of the training in which it does."""
CLIP = 1.0
"""Longest gradient of all weights together."""


def score_weight(done: float) -> float:
    """Return the weight of the scores' distance from the threshold when the share ``done`` of the training is."""
    missing = max(0.0, 1 - done / SCORE_WARMUP)
    return SCORE_WEIGHT * 10 ** (-SCORE_DECADES * missing)


class Training:
    """Trains ``student`` towards ``teacher`` on batches of images.

    Every step is determined by the options, the seed and its number: a training that goes on from a saved state ends as
    one that was never stopped.
    """

    def __init__(self, student: Student, teacher: Student | None, batches: Batches, options: FinetuneOptions) -> None:
        self.student, self.teacher, self.batches, self.options = student, teacher, batches, options
        self.device = next(student.parameters()).device
        for _, found in student.each_map():
            found.counted = bool(options.rate_weight)
        self._precision = precision_of(options.precision, self.device)
        self._optimizers = self._make_optimizers()
        self._rates = [[group["lr"] for group in each.param_groups] for each in self._optimizers]
        self.averaged = (
            {name: value.detach().clone() for name, value in student.named_parameters()} if options.average else {}
        )
        self.epoch, self.step = 0, 0
        """Epochs done, and steps done of the one after them."""

    def _make_optimizers(self) -> list[torch.optim.Optimizer]:
        options = self.options
        rate = options.learning_rate
        scales: dict[float, list[Tensor]] = {}
        for each in self.student.each_quantizer():
            if each.exponent.requires_grad:
                scales.setdefault(rate * options.scale_learning_rate * each.pace, []).append(each.exponent)
        scores = [found.scores for _, found in self.student.each_map() if found.scores is not None]
        special = {id(each) for each in (*scores, *(each for group in scales.values() for each in group))}
        others = [each for each in self.student.parameters() if each.requires_grad and id(each) not in special]
        groups: list[dict[str, Any]] = [{"params": others, "lr": rate}]
        groups += [{"params": each, "lr": own} for own, each in sorted(scales.items())]
        found: list[torch.optim.Optimizer] = [
            torch.optim.Adam(groups)
            if options.optimizer == "adam"
            else torch.optim.SGD(groups, momentum=MOMENTUM, nesterov=True)
        ]
        return [*found, torch.optim.SGD(scores, SCORE_RATE, momentum=MOMENTUM)] if scores else found

    @property
    def steps(self) -> int:
        """Steps of the whole training."""
        return self.options.epochs * len(self.batches)

    @property
    def done(self) -> int:
        """Steps done."""
        return self.epoch * len(self.batches) + self.step

    def run_epoch(self) -> Iterator[float]:
        """Yield the loss of each step of the epoch that is due."""
        for images, labels in self.batches.of_epoch(self.epoch, self.step):
            self._prepare()
            loss = self._descend(images.to(self.device), None if labels is None else labels.to(self.device))
            self.step += 1
            yield loss
        self.epoch, self.step = self.epoch + 1, 0

    def _prepare(self) -> None:
        """Set what depends on how far the training is."""
        options, share = self.options, self.done / self.steps
        factor = min(1.0, (self.done + 1) / max(options.warmup * len(self.batches), 1))
        if options.schedule == "cosine":
            factor *= (1 + math.cos(math.pi * share)) / 2
        for optimizer, rates in zip(self._optimizers, self._rates, strict=True):
            for group, rate in zip(optimizer.param_groups, rates, strict=True):
                group["lr"] = rate * factor
        self.student.train()
        self.student.freeze_statistics(frozen=share >= options.freeze_statistics)
        wider = math.ceil(options.wider_bits * (1 - 2 * share)) if share < 0.5 else 0
        for quantizer in self.student.each_quantizer():
            quantizer.wider = wider
        parts = len(options.groups)
        if parts and self.done * parts % self.steps < parts:
            portion = options.groups[self.done * parts // self.steps]
            for _, weights in self.student.each_weights():
                weights.settle(portion)

    def _descend(self, images: Tensor, labels: Tensor | None) -> float:
        x = laid_out(images)
        wanted = self._taught(x)
        with gradients_in(self._precision):
            outputs = self.student(x)
        loss = loss_of(outputs, wanted, labels, self.options.teacher, self.options.temperature)
        value = float(loss.detach())
        for selection in self.student.selections:
            loss = loss - score_weight(self.done / self.steps) * selection.distance
        if self.options.rate_weight:
            maps = [found for _, found in self.student.each_map()]
            bits_a_value = sum(found.bits for found in maps) / sum(found.values for found in maps)
            loss = loss + self.options.rate_weight * bits_a_value
        for optimizer in self._optimizers:
            optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.student.parameters(), CLIP)
        for optimizer in self._optimizers:
            optimizer.step()
        for selection in self.student.selections:
            selection.normalize()
        if self.averaged:
            with torch.no_grad():
                for name, each in self.student.named_parameters():
                    self.averaged[name].lerp_(each, 1 - self.options.average)
        return value

    def _taught(self, x: Tensor) -> Tensor | None:
        if self.teacher is None:
            return None
        rough = self._precision != torch.float32
        with torch.no_grad(), torch.autocast(self.device.type, self._precision, enabled=rough):
            found: Tensor = self.teacher(x)
            return found.float()

    @contextmanager
    def averaging(self) -> Iterator[None]:
        """Let the student have the averaged weights for a while, where there are any."""
        own = {name: each.data for name, each in self.student.named_parameters()}
        for name, each in self.student.named_parameters():
            each.data = self.averaged.get(name, each.data)
        try:
            yield
        finally:
            for name, each in self.student.named_parameters():
                each.data = own[name]

    def state(self) -> dict[str, Any]:
        """Return everything that a training needs to go on."""
        return {
            "student": self.student.state_dict(),
            "formats": {
                name: json.dumps(tensor_to_json(each.quantizer.plan)) for name, each in self.student.each_weights()
            },
            "optimizers": [each.state_dict() for each in self._optimizers],
            "averaged": self.averaged,
            "epoch": self.epoch,
            "step": self.step,
        }

    def load(self, state: dict[str, Any]) -> None:
        """Go on from ``state``."""
        for name, weights in self.student.each_weights():
            weights.quantizer.set_plan(tensor_from_json(json.loads(state["formats"][name]), name))
            settled = state["student"].get(f"weights.{self.student.key(name)}.settled")
            if settled is not None:
                weights.settled = torch.zeros_like(settled)  # so that there is something to load it into
        self.student.load_state_dict(state["student"])
        for optimizer, known in zip(self._optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(known)
        self.averaged = {name: value.to(self.device) for name, value in state["averaged"].items()}
        self.epoch, self.step = state["epoch"], state["step"]
