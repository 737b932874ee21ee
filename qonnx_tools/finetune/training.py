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
"""Learning rate of the scores of feature-map channels."""
SCORE_WEIGHT = 1e-3
"""Of the scores' distance from the threshold in the loss: lambda."""
CLIP = 1.0
"""Longest gradient of all weights together."""


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
        self._optimizer, self._rates = self._make_optimizer()
        self.averaged = (
            {name: value.detach().clone() for name, value in student.named_parameters()} if options.average else {}
        )
        self.epoch, self.step = 0, 0
        """Epochs done, and steps done of the one after them."""

    def _make_optimizer(self) -> tuple[torch.optim.Optimizer, list[float]]:
        options = self.options
        rate = options.learning_rate
        scales: dict[float, list[Tensor]] = {}
        for each in self.student.each_quantizer():
            if each.exponent.requires_grad:
                scales.setdefault(rate * options.scale_learning_rate * each.pace, []).append(each.exponent)
        scores = [found.scores for _, found in self.student.each_map() if found.scores is not None]
        special = {id(each) for each in (*scores, *(each for group in scales.values() for each in group))}
        others = [each for each in self.student.parameters() if each.requires_grad and id(each) not in special]
        groups = [(rate, others), *sorted(scales.items()), (SCORE_RATE, scores)]
        given: list[dict[str, Any]] = [{"params": each, "lr": own} for own, each in groups if each]
        rates = [own for own, each in groups if each]
        if options.optimizer == "adam":
            return torch.optim.Adam(given), rates
        return torch.optim.SGD(given, momentum=MOMENTUM, nesterov=True), rates

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
        for group, rate in zip(self._optimizer.param_groups, self._rates, strict=True):
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
        maps = [found for _, found in self.student.each_map()]
        for found in maps:
            loss = loss - SCORE_WEIGHT * found.distance
        if self.options.rate_weight:
            bits_a_value = sum(found.bits for found in maps) / sum(found.values for found in maps)
            loss = loss + self.options.rate_weight * bits_a_value
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.student.parameters(), CLIP)
        self._optimizer.step()
        for found in maps:
            found.normalize()
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
            "optimizer": self._optimizer.state_dict(),
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
        self._optimizer.load_state_dict(state["optimizer"])
        self.averaged = {name: value.to(self.device) for name, value in state["averaged"].items()}
        self.epoch, self.step = state["epoch"], state["step"]
