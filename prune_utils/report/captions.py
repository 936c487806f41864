"""Text beside figures and tables: what is missing, captions, the table of claims."""

import json

import numpy as np
import pandas as pd

from prune_utils.analysis import factorial
from prune_utils.analysis.findings.forgotten import KINDS
from prune_utils.analysis.findings.methods import groups
from prune_utils.analysis.findings.stopping import SIGNALS
from prune_utils.analysis.noise.estimates import LEVEL, Verdict
from prune_utils.analysis.noise.means import Means
from prune_utils.analysis.results import in_means, missing
from prune_utils.report.escaping import markdown
from prune_utils.study import paths
from prune_utils.study.grid import all_runs
from prune_utils.study.record import told
from prune_utils.study.schema import Replay, Study
from prune_utils.study.words import many, minus, percent, percents, signed

MARKS = {Verdict.SUPPORTED: "✓", Verdict.NOT_SUPPORTED: "✗", Verdict.UNDECIDED: "?"}


def gathered(study: Study | Replay, cells: pd.DataFrame, runs: pd.DataFrame) -> str:
    """What is finished, and what is missing by task and arm, in Markdown."""
    if study.tables:
        return f"{len(cells)} rows of {markdown(study.tables['cells'])}, on {many(cells.task.nunique(), 'task')}."
    holes, wanted = missing(study), len(all_runs(study))
    text = (
        f"{len(cells)} of {len(cells) + len(holes)} fine-tuned cells and {len(runs)} of {wanted} pre-training runs "
        "are finished."
    )
    lines = [f"- {wanted - len(runs)} pre-training runs"] if len(runs) < wanted else []
    for task, arm in dict.fromkeys((cell.task, cell.arm) for cell in holes):
        group = pd.DataFrame([cell for cell in holes if (cell.task, cell.arm) == (task, arm)])
        at = f"{percents(sorted(set(group.sparsity)))}, seeds {', '.join(map(str, sorted(set(group.seed))))}"
        lines.append(f"- {markdown(task)}, {arm.replace('_', ' ')}: {at}")
    return f"**This study is not finished.** {text} Missing:\n\n" + "\n".join(lines) if lines else text


def odd(study: Study | Replay) -> str:
    """The inputs that are worth checking, in Markdown; empty if there are none."""
    facts = told(study)
    lines = [f"- {markdown(f'{row.about}, {row.what}: {row.value}')}" for row in facts[facts.odd].itertuples()]
    return "\n".join(["", "**Check these inputs:**", "", *lines]) if lines else ""


def caption(cells: pd.DataFrame, value: str, means: Means | None = None, shaded: bool = False) -> str:
    """Caption of a figure of `value` over all cells: tasks, seeds, intervals, regimes."""
    cells = in_means(cells) if "compared" in cells else cells
    tasks = {task: markdown(task) for task in sorted(cells.task.unique())}
    if value == "dev_accuracy" and "dev_examples" in cells:
        sizes = cells.groupby("task").dev_examples.first().dropna()
        tasks |= {task: f"{tasks[task]} ({int(size):,} dev examples)" for task, size in sizes.items()}
    over = f"{'Means over' if len(tasks) > 1 else 'Task'} {', '.join(tasks.values())}"
    bars = f" Bars are {percent(LEVEL)} intervals over {' and '.join(means.covers)}." if means and means.covers else ""
    edges = " Shaded: the regimes; their edges are drawn half-way between two measured sparsities." if shaded else ""
    return f"*{over}; {seeds(cells[cells.arm != 'dense'])}.{bars}{edges}*"


