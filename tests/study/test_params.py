import copy
import re
from pathlib import Path

import pytest
import yaml
from tiny import MACHINE

from prune_utils.__main__ import main
from prune_utils.study import paths, record
from prune_utils.study.grid import all_cells, all_runs, delayed, runs
from prune_utils.study.params import complete, extended, load_study, merge, read_yaml, validated
from prune_utils.study.paths import PARAMS
from prune_utils.study.section import ParamsError
from prune_utils.workflow import launch, notebook, preflight
from prune_utils.workflow.graph import nodes

SMOKE = load_study(PARAMS / "smoke.yaml")

ALL = sorted(PARAMS.glob("*.yaml"))


@pytest.fixture
def smoke():
    return copy.deepcopy(extended(read_yaml(PARAMS / "smoke.yaml")))


@pytest.mark.parametrize("path", ALL, ids=lambda p: p.stem)
def test_every_params_file_is_valid_and_named_as_its_study(path):
    assert load_study(path).study == path.stem


@pytest.mark.parametrize("path", ALL, ids=lambda p: p.stem)
def test_no_number_is_written_so_that_yaml_reads_text(path):
    assert not re.findall(r"(?<![\w.])\d+e[-+]?\d+", re.sub("#.*", "", path.read_text()))


def test_the_paper_is_the_papers():
    paper = load_study(PARAMS / "paper.yaml")
    assert paper.grid.sparsities == [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]
    assert [t.name for t in paper.tasks] == ["MNLI", "QQP", "QNLI", "SST-2", "CoLA"]
    assert paper.finetuning.learning_rates == [2e-5, 3e-5, 4e-5, 5e-5]
    epochs = paper.finetuning.epochs
    assert [epochs.of("information_deletion", s) for s in (0.1, 0.6, 0.7, 0.9)] == [13, 13, 15, 15]
    assert [epochs.of("downstream", s) for s in (0.1, 0.7, 0.8, 0.9)] == [5, 5, 7, 7]
    assert paper.prunability.sparsity == 0.6 and paper.prunability.epochs == [0, 1, 3, 6, 9, 12]
    assert {(cell.learning_rate, cell.dense().learning_rate) for cell in delayed(paper, "MNLI", 0)} == {(5e-5, 5e-5)}
    assert len(runs(paper, 0)) == 1 + 10 + 9
    assert len(all_cells(paper)) == 5 * 4 * (3 + 9 * 5)


@pytest.mark.parametrize(
    "change, said",
    [
        ({"sparsty": 0.6}, "unknown parameter 'sparsty' (value 0.6)"),
        ({"pretraining": {"stepz": 3}}, "unknown parameter 'pretraining.stepz' (value 3)"),
        ({"corpus": {"documentz": 3}}, "unknown parameter 'corpus.documentz' (value 3)"),
        ({"grid": {"sparsities": [0.0, 1.2]}}, "grid.sparsities.1 is 1.2; input should be less than 1"),
        ({"grid": {"arms": ["pretrain"]}}, "they must include 'dense', the baseline of every comparison"),
        ({"grid": {"sparsities": [0.3, 0.6]}}, "allowed is an increasing list that starts with 0.0"),
        ({"grid": {"sparsities": [0.0, 0.333]}}, "[0.333] are not multiples of 0.01"),
        (
            {"grid": {"arms": ["dense", "downstrem"]}},
            "grid.arms has 'downstrem'; allowed are dense, scratch, pretrain",
        ),
        (
            {"pretraining": {"learning_rate": "2e-5"}},
            "pretraining.learning_rate is '2e-5'; input should be a valid number "
            "(YAML reads 2e-5 as text; write 2.0e-5)",
        ),
        ({"pretraining": {"ramp_steps": 99}}, "ramp_steps is 99; allowed is at most steps, 12"),
        ({"prunability": {"epochs": [0, 3, 1]}}, "prunability.epochs: epochs are [0, 3, 1]; allowed is an increasing"),
        ({"prunability": {"epochs": [1, 1]}}, "allowed is an increasing list of whole numbers from 0 up"),
        (
            {"prunability": {"epochs": [-1, 2]}},
            "prunability.epochs.0 is -1; input should be greater than or equal to 0",
        ),
        ({"prunability": {"epochs": []}}, "prunability.epochs is []; list should have at least 1 item"),
        (
            {"prunability": {"sparsity": 0.5}},
            "prunability.sparsity is 0.5; allowed are the grid's values above 0: [0.6, 0.9]",
        ),
        (
            {"prunability": {"learning_rate": 2e-3}},
            "prunability.learning_rate is 0.002; allowed are null, which is the first of finetuning.learning_rates, "
            "and each of them: [0.001, 0.003]",
        ),
        (
            {"prunability": {"learning_rate": -1e-3}},
            "prunability.learning_rate is -0.001; input should be greater than 0",
        ),
        ({"model": {"hidden_size": None}}, "needs its shape; missing: hidden_size"),
        ({"model": {"dropout": 1.0}}, "model.dropout is 1.0; input should be less than 1"),
        ({"pretraining": {"learning_rate": float("inf")}}, "learning_rate is inf; input should be a finite number"),
        ({"machine": {"precision": "float16"}}, "machine.precision is 'float16'"),
        ({"corpus": {"source": "locl"}}, "corpus is"),
    ],
)
def test_a_wrong_value_is_named_with_what_is_allowed(smoke, change, said):
    with pytest.raises(ParamsError) as error:
        validated(merge(smoke, change))
    assert said in str(error.value)
    assert len(str(error.value).splitlines()) == 1


