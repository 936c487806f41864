"""What is said beside figures and tables."""

import json
from dataclasses import fields

import pandas as pd

from prune_utils.analysis.estimates import LEVEL, Verdict
from prune_utils.analysis.results import missing
from prune_utils.analysis.uncertainty import Draws
from prune_utils.report.escaping import markdown
from prune_utils.study import paths
from prune_utils.study.grid import Cell, all_runs
from prune_utils.study.schema import Replay, Study

MARKS = {Verdict.SUPPORTED: "✓", Verdict.NOT_SUPPORTED: "✗", Verdict.UNDECIDED: "?"}


def gathered(study: Study | Replay, cells: pd.DataFrame, runs: pd.DataFrame) -> str:
    """What there is and what there is not, as Markdown; what is missing task by task, arm by arm."""
    if isinstance(study, Replay):
        return f"{len(cells)} rows of {markdown(study.table.cells)}, on {_many(cells.task.nunique(), 'task')}."
    holes = pd.DataFrame(missing(study), columns=[f.name for f in fields(Cell)])
    wanted = len(all_runs(study))
    text = (
        f"{len(cells)} of {len(cells) + len(holes)} fine-tuned cells and {len(runs)} of {wanted} pre-training runs "
        "are finished."
    )
    if holes.empty and len(runs) == wanted:
        return text
    lines = [f"- {wanted - len(runs)} pre-training runs"] if len(runs) < wanted else []
    lines += [
        f"- {markdown(task)}, {arm.replace('_', ' ')}: {_percents(group.sparsity)}, seeds {_joined(group.seed)}"
        for (task, arm), group in holes.groupby(["task", "arm"], sort=False)
    ]
    return f"**This study is not finished.** {text} Missing:\n\n" + "\n".join(lines)


def _many(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _joined(values: pd.Series) -> str:
    return ", ".join(map(str, sorted(set(values))))


def _percents(sparsities: pd.Series) -> str:
    return ", ".join(f"{100 * s:.0f}" for s in sorted(set(sparsities))) + " %"


def origin(study: Study | Replay) -> str:
    """What may be concluded from the text that a study was made with."""
    if isinstance(study, Replay):
        return f"Nothing was trained for this: the numbers are those of {markdown(study.table.origin)}."
    if study.corpus.source == "embedded":
        return (
            "The text is the package's own small English, **built to show the effect**: its tasks need what pre-training "
            "on it teaches. What is found here shows how the analysis works; real text is what tests the claim."
        )
    return "The text and the tasks are real."


def caption(cells: pd.DataFrame, draws: Draws | None = None) -> str:
    """What a figure over all cells is made of: tasks, seeds, spread."""
    if "dev_examples" in cells:
        sizes = cells.groupby("task").dev_examples.first()
        tasks = ", ".join(f"{markdown(task)} ({count:,} dev examples)" for task, count in sizes.items())
    else:
        tasks = ", ".join(map(markdown, sorted(cells.task.unique())))
    bars = f" Bars are {LEVEL:.0%} intervals over {' and '.join(draws.covers)}." if draws and draws.covers else ""
    return f"*Means over {tasks}; {seeds(cells[cells.arm != 'dense'])}.{bars} Sparsity counts zeros in the prunable matrices.*"


def seeds(frame: pd.DataFrame) -> str:
    """What dots and lines are, where a frame has several seeds."""
    every = sorted(frame.seed.unique())
    if len(every) < 2:
        return "one run of each"
    return f"seeds {', '.join(map(str, every))}: each small dot is one seed, a line joins their means"


PRUNABILITY = "prunability/seed-{}.html#"


FIGURES = {  # where each is in the report
    "Fig. 1": "#Accuracy-by-sparsity-(Fig.-1,-left)",
    "Fig. 2 left": "#A-bit-of-BERT-(Fig.-2,-left)",
    "Fig. 3 left": f"{PRUNABILITY}Mask-difference-(Fig.-3,-left)",
    "Fig. 3 right": f"{PRUNABILITY}Fine-tuning-first-(Fig.-3,-right)",
    "Fig. 4": f"{PRUNABILITY}Movement-by-epochs-(Fig.-4)",
    "Fig. 5": "inside/inside.html#Attention-heads-(Fig.-5)",
    "Fig. 6": f"{PRUNABILITY}Movement-by-starting-rank-(Fig.-6)",
    "Table 2": f"{PRUNABILITY}Movement-by-learning-rate-(Table-2)",
}


def _figure(names: str, study: Study | Replay) -> str:
    """The names of figures, each a link to where it is in the report where its notebook has been executed."""
    seed = None if isinstance(study, Replay) else study.grid.seeds[0]
    linked = []
    for name in names.split(", "):
        place = FIGURES[name].format(seed)
        notebook = (paths.results(study.study) / place.split("#")[0]).with_suffix(".ipynb")
        linked.append(f"[{name}](<{place}>)" if place.startswith("#") or notebook.exists() else name)
    return ", ".join(linked)


def claims_page(claims: pd.DataFrame, study: Study | Replay) -> str:
    """The claims as a table in Markdown: the claim with a link to the figure that shows it and why it got its
    verdict; what was measured, its interval, and the same in the paper; the verdict."""
    lines = ["| claim | measured | verdict |", "|---|---|---|"]
    for row in claims.itertuples():
        ends = json.loads(row.interval) if isinstance(row.interval, str) else None
        measured = f"{row.measured:+.1f} {row.unit}" if pd.notna(row.measured) else ""
        beside = [f"{ends[0]:+.1f} to {ends[1]:+.1f}"] if ends else []
        beside += [f"paper {row.published:+.1f}"] if pd.notna(row.published) else []
        lines.append(
            f"| **{row.claim}** {row.statement} ({_figure(row.figure, study)})<br><small>{markdown(row.why)}</small> "
            f"| {measured}<br><small>{'<br>'.join(beside)}</small> | {MARKS[row.verdict]}\u00a0**{row.verdict}** |"
        )
    return "\n".join(lines)
