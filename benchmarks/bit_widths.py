"""The accuracy of a network as its convolutions get narrower, and the width that it needs.

A treatment says what shares a number format and what becomes of batch normalization; the convolution bits N are those
of weights and activations.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import takewhile

from subjects import Subject

from qonnx_tools.conversion import convert
from qonnx_tools.plan import BatchNorm, Plan
from qonnx_tools.schemes.fixed import Fixed
from qonnx_tools.schemes.network import Network
from qonnx_tools.schemes.overrides import Override
from qonnx_tools.statistics import PairedComparison, Proportion, compare_paired, proportion

WIDTHS = tuple(range(16, 4, -1))
"""Convolution bits tried, widest first."""
LOSS = 0.01
"""The share of accuracy that a width may cost to be good enough."""


@dataclass(frozen=True)
class Treatment:
    """What shares a format (granularity), what becomes of batch norm, and its width; None is the convolutions'.

    With ``roles_apart`` weights, activations and batch-norm constants share formats each among themselves.
    """

    name: str
    granularity: str
    batch_norm: BatchNorm
    batch_norm_bits: int | None = None
    roles_apart: bool = False

    def plan(self, network: Network, bits: int) -> Plan:
        """Return the plan for ``bits`` convolution bits."""
        return Fixed(
            weight_bits=bits,
            activation_bits=bits,
            granularity=self.granularity,
            batch_norm=self.batch_norm,
            batch_norm_bits=self.batch_norm_bits or bits,
            overrides=tuple(self._exceptions(network)) if self.roles_apart else (),
        ).propose(network)

    def _exceptions(self, network: Network) -> Iterator[Override]:
        """Let weights share among themselves, and batch-norm constants, by sharing as far as no other tensor does."""
        other = {"granularity": "class" if self.granularity == "network" else "network"}
        yield from (Override(layer.weight, other) for layer in network.layers)
        yield from (Override(name, other) for unit in network.normalizations for name in (unit.scale, unit.offset))


SHARED = Treatment("shared: one format for the network, BN N", "network", BatchNorm.SEPARATE)
PER_CLASS = Treatment("a format a class, BN 16", "class", BatchNorm.SEPARATE, 16)
SHARED_ROLES = replace(SHARED, name="shared, but one for weights, activations, BN constants", roles_apart=True)
PER_CLASS_ROLES = replace(PER_CLASS, name="a class likewise, BN 16", roles_apart=True)
PER_LAYER = Treatment("a format a layer, BN N", "layer", BatchNorm.SEPARATE)
PER_LAYER_APART = Treatment("a format a layer, BN 16", "layer", BatchNorm.SEPARATE, 16)
PER_CHANNEL = Treatment("a weight format a channel, BN N", "channel", BatchNorm.SEPARATE)
PER_CHANNEL_APART = Treatment("a weight format a channel, BN 16", "channel", BatchNorm.SEPARATE, 16)
FOLDED = Treatment("a format a layer, folded", "layer", BatchNorm.FOLD)
FOLDED_CHANNELS = Treatment("a weight format a channel, folded", "channel", BatchNorm.FOLD)


@dataclass(frozen=True)
class Point:
    """What one width does to the network on one test set; ``paired`` and ``top1`` are None without labels."""

    treatment: str
    bits: int
    test: str
    top1: Proportion | None
    paired: PairedComparison | None
    agreement: Proportion

    @property
    def difference(self) -> str:
        """The difference in top-1 in points with the lower end of its interval; without labels the agreement in %."""
        if self.paired is None:
            return f"{100 * self.agreement.share:.1f}"
        return f"{100 * self.paired.difference:+.2f} [{100 * self.paired.low:+.2f}]"

    @property
    def surely_within(self) -> bool:
        """Whether the whole interval of the difference in accuracy lies above -LOSS."""
        return self.paired is not None and self.paired.low > -LOSS

    @property
    def about_within(self) -> bool:
        """Whether the difference in accuracy found is at least -LOSS."""
        return self.paired is not None and self.paired.difference >= -LOSS


def measure(subject: Subject, treatment: Treatment, bits: int, target: str = "native") -> list[Point]:
    """Convert with ``bits`` convolution bits and compare with the float model, on every test set."""
    plan = treatment.plan(subject.network(treatment.batch_norm), bits)
    found = subject.outputs(convert(subject.model, plan=plan, target=target).model)
    points = []
    for test, output in zip(subject.tests, found, strict=True):
        chosen, reference = output.argmax(axis=1), subject.expected(test).argmax(axis=1)
        agreement = proportion(int((chosen == reference).sum()), len(chosen))
        top1, paired = None, None
        if test.labels is not None:
            right = chosen == test.labels
            top1, paired = proportion(int(right.sum()), len(right)), compare_paired(reference == test.labels, right)
        points.append(Point(treatment.name, bits, test.name, top1, paired, agreement))
    return points


def knee(points: Iterable[Point], passes: Callable[[Point], bool]) -> int | None:
    """Return the least width that passes together with all wider ones tried; None where the widest does not."""
    passing = takewhile(passes, sorted(points, key=lambda point: -point.bits))
    return min((point.bits for point in passing), default=None)


def shown(width: int | None) -> str:
    """Return ``width`` in words: None is more than the widest tried."""
    return f"> {max(WIDTHS)}" if width is None else str(width)