def test_fine_tuning_first_has_a_rate_of_its_own_and_a_folder_for_each(smoke):
    first, other = (
        delayed(validated(merge(smoke, {"prunability": {"learning_rate": rate}})), "sentiment", 0)
        for rate in (None, 3e-3)
    )
    assert {cell.learning_rate for cell in first} == {1e-3} and {cell.learning_rate for cell in other} == {3e-3}
    assert {cell.dense().learning_rate for cell in other} == {3e-3}
    assert not {cell.folder("smoke") for cell in first} & {cell.folder("smoke") for cell in other}


def test_a_missing_key_is_named(smoke):
    del smoke["pretraining"]["steps"]
    with pytest.raises(ParamsError, match="parameter 'pretraining.steps' is missing"):
        validated(smoke)


def test_a_study_says_only_what_differs_and_changes_of_source_start_afresh():
    base = {"corpus": {"source": "hub", "datasets": ["a"]}, "model": {"hidden_size": 1, "num_hidden_layers": 2}}
    merged = merge(base, {"corpus": {"source": "local", "files": ["b"]}, "model": {"hidden_size": 3}})
    assert merged == {
        "corpus": {"source": "local", "files": ["b"]},
        "model": {"hidden_size": 3, "num_hidden_layers": 2},
    }


def test_what_stands_for_marks_of_a_text_is_given_whole():
    base = {"corpus": {"source": "local", "replace": {" @-@ ": "-"}, "max_length": 9}}
    assert merge(base, {"corpus": {"replace": {}}})["corpus"] == {"source": "local", "replace": {}, "max_length": 9}


def test_files_that_are_missing_circular_or_misnamed_say_so(tmp_path):
    with pytest.raises(ParamsError, match="nowhere.yaml does not exist; available: .*demo.yaml"):
        load_study(tmp_path / "nowhere.yaml")
    (tmp_path / "a.yaml").write_text("extends: b.yaml\n")
    (tmp_path / "b.yaml").write_text("extends: a.yaml\n")
    with pytest.raises(ParamsError, match="circular"):
        load_study(tmp_path / "a.yaml")
    (tmp_path / "c.yaml").write_text("study: other\nextends: smoke.yaml\n")
    with pytest.raises(ParamsError, match="named after its file: 'c'"):
        load_study(tmp_path / "c.yaml")


def test_a_file_elsewhere_extends_those_at_hand(tmp_path):
    (tmp_path / "mine.yaml").write_text("extends: smoke.yaml\ngrid: {seeds: [7]}\n")
    assert load_study(tmp_path / "mine.yaml").grid.seeds == [7]


def test_what_papermill_only_warns_of_is_refused():
    namespace = {
        "In": ["", "method = 'gradual'", "# Parameters\nsparsty = 0.6\nparams = 'smoke'\n"],
        "params": "smoke",
        "sparsity": 0.5,
    }
    with pytest.raises(ParamsError, match="unknown parameter sparsty; this notebook has sparsity"):
        notebook.study_of(namespace, "sparsity")


