"""The journal keeps what is finished, through a kill at any byte."""

import pytest

from qonnx_tools.errors import ConfigError
from qonnx_tools.search import journal as journals
from qonnx_tools.search.journal import Journal

SETTINGS = {"model": "a1", "seed": 1}


def filled(path, count=3):
    journal = Journal(path, SETTINGS, resume=False)
    for number in range(count):
        journal.put(f"plan {number}", {"loss": number / 7, "counts": [number, 2]})
    journal.close()


def test_results_come_back(tmp_path):
    filled(tmp_path / "j")
    again = Journal(tmp_path / "j", SETTINGS, resume=True)
    assert len(again) == 3
    assert again["plan 2"] == {"loss": 2 / 7, "counts": [2, 2]}
    assert "plan 3" not in again


def test_without_resume_it_begins_anew(tmp_path):
    filled(tmp_path / "j")
    assert len(Journal(tmp_path / "j", SETTINGS, resume=False)) == 0
    assert len(Journal(tmp_path / "none", SETTINGS, resume=True)) == 0


def test_a_kill_while_it_is_opened_loses_nothing(tmp_path, monkeypatch):
    filled(tmp_path / "j")
    whole = (tmp_path / "j").read_bytes()

    def interrupted(file):
        file.flush()
        raise KeyboardInterrupt

    monkeypatch.setattr(journals, "_sync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        Journal(tmp_path / "j", SETTINGS, resume=True)
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("j", whole)]


def test_cut_off_anywhere_it_keeps_the_complete_lines(tmp_path):
    filled(tmp_path / "whole")
    whole = (tmp_path / "whole").read_bytes()
    first = whole.index(b"\n") + 1
    for length in range(first, len(whole) + 1):
        (tmp_path / "j").write_bytes(whole[:length])
        journal = Journal(tmp_path / "j", SETTINGS, resume=True)
        assert len(journal) == whole[first:length].count(b"\n")
        journal.put("next", 1)
        journal.close()
        again = Journal(tmp_path / "j", SETTINGS, resume=True)
        assert len(again) == len(journal)
        assert again["next"] == 1


def test_another_search_is_refused(tmp_path):
    filled(tmp_path / "j")
    with pytest.raises(ConfigError, match="belongs to a search with another seed; give the same options"):
        Journal(tmp_path / "j", SETTINGS | {"seed": 2}, resume=True)


@pytest.mark.parametrize("text", ["hello", "{}\n", "[1]\n", '{"journal": 9, "settings": {}}\n'])
def test_other_files_are_refused(tmp_path, text):
    (tmp_path / "j").write_text(text)
    with pytest.raises(ConfigError, match="is not a journal of a search"):
        Journal(tmp_path / "j", SETTINGS, resume=True)
    assert (tmp_path / "j").read_text() == text


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(ConfigError, match="cannot be written: No such file"):
        Journal(tmp_path / "no" / "j", SETTINGS, resume=True)
