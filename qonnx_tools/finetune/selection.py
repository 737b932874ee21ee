"""Which channels of compressed maps keep their finest bands, learned: those of the lowest scores.

The scores of the channels that choose together are clamped to 0..1 after each step and scaled to the sum (1 - r) C, r
the share of the bands to keep, C all of them. Channels are kept in the order of their scores, the lowest first, as far
as their bands are no more than r C; the last one kept has the score that is the threshold. In maps of different sizes
channels count by the numbers that they hold, and so does what a score feels of the loss: it is that of each number.

Source: Yang, thesis 2019, where every map chooses for itself.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from qonnx_tools.arithmetic.wavelet import Wavelet
from qonnx_tools.errors import ConfigError
from qonnx_tools.feature_map_plan import FeatureMapPlan

HEAD_START = 0.02
"""What the scores of the channels that the plan drops begin above the others."""
SLACK = 1e-6
"""Of the share that is kept, for rounding."""


class Selection:
    """The channels of one or more maps, of which the share ``retain`` keeps its finest bands."""

    def __init__(self, retain: float) -> None:
        self.retain = retain
        self._members: list[Member] = []
        self._whole = 0

    def join(self, plan: FeatureMapPlan, channels: int, size: int) -> "Member | None":
        """Add a map of ``channels`` of ``size`` numbers each; the ones that ``plan`` drops have a head start.

        A map without a wavelet has no bands to leave out; it counts, but has no scores.
        """
        if plan.transform not in list(Wavelet):
            self._whole += channels * size
            return None
        first = torch.full((channels,), 1 - HEAD_START)
        first[list(plan.dropped)] = 1.0
        self._members.append(Member(self, nn.Parameter(first), size))
        return self._members[-1]

    def begin(self) -> None:
        """Begin, once all maps are there. Raises ``ConfigError`` where too many have no bands to leave out."""
        if self._whole > self.retain * self._values:
            raise ConfigError(
                f"retain is {self.retain:g}, but maps without a wavelet hold {self._whole / self._values:.0%} of all "
                "numbers, and have no bands to drop; take a wavelet for more maps, or retain more"
            )
        self.normalize()

    @property
    def distance(self) -> Tensor:
        """Sum of the distances of the scores from the threshold."""
        scores = self._scores()
        kept = scores.detach()[torch.from_numpy(self._is_kept()).to(scores.device)]
        threshold = kept.max() if len(kept) else scores.detach().min()
        return (scores - threshold).abs().sum()

    def normalize(self) -> None:
        """Bring the scores back to 0..1 and to their sum."""
        with torch.no_grad():
            for each in self._members:
                each.scores.clamp_(0, 1)
            total = float(self._scores().cpu().numpy() @ self._sizes)
            for each in self._members:
                each.scores.mul_((1 - self.retain) * self._values / max(total, SLACK))

    @property
    def mean_size(self) -> float:
        """Numbers of the mean channel."""
        return float(self._sizes.mean())

    def kept_of(self, member: "Member") -> npt.NDArray[np.bool_]:
        """Tell of each channel of a map whether it keeps its finest bands."""
        parts = np.split(self._is_kept(), np.cumsum([len(each.scores) for each in self._members]))
        return next(part for part, each in zip(parts, self._members, strict=False) if each is member)

    def _is_kept(self) -> npt.NDArray[np.bool_]:
        """Tell of each channel, those of all maps in a row, whether it keeps its bands."""
        order = np.argsort(self._scores().detach().cpu().numpy(), kind="stable")
        kept = np.zeros(len(order), bool)
        kept[order] = self._whole + np.cumsum(self._sizes[order]) <= (self.retain + SLACK) * self._values
        return kept

    def _scores(self) -> Tensor:
        return torch.cat([each.scores for each in self._members])

    @property
    def _sizes(self) -> npt.NDArray[np.int64]:
        counts = [len(each.scores) for each in self._members]
        return np.repeat(np.array([each.size for each in self._members], np.int64), counts)

    @property
    def _values(self) -> int:
        return self._whole + int(self._sizes.sum())


@dataclass(frozen=True, eq=False)
class Member:
    """The ``scores`` ``[C]`` of a map whose channels have ``size`` numbers each, among those of a selection."""

    selection: Selection
    scores: nn.Parameter
    size: int

    @property
    def dropped(self) -> tuple[int, ...]:
        """The channels that go without their finest bands, ascending."""
        return tuple(np.flatnonzero(~self.selection.kept_of(self)).tolist())

    @property
    def weight(self) -> float:
        """Numbers of a channel over those of the mean channel."""
        return self.size / self.selection.mean_size
