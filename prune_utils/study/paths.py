"""File names and folders of the project."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
OUT = ROOT / Path(os.environ.get("PRUNE_UTILS_OUT", "")).expanduser()  # parent of results/ and reports/
PARAMS = ROOT / "params"
NOTEBOOKS = ROOT / "notebooks"
EVIDENCE = ROOT / "evidence"  # frames of studies that are kept with the project
PRETRAINING_NOTEBOOK = NOTEBOOKS / "1_pruning_during_pretraining.ipynb"
INSIDE_NOTEBOOK = NOTEBOOKS / "2_inside_the_encoder.ipynb"
FINETUNING_NOTEBOOK = NOTEBOOKS / "3_finetuning.ipynb"
PRUNABILITY_NOTEBOOK = NOTEBOOKS / "4_fine_tuning_first.ipynb"
REGIMES_NOTEBOOK = NOTEBOOKS / "5_regimes.ipynb"
EXPLORER_NOTEBOOK = NOTEBOOKS / "6_explorer.ipynb"
COMPARISON_NOTEBOOK = NOTEBOOKS / "7_comparison.ipynb"
DETAILS_NOTEBOOK = NOTEBOOKS / "8_details.ipynb"
METHODS_NOTEBOOK = NOTEBOOKS / "9_methods.ipynb"
QUESTIONS_NOTEBOOK = NOTEBOOKS / "10_open_questions.ipynb"
SNAKEFILE = ROOT / "Snakefile"

RECORDED = "params.yaml"  # the resolved params of a study, beside its results
CHECKPOINT = "checkpoint"  # a from_pretrained folder
WEIGHTS = "model.safetensors"  # transformers' name of the weights in it
PREDICTIONS = "dev_predictions.npy"  # predicted label of every dev example, in the order of the file
CONFIDENCE = "dev_confidence.npy"  # probability of that label; not of a regression
PLAN = "plan.json"  # estimated cost of a study
PRECISION = "precision.json"  # in which all trainings of a study compute, if it leaves that to the hardware
SITTING = "sitting.json"  # when and where a study was last started
LOG = "run.log"  # stderr of Snakemake and the notebooks since then
RESULT = "result.json"  # numbers of a finished training; written last, so its presence means that the training is done
CELLS, RUNS, CLAIMS = "cells.csv", "pretraining.csv", "claims.csv"  # frames of a study
FACTORIAL = "factorial.csv"  # the fall in accuracy split into deleting and fixing
METHODS, PAIRS, ORDERS = "methods.csv", "method_pairs.csv", "method_orders.csv"  # ways of pruning side by side
STOPS, FLIPS = "stops.csv", "flips.csv"  # stopping rules, and what is forgotten
INPUTS = "inputs.csv"  # facts about its inputs, recorded before the first training
REGIMES = "regimes.json"  # borders of its regimes; written last by the analysis
INSIDE = (  # frames of the notebook on the encoder
    *("similarity", "heads", "heads_one_shot", "heads_removed", "weights", "sizes", "histograms"),
    *("words", "subwords", "dimensions", "embeddings", "masked_words"),
)
PRUNABILITY = ("movement", "movement_by_rank", "mask_difference", "fine_tune_first")  # frames of fine-tuning first


def given(path: str) -> Path:
    """Resolve a path written in params: absolute, or relative to the project's root."""
    return ROOT / Path(path).expanduser()


def results(study: str) -> Path:
    return OUT / "results" / study


def data(study: str, name: str) -> Path:
    """Folder of the sentence pairs for pre-training ("pairs") or evaluation ("held-out")."""
    return results(study) / "data" / name


def task_data(study: str, task: str) -> Path:
    """Folder of a task's encoded examples."""
    return results(study) / "data" / "tasks" / task


def pretraining(study: str, method: str, sparsity: float, seed: int) -> Path:
    """Folder of a pre-training run; the dense run has no sparsity in its path."""
    folder = results(study) / "pretrain" / method
    return (folder if method == "dense" else folder / percent(sparsity)) / f"seed-{seed}"


def finetuning(study: str, task: str, seed: int) -> Path:
    """Folder of all fine-tuned cells of a task and seed."""
    return results(study) / "finetune" / task / f"seed-{seed}"


def has_cells(results: Path, arm: str) -> bool:
    """Whether a study's folder of results holds cells of an arm, finished or not."""
    return any(results.glob(f"finetune/*/seed-*/{arm}"))


def prunability_frame(study: str, seed: int, name: str) -> Path:
    """CSV of one of the PRUNABILITY frames of a seed."""
    return results(study) / "prunability" / f"seed-{seed}" / f"{name}.csv"


def inside(study: str) -> Path:
    """Folder of the INSIDE frames."""
    return results(study) / "inside"


def sparse(study: str, sparsity: float, seed: int) -> Path:
    """Weights of a gradual run in the sparse format."""
    return inside(study) / "sparse" / f"seed-{seed}" / f"{percent(sparsity)}.safetensors"


def exported(study: str, name: str) -> Path:
    """Folder of a model that is exported for use elsewhere."""
    return results(study) / "exported" / name


def report(study: str) -> Path:
    """First page of a study's report."""
    return OUT / "reports" / study / "index.html"


def unfinished(notebook: Path) -> Path:
    """Name of an executed notebook until it is complete."""
    return notebook.with_name(f"{notebook.stem}.unfinished.ipynb")


def shown(path: Path) -> str:
    """Format a path for a message: relative if it lies under the current folder."""
    path = path.resolve()
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def percent(sparsity: float) -> str:
    """Folder name of a sparsity: 0.3 becomes "sparsity-30"."""
    return f"sparsity-{round(100 * sparsity):02d}"
