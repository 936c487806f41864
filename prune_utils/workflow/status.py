"""How far a study is that runs, or ran, elsewhere: told from its folder alone, without a word to who runs it."""

import datetime
from dataclasses import dataclass
from pathlib import Path

from prune_utils.study import paths
from prune_utils.study.files import held, read_json, write_json
from prune_utils.study.params import load_study
from prune_utils.study.schema import Replay, Study
from prune_utils.workflow import progress, status
from prune_utils.workflow.nodes import Node, nodes


@dataclass(frozen=True)
class Begun:
    """A node that was begun and is not done: `file` is what it wrote so far, `failure` why it failed, if it did;
    `now`: in the sitting begun last, and not in an earlier one."""

    node: Node
    file: Path
    failure: str | None
    now: bool


def begun(study: Study | Replay) -> list[Begun]:
    """The nodes that left, or are writing, an unfinished notebook."""
    files = [(node, paths.results(study.study) / paths.unfinished(node.notebook)) for node in nodes(study)]
    started = progress.sitting(study).get("started", 0)
    return [
        Begun(node, file, status.kept(file), file.stat().st_mtime >= started) for node, file in files if file.exists()
    ]


def failed(study: Study | Replay) -> list[Begun]:
    """The nodes that failed in the sitting begun last; one that failed before it may be waiting still."""
    return [one for one in begun(study) if one.failure and one.now]


def show(params: Path) -> None:
    """Prints how far a study is, whether and where it is run now, at what, and what failed."""
    study = load_study(params)
    folder = paths.results(study.study)
    if not (folder / "params.yaml").exists():
        print(f"study '{study.study}' has not been begun: there is no {paths.shown(folder)}")
        return
    print(f"study '{study.study}', {_by_whom(study)}\n\n{progress.heading()}\n{progress.line(study)}\n")
    print("\n".join(_told(study, params)))


def _by_whom(study: Study | Replay) -> str:
    sitting = progress.sitting(study)
    if not held(paths.results(study.study)):
        return "run by nobody now"
    if not sitting:
        return "run now"
    since = datetime.datetime.fromtimestamp(sitting["started"])
    return f"run now on {sitting['host']} (process {sitting['process']}) since {since:%Y-%m-%d %H:%M}"


def _told(study: Study | Replay, params: Path) -> list[str]:
    """A line for every node that was begun, and one for how to go on."""
    folder, lines = paths.results(study.study), []
    running = held(folder)
    for one in begun(study):
        lines.append(f"{one.node.name}: {_state(one, running)}")
        if one.failure:
            lines.append(f"    in {paths.shown(one.file)}")
    report = paths.report(study.study)
    waiting = [node for node in nodes(study) if not (folder / node.notebook).exists()]
    if not waiting and report.exists():
        lines.append(f"report: {paths.shown(report)}")
    elif not running:
        lines.append(f"to go on: python -m prune_utils study {paths.shown(params)}")
    return lines


def _state(one: Begun, running: bool) -> str:
    if one.failure:
        return f"failed  {one.failure}" if one.now or not running else f"waits, after it failed  {one.failure}"
    return "now" if running and one.now else "broken off"


LONGEST = 600  # characters of a message that are a sentence still
KEY = "failed"  # in the notebook's metadata
KILLED = (
    "its process was killed while it ran `{}`, most often by the system because memory ran out; fewer machine.jobs "
    "at a time, or a smaller batch or model, take less"
)


def keep(unfinished: Path, name: str, message: str) -> str:
    """Writes why a node failed, an error's `name` and `message`, into what it left, and gives it as one line."""
    said = " ".join(f"{name}: {message}".split())
    said = said if len(said) <= LONGEST else f"{said[:LONGEST]} ..."
    content = _read(unfinished)
    if content:
        content["metadata"][KEY] = said
        write_json(unfinished, content)
    return said


def kept(unfinished: Path) -> str | None:
    """Why the node that left this notebook failed; None where it runs still or was stopped from outside."""
    return _read(unfinished).get("metadata", {}).get(KEY)


def killed(unfinished: Path) -> str:
    """What probably happened to a kernel that died, and in which line."""
    cells = [cell for cell in _read(unfinished).get("cells", []) if cell["cell_type"] == "code"]
    begun = [cell for cell in cells if "execution" in cell["metadata"]]
    lines = "".join(begun[-1]["source"]).splitlines() if begun else []
    return KILLED.format(lines[-1].strip() if lines else "its first lines")


def _read(unfinished: Path) -> dict:
    """A notebook that another process may be writing at this moment: what cannot be read yet is empty."""
    try:
        return read_json(unfinished)
    except (FileNotFoundError, ValueError):
        return {}