@pytest.mark.parametrize(
    "name, value, said",
    [
        ("sparsity", 1.2, "sparsity is 1.2; allowed: a fraction"),
        ("sparsity", "0.6", "sparsity is '0.6'"),
        ("sparsities", [0.0, 0.125], "sparsities is"),
        ("method", "gradul", "allowed: dense, gradual, random"),
        ("seed", 1.5, "allowed: a whole number"),
        ("seeds", [0, "1"], "seeds is"),
        ("task", "CoLA", "allowed in study"),
        ("arms", ["pretrained"], "of the study's arms"),
    ],
)
def test_a_notebooks_own_parameters_are_checked(name, value, said):
    with pytest.raises(ParamsError, match=said):
        notebook.study_of({"In": [], "params": "smoke", name: value}, name)


def of_notebook(injected, **values):
    """The study of a notebook in which papermill injected the names `injected`."""
    source = "# Parameters\n" + "".join(f"{name} = {values[name]!r}\n" for name in injected)
    return notebook.study_of({"In": ["", source], "params": "smoke", "override": {}} | values)


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "OUT", tmp_path)


def test_a_notebook_takes_a_params_file_by_name_or_path_and_changes_to_it(elsewhere, tmp_path):
    assert of_notebook(["params"], params="demo").study == "demo"
    mine = tmp_path / "mine.yaml"
    mine.write_text("extends: smoke.yaml\npretraining: {steps: 7}\n")
    assert of_notebook(["params"], params=str(mine)).pretraining.steps == 7
    changes = {"study": "other", "pretraining": {"steps": 9}}
    assert of_notebook(["override"], override=changes).pretraining.steps == 9
    with pytest.raises(ParamsError, match="unknown parameter 'pretraining.stepz'"):
        of_notebook(["override"], override={"pretraining": {"stepz": 9}})


def test_papermill_gives_sections_one_by_one_or_a_whole_file(elsewhere):
    one = of_notebook(["pretraining"], pretraining={"steps": 7})  # papermill -y "pretraining: {steps: 7}"
    assert one.study == "smoke" and one.pretraining.steps == 7 and one.pretraining.batch_size == 16
    content = read_yaml(PARAMS / "demo.yaml")  # papermill -f params/demo.yaml
    assert of_notebook(list(content), **content) == load_study(PARAMS / "demo.yaml")


def test_a_whole_file_that_extends_one_elsewhere_names_the_remedy(elsewhere, tmp_path):
    (tmp_path / "group.yaml").write_text("extends: smoke.yaml\npretraining: {steps: 7}\n")
    with pytest.raises(ParamsError, match="extends is 'group.yaml', which is not in .*`-p params /path/to/it.yaml`"):
        of_notebook(["study", "extends"], study="mine", extends="group.yaml")
    whole = of_notebook(["study", "extends"], study="mine", extends=str(tmp_path / "group.yaml"))
    assert whole.pretraining.steps == 7


@pytest.mark.parametrize(
    "text, said",
    [
        ("study: mine\nstudy: other\n", "key 'study' is repeated"),
        ("grid: {seeds: [0], seeds: [1]}\n", "key 'seeds' is repeated"),
        ("study: [\n", "cannot be read: while parsing"),
        ("extends: 3\n", "extends is 3; allowed is the name of a params file, or null"),
        ("- a\n", "is not a mapping"),
        ("a: \x00\n", "cannot be read"),
    ],
)
def test_a_file_that_is_no_params_is_refused_in_one_sentence(tmp_path, text, said):
    (tmp_path / "mine.yaml").write_text(text)
    with pytest.raises(ParamsError, match=said) as refused:
        load_study(tmp_path / "mine.yaml")
    assert "\n" not in str(refused.value)


def test_recorded_params_are_those_of_their_study(elsewhere):
    study = load_study(PARAMS / "demo.yaml")
    record.record(study)
    assert load_study(paths.results("demo") / paths.RECORDED) == study


