"""Writing an accelerator package: the files of a folder, all of them or none."""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from qonnx_tools.contents import Contents
from qonnx_tools.data import Preprocessing
from qonnx_tools.errors import ConfigError, ModelError
from qonnx_tools.export.benches import Bench, bench_of
from qonnx_tools.export.guide import guide
from qonnx_tools.export.manifest import Package, constant_places, file_of, manifest, package_of, vector_file
from qonnx_tools.export.simulation import simulation_files
from qonnx_tools.export.vectors import images, values
from qonnx_tools.export.wires import wires
from qonnx_tools.graph import load
from qonnx_tools.hardware.images import hexadecimal, packed

Progress = Callable[[int, int], None]
MANIFEST = "manifest.json"
SCHEMA = "manifest.schema.json"


@dataclass(frozen=True)
class Exported:
    """What was written: the folder, its manifest, and the bytes of all files."""

    folder: Path
    manifest: Mapping[str, Any]
    files: int
    bytes: int


def export(
    model: str | os.PathLike[str],
    folder: str | os.PathLike[str],
    *,
    vectors: int = 1,
    data: str | os.PathLike[str] | None = None,
    preprocessing: Preprocessing | None = None,
    force: bool = False,
    threads: int | None = None,
) -> Exported:
    """Write the accelerator package of a native graph to ``folder``: the same model and images give the same bytes.

    Args:
        model: the file of a native graph.
        folder: is made; one that exists is an error, or with ``force`` replaced where it holds a package or nothing.
        vectors: images of which every tensor is written.
        data: where these come from; None for random codes of the input's format, always the same.
        preprocessing: of images.
        force: whether to replace a package.
        threads: threads that onnxruntime may use.

    Raises:
        ConfigError: the folder is there, or cannot be written.
        ModelError: the model cannot be read or run, or is no native graph.
        DataError: there are too few images, or they do not fit the model.
    """
    target = Path(folder)
    _check_folder(target, force=force)
    loaded = load(model)
    contents = Contents(loaded)
    known = wires(contents)
    if not any(wire.kind == "codes" for wire in known.values()):
        raise ModelError(f"{model}: it has no codes on its wires; convert the trained model with --target native")
    inputs = images(loaded, contents, max(1, vectors), data, preprocessing)
    package = package_of(loaded, contents, values(loaded, list(known), inputs, threads), vectors)
    found = [bench_of(package, layer) for layer in package.layers]
    benches = [bench for bench in found if isinstance(bench, Bench)]
    document = manifest(package, hashlib.sha256(Path(model).read_bytes()).hexdigest(), [_said(each) for each in found])
    written = {**_constants(package), **_vectors(package), **simulation_files(benches)}
    written[MANIFEST] = (json.dumps(document, indent=2, allow_nan=False) + "\n").encode()
    written[SCHEMA] = (files("qonnx_tools.export") / SCHEMA).read_bytes()
    written["README.md"] = guide(document).encode()
    write_folder(target, written, force=force)
    return Exported(target, document, len(written), sum(map(len, written.values())))


def _said(found: Bench | str) -> dict[str, Any]:
    if isinstance(found, str):
        return {"none": found}
    return {"module": found.name, "bench": found.bench, "parameters": dict(found.parameters)}


def write_folder(target: Path, written: Mapping[str, bytes], *, force: bool) -> None:
    """Write the files beside ``target``, then give the folder its name; an old one goes when the new one is whole."""
    _check_folder(target, force=force)
    beside = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".waiting", dir=target.parent))
    try:
        whole = beside / "new"
        whole.mkdir()
        for name, content in written.items():
            path = whole / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        if target.exists():
            target.replace(beside / "old")
        whole.replace(target)
    except OSError as error:
        raise ConfigError(f"folder '{target}' cannot be written: {error.strerror}; name another") from error
    finally:
        if (beside / "old").exists() and not target.exists():
            (beside / "old").replace(target)
        shutil.rmtree(beside, ignore_errors=True)


def _check_folder(target: Path, *, force: bool) -> None:
    if not target.name:
        raise ConfigError(f"'{target}' is no name for a new folder; name one")
    if not target.parent.is_dir():
        raise ConfigError(f"folder '{target}' cannot be made: there is no folder '{target.parent}'; create it first")
    if not os.access(target.parent, os.W_OK | os.X_OK):
        raise ConfigError(f"folder '{target}' cannot be made: '{target.parent}' is not writable; name one elsewhere")
    if target.is_symlink() or (target.exists() and not target.is_dir()):
        raise ConfigError(f"'{target}' is there and is no folder; name another")
    if not target.exists():
        return
    if not force:
        raise ConfigError(f"folder '{target}' is there; --force replaces it")
    if any(target.iterdir()) and not (target / MANIFEST).is_file():
        raise ConfigError(f"folder '{target}' holds something else than a package; remove it, or name another")


def _constants(package: Package) -> dict[str, bytes]:
    written: dict[str, bytes] = {}
    memory = bytearray()
    for (layer, each), place in zip(package.stored, constant_places(package), strict=True):
        image = packed(each.words, each.bits)
        memory += bytes(place.address - len(memory)) + image
        written[f"{file_of(layer, each)}.bin"] = image
        written[f"{file_of(layer, each)}.hex"] = hexadecimal(each.words, each.bits).encode()
    end = max((place.end for place in constant_places(package)), default=0)
    written["constants.bin"] = bytes(memory) + bytes(end - len(memory))
    return written


def _vectors(package: Package) -> dict[str, bytes]:
    written: dict[str, bytes] = {}
    for at, (name, wire) in enumerate(package.wires.items()):
        if name in package.vectors:
            numbers = package.vectors[name]
            words = numbers.astype(np.float32).view(np.uint32) if wire.kind == "float32" else numbers
            written[f"{vector_file(at)}.bin"] = packed(words, wire.bits)
            written[f"{vector_file(at)}.hex"] = hexadecimal(words, wire.bits).encode()
    return written
