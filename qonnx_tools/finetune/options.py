"""What a user may ask of a training."""

from dataclasses import dataclass

from qonnx_tools.compression.choice import ALL
from qonnx_tools.compression.options import EACH
from qonnx_tools.errors import ConfigError

OPTIMIZERS = ("adam", "sgd")
SCHEDULES = ("cosine", "constant")
AUGMENTATIONS = ("shift", "shift-flip", "none")
PRECISIONS = ("auto", "float32", "bfloat16")
DEVICES = ("auto", "cpu", "cuda")


@dataclass(frozen=True)
class FinetuneOptions:
    """How a network is trained through its number formats.

    Attributes:
        epochs: passes over the training images.
        batch_size: images of one step.
        learning_rate: of weights, at its highest; scales have ``scale_learning_rate`` times it.
        optimizer: "adam", or "sgd" with Nesterov momentum.
        schedule: "cosine" lets the rate fall to 0, "constant" does not.
        warmup: epochs over which the rate rises from 0.
        seed: of the order of the images and of what is done to them.
        teacher: the share of the teacher's answers in the loss; the labels have the rest.
        temperature: what logits are divided by before the teacher's are compared: above 1 what the teacher thinks of
            the wrong classes counts more.
        labels: whether labels are used.
        learn_scales: whether scales of weights and activations are learned.
        scale_learning_rate: see ``learning_rate``.
        freeze_statistics: the share of the epochs after which batch normalizations compute with running statistics.
        augment: what is done to training images: "shift" by up to an eighth of their size, "shift-flip" mirrors every
            second one besides, or "none".
        mix: the share of another image, at most, that each training image is mixed with; 0 mixes none. Of mixtures the
            teacher is not sure, also where it knows its own training images by heart.
        validation: the share of the images that is kept from training to choose the best epoch on.
        images: how many images are read at most; None is all.
        average: how slowly the averaged weights follow the trained ones, 0 for no average: 0.999, say.
        wider_bits: bits that every format has more in the beginning; one less after each of as many equal parts of the
            first half.
        groups: the shares of weights that are quantized for good, one after the other at equal distances; the others
            are trained in float until then. Empty quantizes all from the beginning.
        retain: the share of compressed feature maps that keeps its finest bands, whole channels, which ones being
            learned; None keeps the channels that the plan names.
        retain_from: "all" chooses among the channels of all maps together, "each" in every map for itself.
        rate_weight: of the bits a value of compressed feature maps in the loss; 0 leaves them to themselves.
        precision: of gradients and of the teacher, never of what is simulated: "float32", "bfloat16", or "auto", which
            is bfloat16 on a CPU with matrix units for it.
        device: "auto" takes a GPU where there is one.
    """

    epochs: int = 10
    batch_size: int = 128
    learning_rate: float = 2e-3
    optimizer: str = "adam"
    schedule: str = "cosine"
    warmup: float = 0.1
    seed: int = 0
    teacher: float = 1.0
    temperature: float = 1.0
    labels: bool = True
    learn_scales: bool = True
    scale_learning_rate: float = 0.1
    freeze_statistics: float = 0.5
    augment: str = "shift"
    mix: float = 0.0
    validation: float = 0.1
    images: int | None = None
    average: float = 0.0
    wider_bits: int = 0
    groups: tuple[float, ...] = ()
    retain: float | None = None
    retain_from: str = ALL
    rate_weight: float = 0.0
    precision: str = "auto"
    device: str = "auto"

    def __post_init__(self) -> None:
        _check(self.epochs >= 1, "epochs", self.epochs, "1 or more")
        _check(self.batch_size >= 2, "batch-size", self.batch_size, "2 or more")
        _check(0 < self.learning_rate <= 10, "lr", self.learning_rate, "positive, at most 10")
        _check(self.scale_learning_rate >= 0, "scale-lr", self.scale_learning_rate, "0 or more")
        _check(self.warmup >= 0, "warmup", self.warmup, "0 or more epochs")
        _check(0 <= self.teacher <= 1, "teacher", self.teacher, "in 0..1")
        _check(0 < self.temperature <= 100, "temperature", self.temperature, "positive, at most 100")
        _check(0 <= self.freeze_statistics <= 1, "freeze-statistics", self.freeze_statistics, "in 0..1")
        _check(0 <= self.mix <= 0.5, "mix", self.mix, "in 0..0.5")
        _check(0 < self.validation < 1, "validation", self.validation, "between 0 and 1")
        _check(self.images is None or self.images >= 4, "images", self.images, "4 or more")
        _check(0 <= self.average < 1, "average", self.average, "in 0..1, without 1")
        _check(0 <= self.wider_bits <= 8, "wider-bits", self.wider_bits, "in 0..8")
        _check(self.retain is None or 0 < self.retain < 1, "retain", self.retain, "between 0 and 1")
        _check(self.rate_weight >= 0, "rate-weight", self.rate_weight, "0 or more")
        rising = list(self.groups) == sorted(set(self.groups))
        fits = rising and all(0 < share <= 1 for share in self.groups) and (not self.groups or self.groups[-1] == 1)
        _check(
            fits, "groups", ",".join(f"{share:g}" for share in self.groups), "rising shares up to 1, as in 0.5,0.75,1"
        )
        for name, words in {
            "optimizer": OPTIMIZERS,
            "schedule": SCHEDULES,
            "augment": AUGMENTATIONS,
            "precision": PRECISIONS,
            "device": DEVICES,
            "retain_from": (ALL, EACH),
        }.items():
            value = getattr(self, name)
            _check(value in words, name.replace("_", "-"), value, f"one of {', '.join(words)}")
        if not self.labels and self.teacher < 1:
            raise ConfigError("without labels the teacher's answers are all there is: leave teacher at 1")


def _check(fine: bool, name: str, value: object, must: str) -> None:
    if not fine:
        raise ConfigError(f"{name} is {value}; it must be {must}")