def test_results_of_other_params_are_never_mixed_in(smoke, tmp_path):
    made = validated(smoke)
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(made.model_dump(), sort_keys=False))
    (tmp_path / "result.json").write_text("{}")
    record.check_same(made, tmp_path)
    changed = merge(smoke, {"pretraining": {"learning_rate": 1.0e-4}})
    changed["tasks"][0]["train"] = 97
    with pytest.raises(ParamsError) as error:
        record.check_same(validated(changed), tmp_path)
    assert f"pretraining.learning_rate was {made.pretraining.learning_rate} and is 0.0001" in str(error.value)
    assert "tasks.acceptability.train was 96 and is 97" in str(error.value)


def test_while_nothing_is_finished_params_may_change(smoke, tmp_path):
    made = validated(smoke)
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(made.model_dump(), sort_keys=False))
    (tmp_path / "pretrain/dense").mkdir(parents=True)
    (tmp_path / ".lock").touch()
    (tmp_path / "plan.json").touch()
    changed = validated(merge(smoke, {"pretraining": {"learning_rate": 1.0e-4}}))
    launch._check_finished(changed, tmp_path)
    with pytest.raises(ParamsError, match="learning_rate"):  # a notebook by itself clears nothing
        record.check_same(changed, tmp_path)
    assert record.differences(changed, tmp_path) and not record.differences(made, tmp_path)
    launch._begin_anew(tmp_path)  # what a training of other params left would be resumed else
    assert {path.name for path in tmp_path.iterdir()} == {".lock", "plan.json"}


def test_a_grid_may_grow_and_a_machine_may_change(smoke, tmp_path):
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(validated(smoke).model_dump(), sort_keys=False))
    record.check_same(validated(merge(smoke, {"grid": {"seeds": [0, 1]}, "machine": {"threads": 2}})), tmp_path)
    (tmp_path / "result.json").write_text("{}")
    with pytest.raises(ParamsError, match="machine.precision was 'float32' and is 'bfloat16'"):
        record.check_same(validated(merge(smoke, {"machine": {"precision": "bfloat16"}})), tmp_path)


def test_a_study_finished_before_prunability_was_measured_may_gain_it(smoke, tmp_path):
    old = validated(smoke).model_dump()
    del old["prunability"]
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(old, sort_keys=False))
    record.check_same(validated(merge(smoke, {"prunability": {"epochs": [0, 1, 5]}})), tmp_path)


def test_no_disk_space_is_known_before_training(smoke, monkeypatch):
    monkeypatch.setattr(preflight, "free_bytes", lambda study: 1000)
    with pytest.raises(ParamsError, match="needs about .* GB .* and the disk has 0.0 GB free"):
        preflight.check_machine(validated(smoke), [])


def test_a_finished_study_needs_no_disk_space(finished, monkeypatch):
    monkeypatch.setattr(paths, "OUT", finished)
    monkeypatch.setattr(preflight, "free_bytes", lambda study: 1000)
    preflight.check_machine(load_study(paths.PARAMS / "smoke.yaml"), [])


def test_missing_files_and_wrong_columns_are_known_before_training(smoke, tmp_path):
    text, words = tmp_path / "text.txt", tmp_path / "vocab.txt"
    text.write_text("One . Two . One two .\n" * 200)
    words.write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\none\ntwo\n.\n")
    local = {
        "source": "local",
        "files": [str(text)],
        "held_out_files": ["nowhere.txt"],
        "vocabulary": str(words),
        "max_length": 24,
    }
    task = {"source": "local", "name": "mine", "folder": str(tmp_path)}
    smoke |= {"corpus": local, "tasks": [task]}
    with pytest.raises(ParamsError, match="corpus.held_out_files.0: .*nowhere.txt does not exist"):
        preflight.check_inputs(validated(smoke))
    local["held_out_files"] = [str(text)]
    with pytest.raises(ParamsError, match="tasks.mine.train: .*train.tsv does not exist"):
        preflight.check_inputs(validated(smoke))
    (tmp_path / "train.tsv").write_text("text\tclass\n")
    (tmp_path / "dev.tsv").write_text("text\tclass\n")
    with pytest.raises(
        ParamsError, match="task mine: .*train.tsv has no column sentence and no label, it has text, class"
    ):
        preflight.check_inputs(validated(smoke))


