"""Files that a command leaves are whole or as they were, whatever ends the writing of them."""

from pathlib import Path

import pytest

from qonnx_tools.replacing import replacing, try_writing


@pytest.fixture
def files(tmp_path):
    """Return a file that is there and one that is not."""
    (tmp_path / "there").write_text("old")
    return tmp_path / "there", tmp_path / "new"


def test_all_are_written_before_the_first_is_in_its_place(files):
    with replacing(*files) as places:
        for place in places:
            place.write_text("new")
        assert files[0].read_text() == "old"
        assert not files[1].exists()
    assert [file.read_text() for file in files] == ["new", "new"]
    assert len(list(files[0].parent.iterdir())) == len(files)


@pytest.mark.parametrize("end", [OSError, KeyboardInterrupt])
def test_what_ends_the_writing_leaves_files_as_they_were(files, end):
    def ends():
        with replacing(*files) as places:
            places[0].write_text("ne")
            raise end

    with pytest.raises(end):
        ends()
    assert [path.name for path in files[0].parent.iterdir()] == ["there"]
    assert files[0].read_text() == "old"


def test_a_folder_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(IsADirectoryError, match="Is a directory"), replacing(tmp_path / "new", tmp_path):
        pytest.fail("the block was entered")
    assert list(tmp_path.iterdir()) == []


def test_trying_leaves_nothing(files):
    for file in files:
        try_writing(file)
    assert [path.name for path in files[0].parent.iterdir()] == ["there"]
    assert files[0].read_text() == "old"


@pytest.mark.parametrize("method", ["touch", "unlink"])
def test_ctrl_c_while_trying_leaves_nothing(tmp_path, monkeypatch, method):
    done = getattr(Path, method)
    interrupts = iter([KeyboardInterrupt])

    def interrupted(path, **options):
        done(path, **options)
        for each in interrupts:
            raise each

    monkeypatch.setattr(Path, method, interrupted)
    with pytest.raises(KeyboardInterrupt):
        try_writing(tmp_path / "new")
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_before_the_trial_is_removed_leaves_nothing(tmp_path, monkeypatch):
    done, interrupts = Path.unlink, iter([KeyboardInterrupt])

    def interrupted(path, **options):
        for each in interrupts:
            raise each
        done(path, **options)

    monkeypatch.setattr(Path, "unlink", interrupted)
    with pytest.raises(KeyboardInterrupt):
        try_writing(tmp_path / "new")
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written(tmp_path):
    with pytest.raises(FileNotFoundError):
        try_writing(tmp_path / "no" / "where")
