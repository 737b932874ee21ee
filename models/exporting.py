"""Writing a trained PyTorch network as ONNX, and counting what the file gets right."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from torch import nn

OPSET = 17


def export(network: nn.Module, image: tuple[int, int, int], path: Path) -> None:
    """Write the network as ONNX: batch dimension ``N``, Conv and BatchNormalization left apart, no machine's paths.

    ``image`` is the shape of one input, ``(C, H, W)``.
    """
    torch.onnx.export(
        network,
        (torch.zeros(1, *image),),
        str(path),
        input_names=["input"],
        output_names=["logits"],
        dynamic_axes={"input": {0: "N"}, "logits": {0: "N"}},
        opset_version=OPSET,
        training=torch.onnx.TrainingMode.PRESERVE,  # EVAL would fold the batch norms, and so would constant folding
        do_constant_folding=False,
        dynamo=False,  # this exporter writes opset 17 itself and keeps the parameters' names
    )
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)


def count_correct(path: Path, inputs: np.ndarray, labels: np.ndarray) -> int:
    """Return how many inputs, float32 ``[N, C, H, W]``, get their label as the largest logit from onnxruntime."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    right = 0
    for start in range(0, len(inputs), 500):
        (logits,) = session.run(["logits"], {"input": inputs[start : start + 500]})
        right += int((logits.argmax(axis=1) == labels[start : start + 500]).sum())
    return right
