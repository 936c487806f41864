"""What is said of a study while it runs, of one that runs elsewhere, and of what failed."""

import contextlib
import os
import shutil
import subprocess
import sys
import threading
import time

import nbformat
import pandas as pd
import pytest
import yaml
from commands import would_run
from hostile import NAME, write_task

from prune_utils.__main__ import main
from prune_utils.explorer import studies
from prune_utils.study import paths
from prune_utils.study.files import alone, held, read_json, write_json
from prune_utils.study.params import extended, load_study, merge, read_yaml, validated
from prune_utils.study.record import record, write_csv
from prune_utils.study.section import ParamsError
from prune_utils.workflow import execution, launch, progress, status
from prune_utils.workflow.execution import execute
from prune_utils.workflow.graph import Node, lock_of, nodes, outgrown, to_do
from prune_utils.workflow.launch import begin, run
from prune_utils.workflow.status import failed

SMOKE = load_study(paths.PARAMS / "smoke.yaml")
TABLE = load_study(paths.PARAMS / "published.yaml")


@pytest.fixture
def out(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "OUT", tmp_path)
    return tmp_path


def finish(study, node, seconds, trainings=None):
    """Leaves what a finished node leaves; of a number of `trainings`, what it leaves after so many."""
    folder = paths.results(study.study)
    for path in node.results[:trainings]:
        write_json(path, {})
    if trainings is None:
        write_json(folder / node.notebook, {"metadata": {"papermill": {"duration": seconds}}})


def columns(study, *arguments):
    """The columns of a line, split where those of the heading stand."""
    line, at = progress.line(study, *arguments), [progress.heading().index(n) for n in ("stage", "notebook")]
    rest = line[at[0] + 12 : at[1]].split("  ")
    return [line[:12].strip(), *(part.strip() for part in rest if part.strip()), line[at[1] :]]


def test_trainings_are_counted_once_each(out):
    # 6 pre-training runs; 2 tasks, 2 rates: 3 arms at 0 % and 5 at 60 and 90 %; 2 tasks fine-tuned first twice
    assert columns(SMOKE) == ["pre-training", f"0/{6 + 2 * 2 * (3 + 5 + 5) + 2 * 2}", "?", ""]
    for node in nodes(SMOKE)[:3]:
        finish(SMOKE, node, 10)
    assert columns(SMOKE, nodes(SMOKE)[2].notebook)[:2] == ["pre-training", "6/62"]
    assert columns(SMOKE, nodes(SMOKE)[2].notebook)[-1] == f"{nodes(SMOKE)[2].name}: 10 s"
    assert columns(SMOKE, nodes(SMOKE)[3].notebook, "started")[-1] == "inside the encoder: started"


def test_time_left_worked_by_hand(out):
    every = nodes(SMOKE)
    for node in every[:-3]:
        finish(SMOKE, node, node.examples / 100)
    prunability = every[-3]
    # a hundred examples a second, and the notebook that trains nothing, two at a time
    left = (prunability.examples / 100 + 2 * progress.NOTEBOOK) / 2
    assert columns(SMOKE)[:3] == ["prunability", "58/62", progress.clock(left)]
    finish(SMOKE, prunability, 0, trainings=-2)  # two of its own four are there
    assert columns(SMOKE)[1:3] == ["60/62", progress.clock((prunability.examples / 200 + 2 * progress.NOTEBOOK) / 2)]
    for node in every[-3:]:
        finish(SMOKE, node, 1)
    assert columns(SMOKE) == ["done", "62/62", "nothing", ""]


def test_time_gone_is_this_sittings_and_only_while_it_lasts(out):
    with alone(paths.results("smoke")):
        begin(SMOKE)
        write_json(paths.results("smoke") / paths.SITTING, progress.sitting(SMOKE) | {"started": time.time() - 125})
        assert columns(SMOKE)[2] == "2 min"
    assert columns(SMOKE)[2] == "?"  # nothing is gone, and what is left is not known


