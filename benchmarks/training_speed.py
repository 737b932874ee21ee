"""What quantizers cost in training: steps with them over the same steps without, in turn.

The same training of ``qonnx finetune``, on ResNet-20 and its training images: once as it is, once with every quantizer
switched off, which is training in float32. Both have the teacher, whose share is shown apart, too.

    QONNX_TOOLS_ASSETS=... python benchmarks/training_speed.py [--images N] [--rounds N] [--threads N] [--json]

Shown are medians with quartiles; the ratio of a round is the time with quantizers over that without.
"""

import argparse
import json
import time
from collections.abc import Mapping
from typing import Any

from measuring import Spread, asset, machine, markdown_table

BATCH = 128
PLANS: Mapping[str, Mapping[str, Any]] = {
    "fixed, 4 bits": {"scheme": "fixed", "weight_bits": 4, "activation_bits": 4},
    "log base 2, weights 5, activations 4 bits": {
        "scheme": "log", "weight_bits": 5, "activation_bits": 4, "activations": "log", "trunk": "fixed8-log",
    },
    "log base sqrt 2, 4 bits": {
        "scheme": "log", "weight_bits": 4, "activation_bits": 4, "activations": "log", "log_base": "sqrt2",
        "trunk": "fixed8-log",
    },
}  # fmt: skip


def measured(options: Mapping[str, Any], batch_norm: str, arguments: argparse.Namespace) -> dict[str, Spread]:
    """Return seconds for a thousand images with and without quantizers, without the teacher, and the ratios."""
    import torch  # noqa: PLC0415

    from qonnx_tools.conversion import apply, convert, prepare_for  # noqa: PLC0415  # slow to import
    from qonnx_tools.data import preprocessing  # noqa: PLC0415
    from qonnx_tools.finetune.building import student_of  # noqa: PLC0415
    from qonnx_tools.finetune.images import Batches, Split  # noqa: PLC0415
    from qonnx_tools.finetune.memory import keep_freed_memory  # noqa: PLC0415
    from qonnx_tools.finetune.options import FinetuneOptions  # noqa: PLC0415
    from qonnx_tools.finetune.training import Training  # noqa: PLC0415
    from qonnx_tools.plan import Plan  # noqa: PLC0415
    from qonnx_tools.preparation import open_images  # noqa: PLC0415

    torch.set_num_threads(arguments.threads)
    keep_freed_memory()
    model, data = asset("models", "resnet20_cifar10.onnx"), asset("data", "cifar10_train.npz")
    plan = convert(model, batch_norm=batch_norm, fit="weights", **options).plan
    prepared = prepare_for(model, plan)
    images = open_images(str(data), preprocessing("cifar10"), prepared.model)
    chosen = FinetuneOptions(epochs=10**6, batch_size=BATCH, augment="shift-flip", freeze_statistics=1.0)
    split = Split.of(images, 0.1, arguments.images, labels=True)
    student = student_of(apply(prepared, plan, "simulation").model, plan, learn_scales=True)
    student.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    teacher = student_of(prepare_for(model, Plan()).model, Plan(), learn_scales=False)
    teacher.to(memory_format=torch.channels_last).eval()  # type: ignore[call-overload]
    training = Training(student, teacher, Batches.of(split, chosen), chosen)

    def seconds(*, quantized: bool, taught: bool) -> float:
        training.teacher = teacher if taught else None
        training.options = chosen if taught else FinetuneOptions(**{**vars(chosen), "teacher": 0.0})
        start = time.perf_counter()
        if quantized:
            steps = sum(1 for _ in training.run_epoch())
        else:
            with student.in_float():
                steps = sum(1 for _ in training.run_epoch())
        return (time.perf_counter() - start) / (steps * BATCH) * 1000

    ways = {"with": (True, True), "without": (False, True), "with, no teacher": (True, False), "bare": (False, False)}
    found: dict[str, list[float]] = {name: [] for name in ways}
    for round_ in range(arguments.rounds + 1):
        for name, (quantized, taught) in ways.items():
            spent = seconds(quantized=quantized, taught=taught)
            if round_:  # the first one warms up
                found[name].append(spent)
    pairs = {"ratio": ("with", "without"), "ratio, no teacher": ("with, no teacher", "bare")}
    ratios = {
        key: Spread.of([a / b for a, b in zip(found[top], found[bottom], strict=True)])
        for key, (top, bottom) in pairs.items()
    }
    return {name: Spread.of(values) for name, values in found.items()} | ratios


def main() -> None:
    """Measure every plan with batch normalization folded and merged."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=1600, help="read; nine tenths of them make an epoch")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    rows = [
        {"plan": name, "batch norm": batch_norm} | measured(options, batch_norm, arguments)
        for name, options in PLANS.items()
        for batch_norm in ("fold", "merge")
    ]
    if arguments.json:
        print(
            json.dumps(
                [{key: value if isinstance(value, str) else vars(value) for key, value in row.items()} for row in rows]
            )
        )
        return
    print(machine())
    print(f"Seconds for 1,000 images, {arguments.threads} thread(s).\n")
    print(markdown_table(rows))


if __name__ == "__main__":
    main()
