"""What a user says of how feature maps are compressed."""

from dataclasses import dataclass

from qonnx_tools.arithmetic.bitstream import Coder, Transform
from qonnx_tools.arithmetic.wavelet import LEVELS, Wavelet
from qonnx_tools.compression.choice import ALL, BLOCKS
from qonnx_tools.errors import ConfigError

AUTO = "auto"
EACH = "each"
KINDS = (*(kind.value for kind in reversed(Transform)), AUTO)


@dataclass(frozen=True)
class FeatureMapOptions:
    """How feature maps are compressed.

    Attributes:
        transform: a :class:`Transform`, or "auto" for that of least bytes at equal error, map by map.
        at: which maps: "blocks", "all", names or patterns; see ``compression.choice``.
        step: as a share of the range of the codes; 0 is lossless.
        drop: share of the finest bands that are left out, whole channels of them.
        drop_from: "all" leaves them out where they matter least in all maps together, "each" in every map that share
            of its channels.
        coder: a :class:`Coder`; None is the context coder, and with "auto" the one of least bytes.
        levels: of a wavelet; None is as many as the map has, at most 3.
        max_drop: share of right answers that may be lost, in 0..1: steps are then chosen map by map. None: all have
            ``step``.
    """

    transform: str = AUTO
    at: tuple[str, ...] = (BLOCKS,)
    step: float = 0.0
    drop: float = 0.0
    drop_from: str = ALL
    coder: str | None = None
    levels: int | None = None
    max_drop: float | None = None

    def __post_init__(self) -> None:
        if self.transform not in KINDS:
            raise ConfigError(f"feature maps '{self.transform}' is unknown; choose one of {', '.join(KINDS)}")
        coders = [coder.value for coder in Coder]
        if self.coder is not None and self.coder not in coders:
            raise ConfigError(f"feature map coder '{self.coder}' is unknown; choose one of {', '.join(coders)}")
        fewest, most = LEVELS
        if self.levels is not None and not fewest <= self.levels <= most:
            raise ConfigError(f"feature map levels is {self.levels}; a wavelet has {fewest} to {most}")
        if self.levels is not None and self.transform not in list(Wavelet):
            raise ConfigError(f"feature map levels go with {' or '.join(Wavelet)}, not with {self.transform}")
        if not 0 <= self.step <= 1:
            raise ConfigError(f"feature map step is {self.step:g}; give a share of the range of the codes, 0 to 1")
        self._check_dropping()
        if self.max_drop is not None and not 0 < self.max_drop <= 1:
            raise ConfigError(f"max drop is {100 * self.max_drop:g} points; give more than 0, and 100 at most")
        if self.max_drop is not None and self.step:
            raise ConfigError("max drop chooses the steps: leave out the feature map step, or the max drop")

    def _check_dropping(self) -> None:
        if not 0 <= self.drop <= 1:
            raise ConfigError(f"feature map drop is {self.drop:g}; give the share of the bands, 0 to 1")
        if self.drop_from not in (ALL, EACH):
            raise ConfigError(f"feature map drop from '{self.drop_from}' is unknown; choose {ALL} or {EACH}")
        if self.drop and self.transform in (Transform.PREDICTIVE, Transform.NONE):
            raise ConfigError(
                f"feature map drop: {self.transform} has no bands to drop; take {' or '.join(Wavelet)} or auto"
            )

    @property
    def needs_images(self) -> str | None:
        """What images are needed for, or None."""
        if self.max_drop is not None:
            return "max drop"
        if self.drop:
            return "feature map drop"
        return "feature maps auto" if self.transform == AUTO else None
