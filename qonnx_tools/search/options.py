"""What to search for, and how."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from qonnx_tools.errors import ConfigError
from qonnx_tools.search.space import ACTIVATION, BATCH_NORM, BIAS, WEIGHTS

PROGRAM, SEQUENTIAL = "program", "sequential"
METHODS = (PROGRAM, SEQUENTIAL)
"""By an integer program and joint measurements, or one tensor after the other."""
OBJECTIVE = ("memory", "multipliers")
FEATURE_MAPS = "feature-map-bytes"
"""The cost of which plans store their feature maps compressed."""
WIDTHS: Mapping[str, tuple[int, ...]] = {
    WEIGHTS: (2, 3, 4, 5, 6, 8),
    BIAS: (8, 12, 16),
    ACTIVATION: (2, 3, 4, 5, 6, 7, 8),
    BATCH_NORM: (8, 12, 16),
}


@dataclass(frozen=True)
class SearchOptions:
    """What to search for, and how.

    Attributes:
        max_drop: the largest loss of accuracy, in 0..1, of images that only the float model has right less those that
            only the plan has right.
        relative: whether ``max_drop`` is a share of the float model's accuracy, in place of one of the images.
        cost: some of ``qonnx_tools.search.objective.COSTS``, or the file of an accelerator.
        limits: the largest cost allowed, as a share of that with 8 bits everywhere, by its name.
        method: one of METHODS.
        widths: to choose from, by kind.
        workers: processes that measure damages; 1 is this one.
        cluster: address of a Dask scheduler that does so instead.
    """

    max_drop: float = 0.01
    relative: bool = False
    cost: tuple[str, ...] = OBJECTIVE
    limits: Mapping[str, float] = field(default_factory=dict)
    method: str = PROGRAM
    widths: Mapping[str, tuple[int, ...]] = field(default_factory=lambda: WIDTHS)
    workers: int = 1
    cluster: str | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.max_drop < 1:
            raise ConfigError(f"max-drop is {100 * self.max_drop:g} points; it must lie in 0..100")
        if self.workers < 1:
            raise ConfigError(f"workers is {self.workers}; give 1 or more")
        if self.method not in METHODS:
            raise ConfigError(f"method is '{self.method}'; choose one of {', '.join(METHODS)}")
        if self.method == SEQUENTIAL and self.limits:
            raise ConfigError("method sequential knows a budget of accuracy alone; leave out the limits of cost")
        if self.method == SEQUENTIAL and FEATURE_MAPS in self.cost:
            raise ConfigError(f"method sequential does not compress feature maps; leave out the cost {FEATURE_MAPS}")