def test_a_model_that_is_no_folder_and_no_name_of_the_hub_is_known_before_training(smoke):
    smoke["model"] = {"pretrained": "path/to/my-bert"}
    with pytest.raises(
        ParamsError, match="model.pretrained: .*path/to/my-bert does not exist, and this cannot be a name on the hub"
    ):
        preflight.check_inputs(validated(smoke))
    smoke["model"] = {"pretrained": "google-bert/bert-base-uncased"}
    preflight.check_inputs(validated(smoke))


def test_a_dry_run_lists_the_whole_grid(capsys):
    assert main(["study", str(PARAMS / "paper.yaml"), "--dry-run"]) == 0
    listed = capsys.readouterr().out.splitlines()
    paper = load_study(PARAMS / "paper.yaml")
    assert len(listed) == len(nodes(paper)) + 1 == 1 + 10 + 9 + 1 + 5 * 10 + 1 + 2 + 1


def test_every_node_comes_after_what_it_needs(monkeypatch):
    monkeypatch.setattr("prune_utils.workflow.graph.node.train_size", lambda task: 100)  # local files need not be here
    for path in ALL:
        seen = set()
        for node in nodes(load_study(path)):
            after = {file for file in node.after if not file.is_absolute()}  # a table is there from the start
            assert after <= seen and not set(node.frames) & seen
            seen |= set(node.frames)


def test_environment_metadata_and_lock_agree():
    import tomllib

    project = tomllib.loads((paths.ROOT / "pyproject.toml").read_text())
    lock = [
        line.split(";")[0].strip()
        for line in (paths.ROOT / "requirements.lock").read_text().splitlines()
        if line and not line.startswith("#")
    ]
    pinned: dict[str, set[str]] = {}
    for line in lock:
        name, version = line.split("==")
        pinned.setdefault(name, set()).add(version)
    from packaging.requirements import Requirement

    wanted = project["project"]["dependencies"] + project["dependency-groups"]["dev"]
    for requirement in map(Requirement, wanted):
        for version in pinned[requirement.name]:
            assert requirement.specifier.contains(version), requirement
    conda = yaml.safe_load((paths.ROOT / "environment.yml").read_text())
    assert {"pip": ["-r requirements.lock", "-e ."]} in conda["dependencies"]
    assert f"python {project['project']['requires-python']},<3.14" in conda["dependencies"]


def test_installed_versions_are_those_of_the_lock():
    from importlib.metadata import version

    lock = Path(paths.ROOT / "requirements.lock").read_text()
    for name in ("torch", "transformers", "datasets", "snakemake", "papermill"):
        assert f"\n{name}=={version(name).split('+')[0]}" in lock


def test_an_arm_can_be_run_at_some_sparsities_only():
    content = merge(SMOKE.model_dump(), {"grid": {"at": {"random": [0.6]}}})
    study = validated(content)
    found = {(cell.arm, cell.sparsity) for cell in all_cells(study)}
    assert ("random", 0.6) in found and ("random", 0.9) not in found and ("pretrain", 0.9) in found
    assert [run.sparsity for run in all_runs(study) if run.method == "random"] == [0.6]
    assert merge(content, {"grid": {"at": {}}})["grid"]["at"] == {}  # a study that extends it can run all again


@pytest.mark.parametrize(
    ("at", "message"),
    [
        ({"random": [0.5]}, r"grid: at.random is \[0.5\]; allowed are sparsities of the grid above 0: \[0.6, 0.9\]"),
        ({"random": []}, "at.random is"),
        ({"random": [0.0]}, "at.random is"),
        ({"dense": [0.6]}, "grid.at has 'dense'; allowed are pretrain"),
        ({"largest": [0.6]}, "grid.at has 'largest'; allowed are pretrain"),
    ],
)
def test_sparsities_of_an_arm_that_cannot_be_are_refused(at, message):
    with pytest.raises(ParamsError, match=message):
        validated(merge(SMOKE.model_dump(), {"grid": {"at": at}}))


