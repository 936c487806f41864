"""The content of a study's inputs is part of its identity."""

import hashlib

import pytest
import yaml

from prune_utils.data.inputs import digest, identified, named
from prune_utils.report import captions, tables
from prune_utils.study import paths, record
from prune_utils.study.params import extended, read_yaml, validated
from prune_utils.study.paths import PARAMS
from prune_utils.study.section import Fact, ParamsError
from prune_utils.workflow import launch, preflight

FILES = ("text.txt", "held.txt", "vocab.txt", "task/train.tsv", "task/dev.tsv", "model/config.json")


@pytest.fixture
def study(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "OUT", tmp_path / "out")
    for name in FILES:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(f"what {name} holds\n")
    content = {
        "study": "own",
        "extends": "own.yaml",
        "corpus": {
            "source": "local",
            "files": [f"{tmp_path}/text.txt"],
            "held_out_files": [f"{tmp_path}/held.txt"],
            "vocabulary": f"{tmp_path}/vocab.txt",
        },
        "tasks": [{"source": "local", "name": "mine", "folder": f"{tmp_path}/task"}],
        "model": {"pretrained": f"{tmp_path}/model"},
    }
    return validated(extended(content, PARAMS))


def test_every_local_input_has_a_digest(study, tmp_path):
    inputs = identified(study).inputs
    assert list(inputs) == list(named(study)) and len(inputs) == len(FILES)
    ours = hashlib.sha256(b"what text.txt holds\n").hexdigest()
    assert inputs["corpus.files.0"] == f"{tmp_path}/text.txt@sha256:{ours}"


@pytest.mark.parametrize("name", FILES)
def test_a_change_of_content_is_a_change_of_params(study, tmp_path, name):
    folder = paths.results("own")
    record.record(identified(study))
    record.check_same(identified(study), folder)
    time = (tmp_path / name).stat().st_mtime_ns
    (tmp_path / name).write_text(f"WHAT {name} holds\n")  # of the same length
    keys = {"text.txt": "corpus.files.0", "held.txt": "corpus.held_out_files.0", "vocab.txt": "corpus.vocabulary"}
    keys |= {"task/train.tsv": "tasks.mine.train", "task/dev.tsv": "tasks.mine.dev"}
    assert (tmp_path / name).stat().st_mtime_ns > time
    with pytest.raises(ParamsError, match=f"the content of {keys.get(name, 'model.pretrained')} has changed"):
        record.check_same(identified(study), folder)


def test_a_file_that_is_gone_keeps_its_digest_and_a_further_file_in_the_folder_of_a_model_counts(study, tmp_path):
    record.record(first := identified(study))
    (tmp_path / "text.txt").unlink()
    assert identified(study).inputs == first.inputs
    before = digest(tmp_path / "model")
    (tmp_path / "model/notes.md").write_text("read by nobody")
    assert digest(tmp_path / "model") == before
    (tmp_path / "model/pytorch_model.bin").write_bytes(b"weights")
    assert digest(tmp_path / "model") != before


def test_unfinished_work_of_an_old_text_is_begun_anew_and_a_result_is_protected(study, tmp_path, monkeypatch):
    params = tmp_path / "own.yaml"
    params.write_text(yaml.safe_dump(study.model_dump(exclude={"inputs"})))
    monkeypatch.setattr(preflight, "check_inputs", lambda study: [Fact("corpus.files", "documents", "3", True)])
    monkeypatch.setattr(preflight, "check_machine", lambda study, facts: (study, facts))
    monkeypatch.setattr(launch, "_snakemake", lambda *arguments: None)
    launch.run(params)
    folder = paths.results("own")
    pairs, result = folder / "data" / "pairs", folder / "pretrain" / "dense" / "seed-0" / paths.RESULT
    pairs.mkdir(parents=True)
    launch.run(params)
    assert pairs.exists() and "corpus.files,documents,3,True" in (folder / paths.INPUTS).read_text()
    (tmp_path / "text.txt").write_text("a mended text\n")
    launch.run(params)
    assert not pairs.exists()
    assert read_yaml(folder / paths.RECORDED)["inputs"] == identified(study).inputs
    result.parent.mkdir(parents=True)
    result.write_text("{}")
    (tmp_path / "text.txt").write_text("mended again\n")
    with pytest.raises(ParamsError, match="the content of corpus.files.0 has changed"):
        launch.run(params)


def test_what_was_told_is_in_the_report(study):
    facts = [Fact("corpus.files", "share of [UNK]", "<b>12 %</b>", True), Fact("tasks.mine", "examples", "3", False)]
    record.record(study, facts)
    assert tables.inputs(study).to_numpy().tolist() == [["share of [UNK]", "<b>12 %</b>", "!"], ["examples", "3", ""]]
    said = captions.odd(study)
    assert "share of &#91;UNK&#93;" in said and "<b>" not in said and "examples" not in said
    record.record(study, [])
    assert captions.odd(study) == "" and tables.inputs(study).empty
