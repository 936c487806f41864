"""Tables and captions of the report."""

import json

import pandas as pd

from prune_utils.frames import missing
from prune_utils.predictions import dev_correct, selected_on_half
from prune_utils.regimes import Regimes
from prune_utils.schema import ARMS, Replay, Study


def gathered(study: Study | Replay, cells: pd.DataFrame, runs: pd.DataFrame) -> str:
    """What there is and what there is not, a line each."""
    if isinstance(study, Replay):
        return f"study {study.study}: {len(cells)} rows of {study.table.cells}, on {cells.task.nunique()} tasks"
    holes = missing(study)
    lines = [
        f"study {study.study}: {len(cells)} fine-tuned cells, {len(runs)} pre-training runs, {len(holes)} cells missing"
    ]
    return "\n".join(lines + [f"missing: {cell}" for cell in holes])


def origin(study: Study | Replay) -> str:
    """What may be concluded from the text that a study was made with."""
    if isinstance(study, Replay):
        return f"Nothing was trained for this: the numbers are those of {study.table.origin}."
    if study.corpus.source == "embedded":
        return (
            "The text is the package's own small English, **built to show the effect**: its tasks need what pre-training "
            "on it teaches. What is found here shows how the analysis works; real text is what tests the claim."
        )
    return "The text and the tasks are real."


def caption(cells: pd.DataFrame) -> str:
    """What a figure over all cells is made of."""
    if "dev_examples" in cells:
        sizes = cells.groupby("task").dev_examples.first()
        tasks = ", ".join(f"{task} ({count:,} dev examples)" for task, count in sizes.items())
    else:
        tasks = ", ".join(sorted(cells.task.unique()))
    seeds = sorted(cells[cells.arm != "dense"].seed.unique())
    dots = f"seeds {', '.join(map(str, seeds))}: each small dot is one seed, a line joins their means"
    return (
        f"*Means over {tasks}; {dots if len(seeds) > 1 else 'one run of each'}. "
        "Sparsity counts zeros in the prunable matrices.*"
    )


def table_one(cells: pd.DataFrame) -> pd.DataFrame:
    """Dev accuracy in percent | train loss in nats, means over seeds: rows arm and sparsity, a column a task."""
    chosen = cells[cells.selected]
    means = chosen.groupby(["arm", "target_sparsity", "task"])[["dev_accuracy", "train_loss"]].mean()
    means.loc[:, "dev_accuracy"] *= 100
    text = means.dev_accuracy.map("{:.1f} | ".format) + means.train_loss.map("{:.2f}".format)
    table = text.unstack("task").fillna("")
    averages = means.groupby(level=["arm", "target_sparsity"]).mean()
    averages = averages[means.groupby(level=["arm", "target_sparsity"]).size() == chosen.task.nunique()]
    table["average"] = averages.dev_accuracy.map("{:.1f} | ".format) + averages.train_loss.map("{:.2f}".format)
    return table.reindex([arm for arm in ARMS if arm in table.index.levels[0]], level="arm")


def pretraining_table(runs: pd.DataFrame) -> pd.DataFrame:
    """Held-out losses (nats) and accuracies, means over seeds: rows method and sparsity."""
    columns = ["pretrain_loss", "mlm_loss", "mlm_accuracy", "nsp_loss", "nsp_accuracy", "realised_sparsity"]
    known = [name for name in columns if name in runs]
    return runs.groupby(["method", "target_sparsity"])[known].mean().round(3)


def made_with(cells: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """Versions, hardware and commits behind the numbers, and the seconds that training took."""
    if "commit" not in cells:
        return pd.DataFrame({"": {"made elsewhere": "a table of results says nothing of versions and hardware"}})
    everything = pd.concat([cells, runs])
    facts = ["device", "precision", "python", "torch", "transformers", "datasets", "commit"]
    rows = {fact: ", ".join(sorted(set(everything[fact]))) for fact in facts}
    rows["seconds of pre-training"] = f"{runs.seconds.sum():,.0f}"
    rows["seconds of fine-tuning"] = f"{cells.seconds.sum():,.0f}"
    rows["finished"] = everything.finished.max()
    return pd.DataFrame({"": rows})


def _figure(names: str, study: Study | Replay) -> str:
    """The names of figures, each a link to where it is in the report; other notebooks' only where there are any."""
    if isinstance(study, Replay):
        elsewhere = {}
    else:
        prunability = f"prunability/seed-{study.grid.seeds[0]}.html#"
        elsewhere = {
            "Fig. 3 left": f"{prunability}Mask-difference-(Fig.-3,-left)",
            "Fig. 3 right": f"{prunability}Fine-tuning-first-(Fig.-3,-right)",
            "Fig. 4": f"{prunability}Movement-by-epochs-(Fig.-4)",
            "Fig. 5": "inside/inside.html#Attention-heads-(Fig.-5)",
            "Fig. 6": f"{prunability}Movement-by-starting-rank-(Fig.-6)",
            "Table 2": f"{prunability}Movement-by-learning-rate-(Table-2)",
        }
    places = {
        "Fig. 1": "#Accuracy-by-sparsity-(Fig.-1,-left)",
        "Fig. 2 left": "#A-bit-of-BERT-(Fig.-2,-left)",
        **elsewhere,
    }
    return ", ".join(f"[{name}](<{places[name]}>)" if name in places else name for name in names.split(", "))


def claims_page(claims: pd.DataFrame, study: Study | Replay) -> str:
    """The claims as a table in Markdown: what was measured with its interval, what the paper has, the verdict, and
    a link to the figure that shows it."""
    lines = ["| | claim | measured | interval | paper | verdict |", "|---|---|---:|---|---:|---|"]
    for row in claims.itertuples():
        ends = json.loads(row.interval) if isinstance(row.interval, str) else None
        shown = f"{ends[0]:+.1f} to {ends[1]:+.1f}" if ends else ""
        measured = f"{row.measured:+.1f} {row.unit}" if pd.notna(row.measured) else ""
        published = f"{row.published:+.1f}" if pd.notna(row.published) else ""
        lines.append(
            f"| {row.claim} | {row.statement} ({_figure(row.figure, study)})<br><small>{row.why}</small> "
            f"| {measured} | {shown} | {published} | **{row.verdict}** |"
        )
    return "\n".join(lines)


def borders(regimes: Regimes) -> pd.DataFrame:
    """The probability of each sparsity to be the border: rows the two borders, columns sparsities (percent)."""
    named = {"low until": regimes.low.probability or {}, "high from": regimes.high.probability or {}}
    table = pd.DataFrame(named).T
    table.columns = ["none" if pd.isna(s) else f"{100 * s:.0f} %" for s in table.columns]
    return table.round(3).fillna("")


def selection(study: Study | Replay, cells: pd.DataFrame) -> pd.DataFrame:
    """By arm, mean accuracy (percent) as selected and scored on dev, as scored on what it was not selected on, and
    the difference, in points."""
    if isinstance(study, Replay):
        return pd.DataFrame({"": {"not known": "a table of results keeps no predictions"}})
    halves = selected_on_half(cells, dev_correct(study, cells))
    means = 100 * halves.groupby("arm")[["dev_accuracy", "held_out_accuracy"]].mean()
    means["optimism"] = means.dev_accuracy - means.held_out_accuracy
    return means.assign(learning_rates=cells.groupby("arm").learning_rate.nunique()).round(2)
