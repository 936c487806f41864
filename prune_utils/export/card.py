"""The model card of an exported folder: README.md with the metadata that the hub reads."""

from dataclasses import dataclass

from huggingface_hub import EvalResult, ModelCardData

from prune_utils.analysis.claims import claims_table
from prune_utils.analysis.evidence import Evidence, evidence_of
from prune_utils.analysis.noise.estimates import Estimate
from prune_utils.study.grid import Cell
from prune_utils.study.schema import Study
from prune_utils.study.words import POINTS, minus, percent


@dataclass(frozen=True)
class Made:
    """What was exported: the cell, its task if it is fine-tuned, shares of zeros by denominator before it was shrunk, and
    (before, after) of parameters and of bytes of the weights; `apart`: see `folder.difference`."""

    study: Study
    cell: Cell
    task: str | None
    zeros: dict[str, float]
    parameters: tuple[int, int]
    bytes: tuple[int, int]
    apart: float

    @property
    def title(self) -> str:
        what = f"fine-tuned on {self.task}" if self.task else "pre-trained"
        return f"{self.study.study}: {self.cell.arm} at {percent(self.cell.sparsity)}, {what}, seed {self.cell.seed}"


def card(made: Made) -> str:
    """The text of README.md: metadata, sparsity by denominator, size, accuracy with intervals, verdicts, and origin."""
    found = evidence_of(made.study)
    scores = {task.name: _accuracy(found.over([task.name]), made.cell) for task in made.study.tasks}
    parts = [_metadata(made, scores), f"# {made.title}", _use(made), _zeros(made), _scores(made, scores)]
    return "\n\n".join([*parts, _verdicts(found), _origin(made, found)]) + "\n"


def _accuracy(found: Evidence, cell: Cell) -> tuple[float, Estimate] | None:
    """Mean dev accuracy of an arm over seeds, percent, and its change from the dense model in points; None without cells."""
    accuracy, at, dense = found.accuracy, (cell.arm, cell.sparsity), ("dense", 0.0)
    if not accuracy.has(at) or not accuracy.has(dense):
        return None
    return POINTS * accuracy.point[at], accuracy.difference(at, dense).scaled(POINTS)


def _metadata(made: Made, scores: dict) -> str:
    results = [
        EvalResult(
            task_type="text-classification",
            dataset_type=task,
            dataset_name=task,
            metric_type="accuracy",
            metric_value=float(found[0] / POINTS),
            dataset_split="validation",
        )
        for task, found in scores.items()
        if found and made.task in (None, task)
    ]
    task = "text-classification" if made.task else "fill-mask"
    tags = ["pruning", made.cell.arm, f"sparsity-{round(100 * made.cell.sparsity)}"]
    data = ModelCardData(
        library_name="transformers", pipeline_tag=task, tags=tags, model_name=made.title, eval_results=results or None
    )
    return f"---\n{data.to_yaml()}\n---"


def _use(made: Made) -> str:
    kind = "AutoModelForSequenceClassification" if made.task else "AutoModel"
    return f"```python\nfrom transformers import {kind}\n\nmodel = {kind}.from_pretrained(folder)\n```"


def _zeros(made: Made) -> str:
    names = {
        "prunable": "prunable matrices",
        "encoder": "encoder without embeddings and pooler",
        "whole_model": "all parameters",
    }
    rows = [f"| {names[name]} | {POINTS * share:.1f} % |" for name, share in made.zeros.items()]
    (before, after), (was, now) = made.parameters, made.bytes
    cut = f"{before:,} parameters became {after:,}, and {was:,} bytes of weights became {now:,}"
    same = (
        f"outputs differ by {made.apart:.0e} of the largest logit, due to the order of sums"
        if made.apart
        else "outputs are equal"
    )
    none = "No feed-forward unit could be cut out; zeros take as much space and time as other weights."
    smaller = (
        f"Feed-forward units that do not affect the output were cut out: {cut}; {same}." if after < before else none
    )
    table = ["| weights | zeros |", "|---|---|", *rows]
    return "\n".join(["## Sparsity and size", "", *table, "", f"Measured before anything was cut out. {smaller}"])


def _scores(made: Made, scores: dict) -> str:
    lines = ["| task | dev accuracy (%) | change from dense (points) |", "|---|---|---|"]
    for task, found in scores.items():
        if found:
            lines.append(f"| {task} | {found[0]:.1f} | {_change(found[1])} |")
    whose = (
        "of the arm at this sparsity, each model fine-tuned on its task; this folder is one of them"
        if made.task
        else ("of this arm at this sparsity, after fine-tuning on each task")
    )
    said = f"Means over seeds {', '.join(map(str, made.study.grid.seeds))} {whose}; brackets are 95 % intervals."
    return "\n".join(["## Accuracy", "", *lines, "", said])


def _change(change: Estimate) -> str:
    ends = change.interval()
    return minus(f"{change.value:+.1f}" + (f" [{ends[0]:.1f}, {ends[1]:.1f}]" if ends else ", one seed"))


def _verdicts(found: Evidence) -> str:
    lines = [f"- {row.claim}, {row.statement}: {row.verdict}" for row in claims_table(found).itertuples()]
    return "\n".join(["## What the study found", "", *lines])


def _origin(made: Made, found: Evidence) -> str:
    row, cells = made.study.arm_table.rows.get(made.cell.arm), found.cells
    own = (cells.arm == made.cell.arm) & (cells.target_sparsity == made.cell.sparsity)
    first = cells[own & (cells.task == made.cell.task) & (cells.seed == made.cell.seed)].iloc[0]
    versions = ", ".join(f"{name} {first[name]}" for name in ("torch", "transformers", "commit") if name in first)
    how = (
        f"Score {row.score}, pattern {row.pattern}, pruned: {row.when}, then {row.fate}"
        if row
        else "Nothing was pruned"
    )
    source = "arms and claims are those of Gordon, Duh & Andrews (2020), arXiv:2002.08307, and their controls"
    return f"## How it was made\n\n{how}; {source}. {made.study.origin} Versions: {versions}."