def split(cells: pd.DataFrame, table: pd.DataFrame, means: Means) -> str:
    """Caption of the figure of a factorial: intervals, epochs by corner, corners at the majority class or missing.

    `table`: see `factorial.table`.
    """
    cells = cells[cells.arm.isin(["dense", *factorial.CORNERS])]
    single = "one run per point" if cells[cells.arm != "dense"].seed.nunique() < 2 else "the spread is not known"
    bars = f"Bars are {percent(LEVEL)} intervals over {' and '.join(means.covers)}."
    text = [bars if means.repeated else f"No intervals: {single}."]
    text.append(
        "Dashed: the parts; solid: their sum, pruned minus dense. Each corner is at its own best learning rate."
    )
    if "epochs" in cells:
        ends = cells[cells.selected].groupby("arm").epochs.agg(["min", "max"]).astype(int)
        each = [f"{arm} {' to '.join(map(str, dict.fromkeys(row)))}" for arm, *row in ends.itertuples()]
        longer = ends["max"].get("information_deletion", 0) > ends["max"].get("dense", 0)
        text.append(f"Epochs: {', '.join(each)}{', so deleting includes further training' if longer else ''}.")
    floor = table[table.floor != ""].groupby(["floor", "target_sparsity"], sort=False).task
    low = [f"{arms} at {percent(s)} on {_listed(tasks)}" for (arms, s), tasks in floor]
    text += [f"At the majority class, where accuracy cannot fall further: {'; '.join(low)}."] * bool(low)
    holes = factorial.missing(cells).groupby(["arm", "target_sparsity", "seeds", "of"], sort=False).task
    lacks = [f"{arm} at {percent(s)} on {_listed(t)} ({n} of {many(of, 'seed')})" for (arm, s, n, of), t in holes]
    text += [f"Missing: {'; '.join(lacks)}."] * bool(lacks)
    return f"*{' '.join(text).replace('_', ' ')}*"


def _listed(tasks: pd.Series) -> str:
    return ", ".join(markdown(task) for task in dict.fromkeys(tasks))


def seeds(frame: pd.DataFrame) -> str:
    """The seeds of a frame, and what dots and lines are if there are several."""
    if runs := stated_runs(frame):
        return f"each a mean of {runs}"
    if frame.seed.nunique() < 2:
        return "one run per point"
    return f"{numbered(frame)}: each small dot is one seed, lines join their means"


def numbered(frame: pd.DataFrame) -> str:
    """The seeds of a frame by number: "seed 0", "seeds 0, 1"."""
    every = sorted(frame.seed.unique())
    return f"seed{'' if len(every) == 1 else 's'} {', '.join(map(str, every))}"


def stated_runs(cells: pd.DataFrame) -> str:
    """The numbers of runs that a table states for its means; empty without any."""
    numbers = sorted({int(n) for n in cells.n.dropna()}) if "n" in cells else []
    return f"{' or '.join(map(str, numbers))} run{'s' * (numbers != [1])} as the table states" if numbers else ""


ALWAYS = ("#", "details.html#")  # pages that every report with claims has; the second is made after the first
PRUNABILITY = "prunability/seed-{}.html#"


FIGURES = {  # place of each figure of the paper in the report
    "Fig. 1": "#Accuracy-by-sparsity-(Fig.-1,-left)",
    "Fig. 2 left": "details.html#A-bit-of-BERT-(Fig.-2,-left)",
    "Fig. 3 left": f"{PRUNABILITY}Mask-difference-(Fig.-3,-left)",
    "Fig. 3 right": f"{PRUNABILITY}Fine-tuning-first-(Fig.-3,-right)",
    "Fig. 4": f"{PRUNABILITY}Movement-by-epochs-(Fig.-4)",
    "Fig. 5": "inside/inside.html#Attention-heads-(Fig.-5)",
    "Fig. 6": f"{PRUNABILITY}Movement-by-starting-rank-(Fig.-6)",
    "Table 1": "details.html#The-table-(Table-1)",
    "footnote 5": "#Accuracy-by-sparsity-(Fig.-1,-left)",
    "footnote 7": "inside/inside.html#Subwords-(footnote-7)",
    "Table 2": f"{PRUNABILITY}Movement-by-learning-rate-(Table-2)",
}


def _figure(names: str, study: Study | Replay) -> str:
    """The names of figures, as links if their notebook is part of the report."""
    seed = next(iter(study.grid.seeds), 0)
    linked = []
    for name in names.split(", "):
        place = FIGURES[name].format(seed)
        notebook = (paths.results(study.study) / place.split("#")[0]).with_suffix(".ipynb")
        linked.append(f"[{name}](<{place}>)" if place.startswith(ALWAYS) or notebook.exists() else name)
    return ", ".join(linked)