def test_who_asks_whether_a_folder_is_held_does_not_hold_it(tmp_path):
    assert not held(tmp_path)
    with alone(tmp_path):
        assert held(tmp_path) and held(tmp_path)
        with pytest.raises(BlockingIOError), alone(tmp_path, wait=False):
            pass
    assert not held(tmp_path)
    with alone(tmp_path, wait=False):
        assert held(tmp_path)


@pytest.fixture
def node(out, monkeypatch):
    """A function: executes a notebook of one cell after another as the node of a study; gives what it left."""
    record(TABLE)
    monkeypatch.chdir(paths.results("published"))

    def run(*sources):
        template = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in sources])
        template.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
        nbformat.write(template, out / "template.ipynb")
        execute(paths.Path("params.yaml"), out / "template.ipynb", paths.Path("regimes.ipynb"), {})

    return run


def watched(capfd):
    """What the start of a study prints of its notebooks while Snakemake runs."""
    with subprocess.Popen(["true"]) as process:
        status.watch(TABLE, process)
    return capfd.readouterr().out


@pytest.mark.slow
def test_a_node_that_fails_says_why_and_where_in_two_lines(node, out, capfd):
    with pytest.raises(SystemExit) as ended:
        node(
            "from prune_utils.study.section import ParamsError",
            "raise ParamsError('task is 5;\\nallowed: <b>names</b>')",
        )
    assert ended.value.code == 1
    details = capfd.readouterr().err
    said = watched(capfd)
    unfinished = out / "results/published/regimes.unfinished.ipynb"
    assert [line.strip() for line in said.splitlines()[-2:]] == [
        "ParamsError: task is 5; allowed: <b>names</b>",
        f"in {unfinished}",
    ]
    assert "Traceback" not in said and "Traceback" in details
    assert status.kept(unfinished) == "ParamsError: task is 5; allowed: <b>names</b>"
    assert nbformat.read(unfinished, 4) and not unfinished.with_name("regimes.ipynb").exists()
    node("1 + 1")  # mended, it leaves nothing of the failure
    assert not unfinished.exists() and status.kept(unfinished) is None
    assert watched(capfd) == ""  # it was there before


@pytest.mark.slow
def test_a_notebook_that_was_deleted_is_made_again(out):
    """Snakemake takes a study for finished whose report is there, whatever of it is missing."""
    record(TABLE)
    for frame in (frame for node in nodes(TABLE) for frame in node.frames):
        (paths.results("published") / frame).write_text("")
    for file in [*(node.path for node in nodes(TABLE)), paths.report("published")]:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("")
    assert would_run(TABLE) == set()
    nodes(TABLE)[-1].path.unlink()
    assert {rule.split("_")[0] for rule in would_run(TABLE)} == {"details", "report", "all"}


def test_a_notebook_is_executed_by_one_process_at_a_time(node, out, monkeypatch):
    notebook, executed = out / "results/published/regimes.ipynb", []
    monkeypatch.setattr(execution, "run_notebook", lambda template, target, _: executed.append(target.write_text("{}")))
    with alone(notebook.parent, name=".regimes.ipynb.lock"):
        second = threading.Thread(target=node, args=["1"])
        second.start()
        second.join(0.3)
        assert second.is_alive() and not executed
    second.join()
    assert len(executed) == 1 and notebook.exists()


@pytest.mark.slow
def test_a_kernel_that_is_killed_says_what_probably_happened(node, out, capfd):
    with pytest.raises(SystemExit):
        node("import os", "big = 'numbers'\nos.kill(os.getpid(), 9)", "never = 1")
    said = watched(capfd)
    assert "killed while it ran `os.kill(os.getpid(), 9)`" in said and "memory ran out" in said
    assert "memory ran out" in status.kept(out / "results/published/regimes.unfinished.ipynb")


