"""Every file name of the project."""

import hashlib
import os
from pathlib import Path
from urllib.parse import quote

ROOT = Path(__file__).resolve().parents[2]
OUT = Path(os.environ.get("PRUNE_UTILS_OUT", ROOT))  # where results/ and reports/ go, if not beside the notebooks
PARAMS = ROOT / "params"
NOTEBOOKS = ROOT / "notebooks"
PRETRAINING_NOTEBOOK = NOTEBOOKS / "1_pruning_during_pretraining.ipynb"
FINETUNING_NOTEBOOK = NOTEBOOKS / "2_finetuning.ipynb"
REGIMES_NOTEBOOK = NOTEBOOKS / "3_regimes.ipynb"
PRUNABILITY_NOTEBOOK = NOTEBOOKS / "4_prunability.ipynb"
INSIDE_NOTEBOOK = NOTEBOOKS / "5_inside_the_encoder.ipynb"
EXPLORER_NOTEBOOK = NOTEBOOKS / "6_explorer.ipynb"
COMPARISON_NOTEBOOK = NOTEBOOKS / "7_comparison.ipynb"
SNAKEFILE = ROOT / "Snakefile"

LONGEST = 80  # characters of a folder's name that a task's name gives
CHECKPOINT = "checkpoint"  # a from_pretrained folder
WEIGHTS = "model.safetensors"  # in it; transformers' name for them
PLAN = "plan.json"  # what a study was estimated to cost before it ran
SITTING = "sitting.json"  # when and where a study was started last
LOG = "run.log"  # all that Snakemake and the notebooks' processes said in that sitting
RESULT = "result.json"  # a finished training's numbers, written last: where it lies, the training is done


def given(path: str) -> Path:
    """A path as written in params: absolute, or relative to the project's root."""
    return ROOT / Path(path).expanduser()


def results(study: str) -> Path:
    return OUT / "results" / study


def data(study: str, name: str) -> Path:
    """The folder of pairs to pre-train on, or of those held out."""
    return results(study) / "data" / name


def inside(study: str) -> Path:
    """The folder of what was measured inside the pre-trained models."""
    return results(study) / "inside"


def sparse(study: str, sparsity: float, seed: int) -> Path:
    """The weights of a gradual run, stored sparse."""
    return inside(study) / "sparse" / f"seed-{seed}" / f"{percent(sparsity)}.safetensors"


def report(study: str) -> Path:
    return OUT / "reports" / study / "index.html"


def unfinished(notebook: Path) -> Path:
    """The name of an executed notebook until it is whole."""
    return notebook.with_name(f"{notebook.stem}.unfinished.ipynb")


def shown(path: Path) -> str:
    """A path as it is shown to a person: short where it is under the folder they stand in."""
    path = path.resolve()
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def percent(sparsity: float) -> str:
    return f"sparsity-{round(100 * sparsity):02d}"


def folder_name(name: str) -> str:
    """A task's name as that of a folder: letters, digits, `_`, `-`, `.` and `~` as they are, other bytes as `=C3`; a long one is
    cut, and told from others by a digest. Two names never share a folder."""
    quoted = quote(name, safe="").replace("%", "=")
    quoted = quoted.replace(".", "=2E", 1) if quoted.startswith(".") else quoted
    digest = hashlib.sha256(name.encode()).hexdigest()[:8]
    return quoted if len(quoted) <= LONGEST else f"{quoted[:LONGEST]}={digest}"


def task_data(study: str, task: str) -> Path:
    """The folder of a task's encoded examples."""
    return results(study) / "data" / "tasks" / folder_name(task)


def pretraining(study: str, method: str, sparsity: float, seed: int) -> Path:
    """The folder of one pre-training run; the dense one has no sparsity to name."""
    folder = results(study) / "pretrain" / method
    return (folder if method == "dense" else folder / percent(sparsity)) / f"seed-{seed}"


def finetuning(study: str, task: str, seed: int) -> Path:
    """The folder of all fine-tuned cells of one task and seed."""
    return results(study) / "finetune" / folder_name(task) / f"seed-{seed}"


def cell(study: str, task: str, seed: int, arm: str, sparsity: float, learning_rate: float) -> Path:
    """The folder of one fine-tuned cell."""
    return finetuning(study, task, seed) / arm / percent(sparsity) / f"learning-rate-{learning_rate:g}"


def prunability(study: str, task: str, seed: int, sparsity: float, epochs: int) -> Path:
    """The folder of one model that was fine-tuned for `epochs` first and pruned then."""
    return (
        results(study) / "prunability" / folder_name(task) / f"seed-{seed}" / percent(sparsity) / f"epochs-{epochs:02d}"
    )