def test_several_seeds_share_notebooks_and_nothing_is_trained_twice_or_left_out():
    content = merge(SMOKE.model_dump(), {"grid": {"seeds": [0, 1, 2]}})
    apart, together, whole = (validated(merge(content, {"machine": {"seeds_per_node": n}})) for n in (1, 2, 0))
    assert "pre-train dense, seeds 0 to 2" in [node.name for node in nodes(whole)]
    table = validated(merge(complete("published"), {"machine": {**MACHINE.model_dump(), "seeds_per_node": 0}}))
    assert [node.kind for node in nodes(table)] == ["analysis"] * 2
    trained = [[one for node in nodes(study) for one in node.trainings] for study in (apart, together)]
    assert len(trained[0]) == len(trained[1]) == len(set(trained[1])) and set(trained[0]) == set(trained[1])
    names = [node.name for node in nodes(together)]
    assert "pre-train dense, seeds 0 to 1" in names and "fine-tune sentiment, 0 to 90 %, seed 2" in names
    assert len({node.notebook for node in nodes(together)}) == len(names) < len(nodes(apart))
    made = [path for node in nodes(together) for path in node.frames]
    assert len(set(made)) == len(made) and {path for node in nodes(together) for path in node.after} <= set(made)


def test_sparsities_that_were_computed_are_those_that_claims_look_for(smoke):
    smoke["grid"]["sparsities"] = [0.0, 2 * 0.3, 3 * 0.3]
    assert 3 * 0.3 != 0.9 and validated(smoke).grid.sparsities == [0.0, 0.6, 0.9]


@pytest.mark.parametrize("pattern, sparsity", [("4:5", 0.2), ("7:10", 0.3), ("9:10", 0.1), ("2:4", 0.5)])
def test_an_n_of_m_arm_is_run_at_its_share_or_refused_where_the_grid_has_it_not(smoke, pattern, sparsity):
    smoke["own_arms"] = {"nm": {"score": "magnitude", "pattern": pattern, "when": "start", "fate": "zero"}}
    smoke["grid"] |= {"arms": [*smoke["grid"]["arms"], "nm"], "sparsities": [0.0, sparsity, 0.6]}
    assert [cell.sparsity for cell in all_cells(validated(smoke)) if cell.arm == "nm" and cell.task == "sentiment"]
    smoke["grid"]["sparsities"] = [0.0, 0.6]
    with pytest.raises(ParamsError, match="grid.arms has 'nm', whose pattern prunes"):
        validated(smoke)


@pytest.mark.parametrize(
    "section, key, values",
    [
        ("grid", "seeds", [0, 0]),
        ("grid", "arms", ["dense", "pretrain", "pretrain"]),
        ("finetuning", "learning_rates", [1e-3, 1e-3]),
        ("finetuning", "learning_rates", [1e-3, 1.0000001e-3]),
    ],
)
def test_what_would_share_a_folder_is_refused(smoke, section, key, values):
    smoke[section][key] = values
    with pytest.raises(ParamsError, match=f"{key}.*each may occur once"):
        validated(smoke)


def test_the_order_of_classes_cannot_change(smoke, monkeypatch, tmp_path):
    monkeypatch.setattr(paths, "OUT", tmp_path)
    task = {"source": "local", "name": "t", "folder": "data/t", "labels": {"p": "good", "n": "bad"}}
    first = validated(smoke | {"tasks": [task]})
    record.record(first, [])
    other = validated(smoke | {"tasks": [task | {"labels": {"n": "bad", "p": "good"}}]})
    (said,) = record.differences(other, paths.results("smoke"))
    assert said == "the order of tasks.t.labels was p, n and is n, p"
    assert record.differences(first, paths.results("smoke")) == []


def test_rows_of_own_arms_keep_the_names_of_their_runs(smoke, monkeypatch, tmp_path):
    monkeypatch.setattr(paths, "OUT", tmp_path)
    row = {"score": "magnitude", "pattern": "rows", "when": "gradual"}
    old, new = {"b": row | {"fate": "zero"}}, {"a": row | {"fate": "free"}, "b": row | {"fate": "zero"}}
    smoke["grid"]["arms"] = ["dense", "b"]
    record.record(validated(smoke | {"own_arms": old}), [])
    (said,) = record.differences(validated(smoke | {"own_arms": new}), paths.results("smoke"))
    assert said == "own_arms: runs of b are in the folder b and would be in a; keep the old order"
    assert not record.differences(validated(smoke | {"own_arms": old | new}), paths.results("smoke"))