def test_a_message_without_end_is_cut(tmp_path):
    path = tmp_path / "a.ipynb"
    write_json(path, {"metadata": {}})
    said = status.keep(path, "ValueError", "x" * 10_000)
    assert len(said) < 700 and said.endswith("...") and status.kept(path) == said
    path.write_text('{"metadata": {"fai')  # being written at this moment
    assert status.kept(path) is None and status.killed(path)


def told(params, capsys):
    assert main(["status", str(params)]) == 0
    return capsys.readouterr().out


def test_status_of_a_study_that_runs_elsewhere(out, capsys):
    params = paths.PARAMS / "smoke.yaml"
    assert "'smoke' has not been started" in told(params, capsys)
    record(SMOKE)
    every, folder = nodes(SMOKE), paths.results("smoke")
    old = folder / paths.unfinished(every[1].notebook)
    write_json(old, {"metadata": {}})
    os.utime(old, (0, 0))
    before = folder / paths.unfinished(every[3].notebook)
    write_json(before, {"metadata": {}})
    status.keep(before, "OSError", "no space")
    os.utime(before, (0, 0))
    with alone(folder), contextlib.ExitStack() as holding:
        begin(SMOKE)
        capsys.readouterr()
        finish(SMOKE, every[0], 10)
        write_json(folder / paths.unfinished(every[2].notebook), {"metadata": {}})
        holding.enter_context(alone(every[2].path.parent, name=lock_of(every[2].notebook)))
        bad = folder / paths.unfinished(every[4].notebook)
        write_json(bad, {"metadata": {}})
        status.keep(bad, "ParamsError", "labels are ['a']")
        said = told(params, capsys)
        assert f"running on {os.uname().nodename} (process {os.getpid()}) since 20" in said
        assert progress.line(SMOKE) in said and "1/62" in said
        assert f"{every[1].name}: interrupted" in said and f"{every[2].name}: running" in said
        assert f"{every[4].name}: failed  ParamsError: labels are ['a']\n    in " in said and bad.name in said
        assert f"{every[3].name}: waiting, after it failed  OSError: no space" in said
        assert [one.node for one in failed(SMOKE)] == [every[4]] and "to continue" not in said
    said = told(params, capsys)
    assert f"{every[3].name}: failed  OSError: no space" in said
    assert "not running" in said and f"{every[2].name}: interrupted" in said and "to continue: python -m" in said


def test_what_was_done_is_told_although_the_data_are_gone(out, tmp_path, capsys):
    task = write_task(tmp_path / "data", 8, 8)
    params = tmp_path / "gone.yaml"
    params.write_text(yaml.safe_dump({"extends": "smoke.yaml", "tasks": [task]}))
    study = load_study(params)
    record(study)
    shutil.rmtree(tmp_path / "data")
    every = nodes(study)
    tuned = next(node for node in every if node.parameters.get("task") == NAME)
    for node in every[:5]:
        finish(study, node, 10)
    assert tuned in every[:5] and studies.notebooks_of(study, NAME, 0.6) == {0: tuned.path}
    assert columns(study)[2] == "?"
    assert "to continue" in told(params, capsys)
    for node in every:
        finish(study, node, 10)
    assert columns(study)[0] == "done" and studies.notebooks_of(study, "other", 0.6) == {}
    with pytest.raises(ParamsError):
        _ = tuned.examples


@pytest.mark.slow
def test_status_is_told_without_heavy_imports(out):
    """Which take seconds, and it is asked often."""
    code = (
        "import sys; from prune_utils.__main__ import main; main(['status', 'params/paper.yaml']); "
        "sys.exit(', '.join({'torch', 'transformers', 'datasets', 'pandas', 'matplotlib', 'papermill', 'snakemake'} & set(sys.modules)) or 0)"
    )
    record(load_study(paths.PARAMS / "paper.yaml"))
    environment = {**os.environ, "PRUNE_UTILS_OUT": str(out)}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=paths.ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0 and "0/" in done.stdout, done.stderr