def claims_page(claims: pd.DataFrame, study: Study | Replay) -> str:
    """The table of claims in Markdown: claim, figure and reason; estimate, interval and the paper's value; verdict."""
    lines = ["| claim | measured | verdict |", "|---|---|---|"]
    for row in claims.itertuples():
        measured = f"{signed(row.measured, row.unit)} {row.unit}" if pd.notna(row.measured) else ""
        ends = json.loads(row.interval) if isinstance(row.interval, str) else []
        beside = [" to ".join(signed(end, row.unit) for end in ends)] if ends else []
        beside += [f"paper {signed(row.published, row.unit)}"] if pd.notna(row.published) else []
        lines.append(
            f"| **{row.claim}** {row.statement} ({_figure(row.figure, study)})<br><small>{markdown(minus(row.why))}</small> "
            f"| {measured}<br><small>{'<br>'.join(beside)}</small> | {MARKS[row.verdict]}\u00a0**{row.verdict}** |"
        )
    return "\n".join(lines)


def told_apart(found: pd.DataFrame) -> str:
    """Which arms can be distinguished, one Markdown sentence per sparsity; `found`: see `findings.methods.pairs`."""
    if found.corrected.isna().all():
        return "Whether the arms differ is not known: this needs two arms and two seeds."
    tests, said = many(int(found.corrected.notna().sum()), "comparison"), []
    for sparsity, part in found.groupby("target_sparsity"):
        best, *others = groups(found, sparsity)
        ahead = part[part.apart & part.better.isin(best)].worse
        behind = [arm for arm in dict.fromkeys(ahead) if arm not in best]
        first = f"{best[0]} is best" if len(best) == 1 else f"none of {', '.join(best)} is shown to be ahead of another"
        rest = f"; shown to be behind one of these: {', '.join(behind)}" if behind else "; no arm is shown to be behind"
        said.append(f"- At {percent(sparsity)}, {first}{rest}.")
    return "\n".join([f"At a risk of 5 % for all {tests} together:", "", *said]).replace("_", " ")


def trusted(table: pd.DataFrame, margin: float) -> str:
    """What a user of a rule loses, one Markdown sentence per signal; `table`: see `findings.stopping.table`."""
    said = []
    for row in table.itertuples():
        known = not np.isnan(row.fall_low)
        ends = f" [{row.fall_low:.1f}, {row.fall_high:.1f}]" if known else ", one seed"
        side = f"{abs(row.forgone):.0f} points of sparsity {'short of' if row.forgone >= 0 else 'beyond'} the best stop"
        said.append(
            f"- By {SIGNALS[row.signal]}: the task loses {row.fall:.1f} points on average{ends}, at worst {row.worst_fall:.1f} "
            f"(margin {margin:g}); the stop is {side}. The predicted fall is off by {row.error:.1f} points."
        )
    return minus("\n".join(said)) or "A rule needs two tasks, each with the arms dense and pretrain."


def forgot(ends: pd.DataFrame) -> str:
    """Which examples are lost first, one Markdown sentence per trait; `ends`: see `findings.forgotten.ends`."""
    said = []
    for trait, part in ends[ends.target_sparsity > 0].groupby("trait", sort=False):
        shown, last = part[(part.low > 0) | (part.high < 0)], part.loc[part.target_sparsity.idxmax()]
        most = f"at {percent(last.target_sparsity)}, {last.last:.1f} % against {last.first:.1f} %"
        if shown.empty:
            verdict = "no difference between the last and the first group is shown at any sparsity"
        else:
            verdict = (
                f"the last and the first group differ at {percents(sorted(shown.target_sparsity))}, each tested alone"
            )
        said.append(f"- By {KINDS[trait]}: {verdict}; {most}.")
    return minus("\n".join(said)) or "This needs the predictions of the arms dense and pretrain."
