"""The accelerator package: the same numbers as the graph, in files that say what they are, or no file at all."""

import json
import shutil

import numpy as np
import pytest
from exported import KINDS, native_file
from native_runs import all_outputs, by_references
from small_classifier import small_classifier, small_images

from qonnx_tools.errors import ConfigError, DataError, ModelError
from qonnx_tools.export import export
from qonnx_tools.graph import load, to_proto
from qonnx_tools.hardware.images import hexadecimal, unpacked

VECTORS = 2


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("packages")


@pytest.fixture(scope="module", params=KINDS)
def exported(request, folder):
    model = native_file(folder, request.param)
    images = folder / "images.npz"
    np.savez(images, images=small_images(VECTORS))
    return model, export(model, folder / request.param, vectors=VECTORS, data=images)


def numbers_of(folder, entry, count):
    """The numbers of a constant or a wire of the manifest, from the packed image and equally from the text."""
    image = (folder / entry["bin"]).read_bytes()
    found = unpacked(image, entry["bits"], count, signed=entry["signed"])
    assert (folder / entry["hex"]).read_text() == hexadecimal(found, entry["bits"])
    return found.astype(np.uint32).view(np.float32) if entry["kind"] == "float32" else found


def test_the_manifest_follows_its_schema(exported):
    jsonschema = pytest.importorskip("jsonschema", reason="jsonschema, of the extra [test], is not installed")
    result = exported[1]
    document = json.loads((result.folder / "manifest.json").read_text())
    assert document == json.loads(json.dumps(result.manifest))
    schema = json.loads((result.folder / "manifest.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(document, schema)
    del document["layers"][0]["op"]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document, schema)


def test_the_schema_is_published(repo_root, exported):
    published = (repo_root / "docs/manifest.schema.json").read_bytes()
    assert (exported[1].folder / "manifest.schema.json").read_bytes() == published


def test_golden_vectors_are_what_the_references_compute(exported):
    model, result = exported
    images = small_images(VECTORS)
    for at in range(VECTORS):
        feeds = {"x": images[at : at + 1]}
        expected = by_references(all_outputs(load(model)), feeds) | feeds
        assert expected.keys() == result.manifest["tensors"].keys()
        for name, entry in result.manifest["tensors"].items():
            size = int(np.prod(entry["shape"]))
            found = numbers_of(result.folder, entry, VECTORS * size)[at * size : (at + 1) * size]
            np.testing.assert_array_equal(found.reshape(entry["shape"]), expected[name], err_msg=name)


def test_constants_are_those_of_the_graph(exported):
    model, result = exported
    proto = to_proto(load(model))
    from onnx import numpy_helper  # noqa: PLC0415

    values = {tensor.name: numpy_helper.to_array(tensor) for tensor in proto.graph.initializer}
    memory = (result.folder / "constants.bin").read_bytes()
    stored = 0
    for layer in result.manifest["layers"]:
        for role, entry in layer["constants"].items():
            expected = values[entry["tensor"]]
            if role == "w" and layer["op"].endswith("Gemm") and not layer["attributes"]["transB"]:
                expected = expected.T
            assert list(expected.shape) == entry["shape"]
            if "values" in entry:
                assert entry["values"] == expected.ravel().tolist()
                continue
            stored += 1
            np.testing.assert_array_equal(numbers_of(result.folder, entry, expected.size), expected.ravel())
            image = (result.folder / entry["bin"]).read_bytes()
            assert memory[entry["address"] : entry["address"] + entry["bytes"]] == image
    assert stored >= 9
    assert len(memory) == result.manifest["memory"]["constants"]["bytes"]


def test_maps_that_live_at_the_same_time_do_not_overlap(exported):
    result = exported[1]
    layers, tensors = result.manifest["layers"], result.manifest["tensors"]
    holds = {}
    for layer in layers:  # as a memory: what a layer reads is still what was written there last
        for name in coded(layer["inputs"], tensors):
            same = {other for other in tensors if tensors[other].get("address") == tensors[name]["address"]}
            assert {holds[byte] for byte in span(tensors[name])} <= same, name
            assert len({holds[byte] for byte in span(tensors[name])}) == 1, name
        if layer["op"] != "Flatten":
            for name in coded(layer["outputs"], tensors):
                holds |= dict.fromkeys(span(tensors[name]), name)
    assert max(holds) < result.manifest["memory"]["maps"]["bytes"]
    flat = next(layer for layer in layers if layer["op"] == "Flatten")
    assert tensors[flat["inputs"][0]]["address"] == tensors[flat["outputs"][0]]["address"]


def coded(names, tensors):
    return [name for name in names if tensors[name]["kind"] == "codes"]


def span(entry):
    return range(entry["address"], entry["address"] + entry["bytes"])


def test_the_same_bytes_each_time(exported, tmp_path):
    model, result = exported
    again = export(model, tmp_path / "again", vectors=VECTORS, data=model.parent / "images.npz").folder
    assert tree(again) == tree(result.folder)


def tree(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def native(folder):
    return native_file(folder, "fixed")


def test_without_data_the_vectors_are_random_codes(native, tmp_path):
    result = export(native, tmp_path / "package", vectors=3)
    entry = next(entry for entry in result.manifest["tensors"].values() if entry["kind"] == "codes")
    codes = numbers_of(result.folder, entry, 3 * int(np.prod(entry["shape"])))
    assert np.unique(codes).size > 100
    assert export(native, tmp_path / "none", vectors=0).manifest["vectors"] == 0
    assert not (tmp_path / "none/vectors").exists()


def test_a_folder_that_is_there_stays_unless_forced(native, tmp_path):
    first = export(native, tmp_path / "package", vectors=0).folder
    before = tree(first)
    with pytest.raises(ConfigError, match="--force replaces it"):
        export(native, first)
    assert tree(first) == before
    export(native, first, vectors=1, force=True)
    assert tree(first).keys() > before.keys()
    assert [path.name for path in tmp_path.iterdir()] == ["package"]


def test_a_folder_of_something_else_stays_even_if_forced(native, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/notes.txt").write_text("keep")
    with pytest.raises(ConfigError, match="holds something else than a package"):
        export(native, tmp_path / "mine", force=True)
    assert tree(tmp_path) == {"mine/notes.txt": b"keep"}


def test_a_failure_leaves_the_old_package_and_nothing_else(native, tmp_path, monkeypatch):
    export(native, tmp_path / "package", vectors=0)
    before = tree(tmp_path)
    images = tmp_path / "images.npz"
    np.savez(images, images=small_images(1))
    with pytest.raises(DataError, match="has 1 images; --vectors asks for 2"):
        export(native, tmp_path / "package", vectors=2, data=images, force=True)
    images.unlink()
    assert tree(tmp_path) == before

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(type(tmp_path), "write_bytes", full)
    with pytest.raises(ConfigError, match="No space left on device"):
        export(native, tmp_path / "package", force=True)
    monkeypatch.undo()
    assert tree(tmp_path) == before


def test_what_is_no_native_graph_is_refused(tmp_path):
    from qonnx_tools.graph import save  # noqa: PLC0415

    save(small_classifier(), tmp_path / "float.onnx")
    with pytest.raises(ModelError, match="convert the trained model with --target native"):
        export(tmp_path / "float.onnx", tmp_path / "package")
    assert not (tmp_path / "package").exists()


def test_a_package_can_be_moved(exported, tmp_path):
    moved = shutil.copytree(exported[1].folder, tmp_path / "moved")
    document = json.loads((moved / "manifest.json").read_text())
    entries = [*document["tensors"].values()]
    entries += [entry for layer in document["layers"] for entry in layer["constants"].values() if "bin" in entry]
    assert all((moved / entry[kind]).is_file() for entry in entries for kind in ("bin", "hex"))