@pytest.mark.slow
def test_a_study_that_fails_late_says_so_calmly(tmp_path):
    params, out = tmp_path / "late.yaml", tmp_path / "out"
    params.write_text("extends: published.yaml\n")
    (out / "results/late").mkdir(parents=True)
    (out / "results/late/prunability").touch()  # where the regimes notebook makes a folder
    done = subprocess.run(
        [sys.executable, "-m", "prune_utils", "study", str(params)],
        cwd=paths.ROOT,
        env={**os.environ, "PRUNE_UTILS_OUT": str(out)},
        capture_output=True,
        text=True,
        check=False,
    )
    sentence = "NotADirectoryError: [Errno 20] Not a directory:"
    assert done.returncode == 2 and sentence in done.stdout and f"regimes: {sentence}" in done.stderr
    assert len(done.stderr.splitlines()) < 8 and "regimes.unfinished.ipynb" in done.stderr
    assert not any(word in done.stdout + done.stderr for word in ("Traceback", "rule", "jobid", "IPKernelApp"))
    log = out / "results/late" / paths.LOG
    assert str(log) in done.stderr and "Traceback" in log.read_text()
    assert read_json(out / "results/late" / paths.SITTING)["started"] < time.time()


def test_what_a_killed_process_left_running_is_named(out):
    folder = paths.results("smoke")
    record(SMOKE)
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    with alone(folder) as lock:
        left = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)", "snakemake"], pass_fds=[lock])
    try:
        write_json(folder / paths.SITTING, {"started": time.time(), "host": "here", "process": gone.pid})
        with pytest.raises(
            ParamsError, match=f"process {gone.pid} was killed, .* still running; .*: kill -INT -- -{left.pid}$"
        ):
            run(paths.PARAMS / "smoke.yaml")
        write_json(folder / paths.SITTING, {"started": time.time(), "host": "here", "process": os.getpid()})
        with pytest.raises(
            ParamsError, match="is already running in another process, last started on here, which has locked"
        ):
            run(paths.PARAMS / "smoke.yaml")
    finally:
        left.kill()
        left.wait()


def test_what_a_start_runs_is_what_a_larger_grid_lacks_and_all_that_reads_it(empty, capsys, monkeypatch):
    content = extended(read_yaml(paths.PARAMS / "smoke.yaml"), paths.PARAMS)
    study = validated(content)
    assert to_do(study) == nodes(study)
    for node in nodes(study):
        for file in (node.path, *node.own_results):
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch()
    assert to_do(study) == []
    grown = validated(merge(content, {"grid": {"sparsities": [0.0, 0.6, 0.75, 0.9]}}))
    left = {node.name for node in to_do(grown)}
    assert left == {node.name for node in nodes(grown) if "dense" not in node.name}
    monkeypatch.setattr(Node, "examples", 0)  # to save time: counting reads the texts
    launch.list_nodes(grown)
    said = capsys.readouterr().out
    assert said.count("done  ") == len(nodes(grown)) - len(left) > 0 and said.count("to do ") == len(left)


def test_frames_of_other_params_of_fine_tuning_first_are_made_again(empty):
    """`prunability` may change and change back: all trainings are there, and the frame shows those in between."""
    study = validated(extended(read_yaml(paths.PARAMS / "smoke.yaml"), paths.PARAMS))
    for node in nodes(study):
        for file in (node.path, *node.own_results):
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch()
    (node,) = (node for node in nodes(study) if node.kind == "prunability")
    frame = pd.DataFrame([vars(one) for one in node.trainings]).rename(columns={"sparsity": "target_sparsity"})
    place = paths.prunability_frame("smoke", 0, "fine_tune_first")
    write_csv(frame, study, place)
    assert outgrown(study) == []
    write_csv(frame.assign(target_sparsity=0.9), study, place)
    assert outgrown(study) == [node.path] and node in to_do(study)
