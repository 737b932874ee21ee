"""``qonnx finetune``: a plan whose weights, scales and masks are trained through its number formats."""

import os
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from qonnx_tools.compression.choice import ALL
from qonnx_tools.conversion import Conversion, apply, copied, prepare_for
from qonnx_tools.data import Dataset, Preprocessing
from qonnx_tools.errors import ConfigError, DataError
from qonnx_tools.finetune.building import student_of
from qonnx_tools.finetune.course import Course, Progress
from qonnx_tools.finetune.images import Batches, Split
from qonnx_tools.finetune.judging import Judge, Measured
from qonnx_tools.finetune.memory import keep_freed_memory
from qonnx_tools.finetune.network import Student
from qonnx_tools.finetune.options import FinetuneOptions
from qonnx_tools.finetune.training import Training
from qonnx_tools.graph import Model
from qonnx_tools.plan import Plan, load_plan
from qonnx_tools.preparation import Source, open_images
from qonnx_tools.targets import NATIVE, SIMULATION, check_target

NO_MAPS = "the plan compresses no feature maps; make one with qonnx convert --feature-maps"


@dataclass(frozen=True)
class Finetuned:
    """What a training gave.

    Attributes:
        conversion: the graph of the best epoch.
        plan: of it.
        best: what it does on the validation images.
        measured: the plan as it was given, then every epoch.
        interrupted: whether Ctrl-C ended the training early.
    """

    conversion: Conversion
    plan: Plan
    best: Measured
    measured: tuple[Measured, ...]
    interrupted: bool


def finetune(
    model: Source,
    plan: Plan | str | os.PathLike[str],
    data: Dataset | str | os.PathLike[str],
    folder: str | os.PathLike[str],
    *,
    options: FinetuneOptions | None = None,
    preprocessing: Preprocessing | None = None,
    teacher: Source | None = None,
    resume: bool = False,
    target: str = NATIVE,
    progress: Progress | None = None,
) -> Finetuned:
    """Train what ``plan`` quantizes of ``model`` through the formats that it has for it.

    The integer graph is measured after every epoch on images kept from training, and the epoch of the least loss there
    is taken: the plan as it was given, where none is better. Ctrl-C ends the training early.

    Args:
        model: the float model that the plan is for.
        plan: formats, and which feature maps are compressed; or its file.
        data: training images, best with labels.
        folder: of the state to go on from, the log and the best plan; made where it is missing.
        options: of the training.
        preprocessing: what turns pixels into the model's input.
        teacher: the model whose answers are learned; None is ``model``.
        resume: go on with the training in ``folder``, which must have had the same options.
        target: of the conversion at the end.
        progress: called with what is being done, and (done, total) of it; 0 is a total that is not known.

    Raises:
        QonnxToolsError: the input is at fault; the message says which and what to do.
        KeyboardInterrupt: Ctrl-C, before there is anything to keep.
    """
    check_target(target, strict=False)
    keep_freed_memory()
    chosen = options or FinetuneOptions()
    given = load_plan(plan) if isinstance(plan, str | os.PathLike) else plan
    if chosen.retain is not None and not given.feature_maps:
        raise ConfigError(f"retain: {NO_MAPS}")
    if chosen.rate_weight and not given.feature_maps:
        raise ConfigError(f"rate-weight: {NO_MAPS}")
    device = _device(chosen.device)
    prepared = prepare_for(model, given)
    dataset = open_images(data, preprocessing, prepared.model)
    split = Split.of(dataset, chosen.validation, chosen.images, labels=chosen.labels)
    if split.labels is None and chosen.teacher < 1:
        raise DataError(f"{split.description}: there are no labels, and the loss needs them; leave teacher at 1")
    simulation = apply(copied(prepared), replace(given, feature_maps={}), SIMULATION).model
    learned = student_of(
        simulation,
        given,
        learn_scales=chosen.learn_scales,
        retain=chosen.retain,
        together=chosen.retain_from == ALL,
    )
    student = _on(learned, device)
    float_model = prepare_for(model if teacher is None else teacher, Plan()).model
    training = Training(student, _teacher(float_model, chosen, device), Batches.of(split, chosen), chosen)
    judge = Judge(prepared, float_model, split, chosen)
    course = Course(training, judge, given, prepared.model.graph, Path(folder))
    course.resume() if resume else course.begin()
    interrupted = False
    try:
        course.run(progress or (lambda *_: None))
    except KeyboardInterrupt:
        if not course.measured:
            raise
        interrupted = True
    best = course.best_plan
    conversion = apply(copied(prepared), best, target)
    return Finetuned(conversion, best, course.best, tuple(course.measured), interrupted)


def _teacher(model: Model, options: FinetuneOptions, device: torch.device) -> Student | None:
    if not options.teacher:
        return None
    network = _on(student_of(model, Plan(), learn_scales=False), device)
    network.eval()
    return network


def _on(network: Student, device: torch.device) -> Student:
    moved: Student = network.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return moved


def _device(name: str) -> torch.device:
    there = torch.cuda.is_available()
    if name == "cuda" and not there:
        raise ConfigError("device is cuda, and PyTorch finds no GPU; take auto or cpu")
    if not there or name == "cpu":
        return torch.device("cpu")
    torch.backends.cudnn.allow_tf32 = False  # convolutions are exact in float32, and are simulated so
    return torch.device("cuda")
