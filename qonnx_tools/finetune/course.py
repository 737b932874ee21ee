"""The course of a training, from its beginning or from where it was stopped, and what it leaves on disk."""

import hashlib
import json
import time
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

from qonnx_tools.errors import ConfigError
from qonnx_tools.finetune.checkpoint import load_state, save_state, write_whole
from qonnx_tools.finetune.judging import Judge, Measured, on_device
from qonnx_tools.finetune.learned import learned_plan, settle_formats
from qonnx_tools.finetune.normalization import Mode
from qonnx_tools.finetune.training import Training
from qonnx_tools.graph import gs
from qonnx_tools.plan import Plan, load_plan, plan_to_json, save_plan

BEST = "best.plan.json"
"""The plan of the best epoch so far."""
LOG = "log.jsonl"
"""The losses, a line a step; what was measured, a line an epoch."""
STATISTICS_BATCHES = 16
"""Batches that statistics of batch normalizations are measured on before training."""
SAVE_SECONDS = 30
Progress = Callable[[str, int, int], None]


class Course:
    """Runs ``training`` and keeps the best plan in ``folder``; ``graph`` is the network that plans are for."""

    def __init__(self, training: Training, judge: Judge, plan: Plan, graph: gs.Graph, folder: Path) -> None:
        self._training, self._judge, self._plan, self._graph, self._folder = training, judge, plan, graph, folder
        self.measured: list[Measured] = []
        """The plan as it was given, then every epoch."""
        self._rows: list[dict[str, Any]] = []
        self._saved = 0.0

    @property
    def best(self) -> Measured:
        """The epoch of the least loss, with the weighted bits of feature maps; of those that are equal the first."""
        weight = self._training.options.rate_weight
        return min(self.measured, key=lambda each: each.loss + weight * (each.bits or 0.0))

    @property
    def best_plan(self) -> Plan:
        """The plan of the best epoch."""
        return load_plan(self._folder / BEST)

    @cached_property
    def _task(self) -> dict[str, str]:
        """What a training that goes on must have in common with the one before."""
        split = self._training.batches.split
        return {
            "options": json.dumps(asdict(self._training.options), sort_keys=True),
            "plan": _digest(
                [plan_to_json(self._plan).encode(), *(self._plan.fitted[name] for name in sorted(self._plan.fitted))]
            ),
            "images": _digest([split.images, split.validation]),
        }

    def begin(self) -> None:
        """Make the folder; what an earlier training left there is written over."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(f"'{self._folder}' cannot be made: {error.strerror}; name another OUT") from error

    def resume(self) -> None:
        """Go on from what the folder holds. Raises ``ConfigError`` where that is another training."""
        state = load_state(self._folder)
        other = [name for name, value in self._task.items() if state["task"].get(name) != value]
        if other:
            raise ConfigError(
                f"'{self._folder}' holds a training with other {' and '.join(other)}; give the same as then"
            )
        self._training.load(state["training"])
        self.measured = [Measured(**each) for each in state["measured"]]
        self._rows = state["rows"]

    def run(self, progress: Progress) -> None:
        """Train to the end."""
        training = self._training
        if not self.measured:
            progress("statistics", 0, 0)
            self._measure_statistics()
            self._keep(self._plan, self._judge.measure(self._plan, 0))
        while training.epoch < training.options.epochs:
            for loss in training.run_epoch():
                self._rows.append({"step": training.done, "loss": loss})
                progress(self._words(loss), training.done, training.steps)
                if time.monotonic() - self._saved > SAVE_SECONDS:
                    self._save()
            with training.averaging():
                settle_formats(training.student, self._plan, self._graph)
                plan = learned_plan(training.student, self._plan, self._graph)
                found = self._judge.measure(plan, training.epoch, training.student)
            self._keep(plan, found)

    def _words(self, loss: float) -> str:
        top1 = "" if self.best.top1 is None else f", {100 * self.best.top1:.2f} %"
        known = f"best: epoch {self.best.epoch}, loss {self.best.loss:.4f}{top1}"
        return f"training, epoch {self._training.epoch + 1}: loss {loss:.4f}; {known}"

    def _keep(self, plan: Plan, found: Measured) -> None:
        """Note what was measured, and keep the plan where it is the best so far."""
        self.measured.append(found)
        if self.best is found:
            save_plan(plan, self._folder / BEST)
        row = {"step": self._training.done, "validation_loss": found.loss, "validation_top1": found.top1}
        self._rows.append(row if found.bits is None else row | {"validation_bits": found.bits})
        self._save()

    def _save(self) -> None:
        save_state(
            self._folder,
            {
                "task": self._task,
                "training": self._training.state(),
                "measured": [asdict(each) for each in self.measured],
                "rows": self._rows,
            },
        )
        write_whole(self._folder / LOG, "".join(json.dumps(row) + "\n" for row in self._rows).encode())
        self._saved = time.monotonic()

    def _measure_statistics(self) -> None:
        """Measure the batch normalizations' statistics: of the float network, then with the formats."""
        student, batches = self._training.student, self._training.batches
        units = [unit for _, unit in student.each_normalization()]
        if not units:
            return
        student.eval()
        for mode in (Mode.OBSERVE, Mode.ESTIMATE):
            for unit in units:
                unit.start(mode)
            with student.in_float() if mode is Mode.OBSERVE else nullcontext(), torch.no_grad():
                for at in range(0, min(STATISTICS_BATCHES * batches.size, len(batches.split.images)), batches.size):
                    student(on_device(batches.split.images[at : at + batches.size], self._training.device))
            for unit in units:
                unit.finish()


def _digest(parts: Iterable[Any]) -> str:
    found = hashlib.sha256()
    for part in parts:
        found.update(np.ascontiguousarray(part).data if isinstance(part, np.ndarray) else part)
    return found.hexdigest()
