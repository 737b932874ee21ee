"""One number format for many tensors: those of a class, or of the whole network."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from qonnx_tools.arithmetic.fixed_point import FixedPoint
from qonnx_tools.arithmetic.formats import Format
from qonnx_tools.arithmetic.log import Log
from qonnx_tools.plan import TensorPlan
from qonnx_tools.schemes._fit import Sample, squared_error

SHARING = ("network", "class")
"""Granularities at which tensors share a format."""


@dataclass(frozen=True)
class Member:
    """A tensor that may share its format: the one that it has alone, and what returns its values.

    ``granularity`` is how far it shares, and ``batch_norm`` tells that it is of the batch-norm class: a constant of a
    batch normalization, or what a layer leaves for one. ``settled`` tells that its values were made for the format,
    which its group then takes over.
    """

    alone: TensorPlan
    sample: Callable[[], Sample]
    granularity: str
    batch_norm: bool = False
    settled: bool = False

    @property
    def group(self) -> tuple[object, ...]:
        """What the tensors that share a format have in common: reach, class, kind of number and width."""
        form = self.alone.format
        kind = form.kind, form.bits, form.steps if isinstance(form, Log) else None
        return self.granularity, self.batch_norm and self.granularity == "class", *kind


def share(members: Mapping[str, Member]) -> dict[str, TensorPlan]:
    """Return the plan of each tensor that shares its format with others.

    The format of a group is the one with the least sum of noise-to-signal ratios over its tensors, so that a tensor
    of small numbers counts as much as one of large numbers: errors reach the result relative to their signals.
    """
    groups: dict[tuple[object, ...], list[Member]] = {}
    sharing = {name: member for name, member in members.items() if member.granularity in SHARING}
    for member in sharing.values():
        groups.setdefault(member.group, []).append(member)
    best = {group: _joint(found) for group, found in groups.items()}
    return {name: replace(member.alone, format=best[member.group]) for name, member in sharing.items()}


def noise_to_signal(candidate: Format, of: Sample, rounding: str | None = None) -> float:
    """Return sum (x - quantize(x))^2 / sum x^2 over the sample; 0 where all numbers are zero."""
    values, counts = of
    signal = float(np.dot(np.square(values.astype(np.float64)), counts))
    return squared_error(candidate, of, rounding) / signal if signal else 0.0


def _joint(group: Sequence[Member]) -> Format:
    for member in group:
        if member.settled:
            return member.alone.format
    candidates = _candidates([member.alone.format for member in group])
    samples = [(member.sample(), member.alone.rounding) for member in group]
    return min(candidates, key=lambda candidate: sum(noise_to_signal(candidate, *each) for each in samples))


def _candidates(alone: Sequence[Format]) -> list[Format]:
    """Return the formats to try for a group: those of its tensors, and what lies between them, coarsest first.

    All are signed if one is; in fixed point an unsigned format of the same step then takes a bit more of range.
    """
    logs = [item for item in alone if isinstance(item, Log)]
    if logs:
        signed = any(item.signed for item in logs)
        return list(dict.fromkeys(replace(item, signed=signed) for item in logs))
    fixed = [item for item in alone if isinstance(item, FixedPoint)]
    signed = any(item.signed for item in fixed)
    fracs = [int(np.max(item.frac)) for item in fixed]
    lost = any(not item.signed for item in fixed) and signed
    return [FixedPoint(fixed[0].bits, frac, signed) for frac in range(min(fracs) - lost, max(fracs) + 1)]
