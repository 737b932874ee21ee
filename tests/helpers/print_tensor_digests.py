"""Print the SIMD level in use, then a digest of every tensor of native graphs, by threads and optimization.

    python tests/helpers/print_tensor_digests.py FOLDER

FOLDER holds graphs NAME.onnx whose outputs are all their tensors, with what to feed them in NAME.npz. Each graph also
runs with only those outputs that no node reads, so that onnxruntime may fuse and reuse what lies between.
"""

import ctypes
import hashlib
import sys
from pathlib import Path

import numpy as np
import onnx
from native_runs import open_native, run_all

from qonnx_tools.runtime import library_path


def digest(tensor: np.ndarray) -> str:
    """Type, shape and bytes in one word."""
    return hashlib.sha256(f"{tensor.dtype}{tensor.shape}".encode() + np.ascontiguousarray(tensor).tobytes()).hexdigest()


def ends_only(proto: onnx.ModelProto) -> onnx.ModelProto:
    """The graph with the outputs that no node reads."""
    read = {name for node in proto.graph.node for name in node.input}
    ends = [value for value in proto.graph.output if value.name not in read]
    copy = onnx.ModelProto()
    copy.CopyFrom(proto)
    del copy.graph.output[:]
    copy.graph.output.extend(ends)
    return copy


def main(folder: Path) -> None:
    """Print a line a tensor: graph, setting, tensor, digest."""
    for file in sorted(folder.glob("*.onnx")):
        proto, feeds = onnx.load(file), dict(np.load(file.with_suffix(".npz")))
        for which, graph in (("all", proto), ("ends", ends_only(proto))):
            for threads in (1, 2):
                for optimize in (False, True):
                    tensors = run_all(open_native(graph, threads=threads, optimize=optimize), feeds)
                    setting = f"outputs={which},threads={threads},optimize={int(optimize)}"
                    for name, tensor in tensors.items():
                        print(file.stem, setting, name, digest(tensor), tensor.size, sep="\t")  # noqa: T201
    level = ctypes.CDLL(str(library_path())).QonnxToolsSimdLevel
    level.restype = ctypes.c_char_p
    print("level", level().decode(), sep="\t")  # noqa: T201


if __name__ == "__main__":
    main(Path(sys.argv[1]))
