"""The number formats of a plan as modules whose scale can be learned: the same numbers, to the bit."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from qonnx_tools.arithmetic.fixed_point import FRAC_RANGE, FixedPoint
from qonnx_tools.arithmetic.formats import Format
from qonnx_tools.arithmetic.log import Log, LogRounding, magnitudes, thresholds
from qonnx_tools.arithmetic.rounding import Rounding
from qonnx_tools.errors import ConfigError
from qonnx_tools.finetune.gradients import StraightThrough
from qonnx_tools.finetune.layout import pieces
from qonnx_tools.plan import TensorPlan
from qonnx_tools.schemes._fit import SCALE_BITS

WIDEST, WIDEST_LOG = 32, 6
"""Most bits that formats are made wider to; more magnitudes in log codes than these are too small to matter."""
OCTAVE = 1 << 23
"""1 in the exponent of float32."""


class FormatQuantizer(nn.Module, ABC):
    """Quantizes to the format of ``plan``.

    ``exponent`` is the binary logarithm of its scale, 0-d or in a shape that broadcasts against the tensors; learned
    where ``learns``, at ``pace`` times the rate of other kinds. ``wider`` are bits that are added to its width for now.
    Not ``active``, it neither rounds nor limits, but leaves out what is below 0 where its codes have no sign.
    """

    pace: ClassVar[float] = 1.0

    def __init__(self, plan: TensorPlan, rank: int, *, learns: bool) -> None:
        super().__init__()
        self.plan, self.rank, self.wider, self.active = plan, rank, 0, True
        first = self._across(self._exponents(plan.format))
        if learns:
            self.exponent: Tensor = nn.Parameter(first)
        else:
            self.register_buffer("exponent", first, persistent=False)

    @abstractmethod
    def _exponents(self, of: Any) -> np.ndarray[Any, Any]:
        """Return the binary logarithms of the scale of a format."""

    @abstractmethod
    def _with_exponents(self, exponents: np.ndarray[Any, Any]) -> Format:
        """Return the format of the plan with these scales."""

    @abstractmethod
    def _steps(self) -> tuple[Any, Any, Any]:
        """Return what quantizes a tensor, and both ends of the range, for the present scale."""

    @property
    def format(self) -> Any:
        """The :class:`Format` with the scale as it is now."""
        if not self.exponent.requires_grad:
            return self.plan.format
        return self._with_exponents(self.exponent.detach().cpu().numpy().astype(np.float64))

    def set_plan(self, plan: TensorPlan) -> None:
        """Quantize to another format from now on."""
        self.plan = plan
        self.exponent.data = self._across(self._exponents(plan.format)).to(self.exponent.device)

    def forward(self, x: Tensor) -> Tensor:
        if not self.active:
            return x.clamp_min(0) if self.plan.format.code_range[0] == 0 else x
        quantized, low, high = self._steps()
        result: Tensor = StraightThrough.apply(  # type: ignore[no-untyped-call]  # torch's
            x, self.exponent, quantized, low, high
        )
        return result

    def _across(self, values: np.ndarray[Any, Any]) -> Tensor:
        return torch.tensor(self.plan.format.across(values, self.rank, self.plan.axis), dtype=torch.float32)

    def _tensor(self, values: Any) -> Tensor:
        return torch.as_tensor(values, dtype=torch.float32, device=self.exponent.device)


class FixedQuantizer(FormatQuantizer):
    """Fixed point. The exponent is that of the step, minus the fraction bits; it counts rounded to an integer."""

    pace = 10.0  # it has half an octave to go before anything changes

    def _exponents(self, of: FixedPoint) -> np.ndarray[Any, Any]:
        return -np.asarray(of.frac, np.float64)

    def _with_exponents(self, exponents: np.ndarray[Any, Any]) -> FixedPoint:
        of: Any = self.plan.format
        frac = np.clip(-np.rint(exponents), *FRAC_RANGE).astype(int).ravel()
        return FixedPoint(of.bits, int(frac[0]) if of.channels is None else tuple(frac.tolist()), of.signed, of.narrow)

    def _steps(self) -> tuple[Any, Any, Any]:
        of = self.format
        wider = min(self.wider, WIDEST - of.bits)
        wide = FixedPoint(of.bits + wider, of.frac, of.signed, of.narrow)
        low, high = (float(bound) for bound in wide.float_code_range)
        fracs = np.asarray(of.frac) + wider
        if of.channels is None:
            up, down = 2.0 ** float(fracs), 2.0 ** -float(fracs)
        else:
            across: Any = self.plan.format.across(fracs, self.rank, self.plan.axis)
            up, down = (self._tensor(np.ldexp(1.0, exponents)) for exponents in (across, -across))
        rounded = ROUNDED[list(Rounding)[of.rounding_code(self.plan.rounding)]]

        def quantized(x: Tensor) -> Tensor:
            result = torch.empty_like(x)
            for part, place in pieces(x, result):
                codes = rounded(torch.mul(part, up, out=place)).clamp_(low, high).add_(0.0)
                torch.mul(codes, down, out=place)
            return result

        return quantized, low * down, high * down


def _half_up(x: Tensor) -> Tensor:
    below = x.floor()
    return below + (x - below >= 0.5)


def _half_away(x: Tensor) -> Tensor:
    size = x.abs()
    return torch.copysign(_half_up(size), x)


ROUNDED: Mapping[Rounding, Callable[[Tensor], Tensor]] = {
    Rounding.HALF_EVEN: Tensor.round_,
    Rounding.HALF_UP: _half_up,
    Rounding.HALF_AWAY: _half_away,
    Rounding.FLOOR: Tensor.floor_,
    Rounding.CEIL: Tensor.ceil_,
    Rounding.TOWARD_ZERO: Tensor.trunc_,
}
"""How numbers of which 1 is the step are rounded; float32 has the rest beyond floor exactly, at any size."""


class LogQuantizer(FormatQuantizer):
    """Logarithmic. A learned scale keeps SCALE_BITS significant bits, or stays a power of two where it is one.

    The code of a magnitude counts the thresholds that it reaches. Those of every second (base 2: every) code are each
    half of the one before, and so are the levels: their bit patterns as float32 differ by 1 in the exponent alone. The
    difference of the patterns of a number and of the first threshold, without the bits of the mantissa, is that of the
    first level and of the number's, exactly, or of the level half an octave above.
    """

    def __init__(self, plan: TensorPlan, rank: int, *, learns: bool) -> None:
        super().__init__(plan, rank, learns=learns)
        scales = np.asarray(getattr(plan.format, "scale", 1.0), np.float32)
        self._powers = bool((np.frexp(scales)[0] == 0.5).all())

    def _exponents(self, of: Log) -> np.ndarray[Any, Any]:
        return np.log2(np.asarray(of.scale, np.float64))

    def _with_exponents(self, exponents: np.ndarray[Any, Any]) -> Log:
        of: Any = self.plan.format
        scales = np.exp2(np.rint(exponents) if self._powers else exponents).ravel()
        mantissas, powers = np.frexp(scales)
        scales = np.ldexp(np.rint(np.ldexp(mantissas, SCALE_BITS)), powers - SCALE_BITS)
        scale = float(scales[0]) if of.channels is None else tuple(scales.tolist())
        return Log(of.bits, scale, of.steps, of.signed)

    def _steps(self) -> tuple[Any, Any, Any]:
        of = self.format
        wide = Log(min(of.bits + self.wider, WIDEST_LOG), of.scale, of.steps, of.signed) if self.wider else of
        scale = np.asarray(wide.scale, np.float32)
        mode = list(LogRounding)[of.rounding_code(self.plan.rounding)]
        first = least_reaching(thresholds(scale, wide.count, wide.steps, mode), mode)
        levels = np.concatenate(
            [np.zeros((*scale.shape, 1), np.float32), magnitudes(scale, wide.count, wide.steps)[..., ::-1]], -1
        )
        across = self._tensor(wide.across(scale, self.rank, self.plan.axis)) if scale.ndim else float(scale)
        low = -across if wide.signed else (torch.zeros_like(across) if isinstance(across, Tensor) else 0.0)
        if scale.ndim:
            return self._by_channel(wide, first, levels), low, across
        return self._whole(wide, first, levels), low, across

    def _whole(self, of: Log, first: np.ndarray[Any, Any], levels: np.ndarray[Any, Any]) -> Any:
        highest, second = (int(first[min(at, of.count - 1)].view(np.int32)) for at in (0, 1))
        top, below = (int(levels[-1 - min(at, of.count - 1)].view(np.int32)) for at in (0, 1))
        # in patterns, from the first threshold up to the second's double, and from the first level likewise
        between, step = OCTAVE - (highest - second), OCTAVE - (top - below)
        last, lowest = int(first[-1].view(np.int32)), int(levels[1].view(np.int32))

        def quantized(x: Tensor) -> Tensor:
            result = torch.empty_like(x)
            for part, place in pieces(x, result):
                bits, level = (part.abs() if of.signed else part).view(torch.int32), place.view(torch.int32)
                torch.sub(bits, highest, out=level)
                beyond = level & (OCTAVE - 1)
                level -= beyond
                if of.steps == 2:
                    level += beyond.ge_(between).mul_(step)
                level.add_(top).clamp_(lowest, top).mul_(torch.ge(bits, last, out=beyond))
                if of.signed:
                    place.copysign_(part).add_(0.0)
            return result

        return quantized

    def _by_channel(self, of: Log, first: np.ndarray[Any, Any], levels: np.ndarray[Any, Any]) -> Any:
        axis = self.plan.axis or 0
        ascending, table = self._tensor(first[:, ::-1].copy()), self._tensor(levels)

        def quantized(x: Tensor) -> Tensor:
            rows = x.movedim(axis, 0)
            flat = rows.reshape(rows.shape[0], -1)
            size = flat.abs() if of.signed else flat
            codes = torch.searchsorted(ascending, size.contiguous(), right=True)
            found = table.gather(1, codes)
            found = torch.copysign(found, flat).add_(0.0) if of.signed else found
            return found.view(rows.shape).movedim(0, axis)

        return quantized


def least_reaching(exact: np.ndarray[Any, Any], mode: LogRounding) -> np.ndarray[Any, Any]:
    """Return the least float32 number that reaches each of the :func:`thresholds`, of squares for log rounding."""
    wanted = np.sqrt(exact) if mode is LogRounding.LOG else exact
    found = np.asarray(wanted, np.float32)

    def reaches(numbers: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        wide = numbers.astype(np.float64)
        return np.asarray((wide * wide if mode is LogRounding.LOG else wide) >= exact)

    for _ in range(2):
        found = np.where(reaches(found), found, np.nextafter(found, np.float32(np.inf)))
        below = np.nextafter(found, np.float32(0))
        found = np.where(reaches(below), below, found)
    return found


def quantizer_for(plan: TensorPlan, rank: int, *, learns: bool = False) -> FormatQuantizer:
    """Return the module that quantizes tensors of ``rank`` dimensions as ``plan`` says."""
    kinds = {FixedPoint: FixedQuantizer, Log: LogQuantizer}
    found = kinds.get(type(plan.format))
    if found is None:
        raise ConfigError(
            f"{plan.format.kind} formats are not trained through; choose {' or '.join(k.kind for k in kinds)}"
        )
    made: FormatQuantizer = found(plan, rank, learns=learns)
    return made
