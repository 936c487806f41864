"""Tables of the report, and the data of its figures."""

import numpy as np
import pandas as pd

from prune_utils.analysis.evidence import Evidence
from prune_utils.analysis.noise.components import components
from prune_utils.analysis.noise.estimates import Estimate, Verdict
from prune_utils.analysis.noise.means import Means
from prune_utils.analysis.predictions import dev_correct, selected_on_half
from prune_utils.analysis.regimes import SIDE, changes, within
from prune_utils.analysis.results import in_means, mean_over_tasks
from prune_utils.pruning.families import label
from prune_utils.report.style import in_order, look
from prune_utils.study import paths
from prune_utils.study.files import read_json
from prune_utils.study.grid import HOUR, TRAINED
from prune_utils.study.record import told
from prune_utils.study.schema import Replay, Study
from prune_utils.study.words import POINTS, percent

BERT_BASE = 108_965_376  # weights in the 74 prunable matrices of the paper's model, uncased


def table_one(cells: pd.DataFrame) -> pd.DataFrame:
    """Dev accuracy (percent) | train loss (nats), means over seeds: one row per arm and sparsity, one column per task.

    The train loss is left out where it is unknown.
    """
    means = cells[cells.selected].groupby(["arm", "target_sparsity", "task"])[["dev_accuracy", "train_loss"]].mean()
    table = _both(means).unstack("task")
    values = {name: mean_over_tasks(cells, name).groupby(["arm", "target_sparsity"])[name].mean() for name in means}
    if in_means(cells).groupby("task").train_loss.count().eq(0).any():
        values["train_loss"] = np.nan  # known on some tasks only, it is not that of the accuracy beside it
    table["average"] = _both(pd.DataFrame(values))
    return table.fillna("").reindex(in_order(table.index.levels[0]), level="arm")


def _both(means: pd.DataFrame) -> pd.Series:
    loss = means.train_loss.map("\u00a0|\u00a0{:.2f}".format).where(means.train_loss.notna(), "")
    accuracy = (100 * means.dev_accuracy).round(9).map("{:.1f}".format)  # as in `Estimate.scaled`
    return (accuracy + loss).where(means.dev_accuracy.notna(), "")


def pretraining_table(runs: pd.DataFrame) -> pd.DataFrame:
    """Held-out losses (nats) and accuracies, means over seeds: one row per method and sparsity."""
    columns = ["pretrain_loss", "mlm_loss", "mlm_accuracy", "nsp_loss", "nsp_accuracy", "realised_sparsity"]
    known = [name for name in columns if name in runs]
    return runs.groupby(["method", "target_sparsity"])[known].mean().round(3)


def weights_beside(weights: pd.DataFrame, theirs: pd.DataFrame) -> pd.DataFrame:
    """Mean and standard deviation of every matrix of the 0 % run, means over seeds, beside the paper's (Table 3).

    `weights`: the frame of a study, with names of matrices; `theirs`: that of the paper, with labels. Empty unless the
    model has the paper's shape, that is the matrices and sizes of BERT-Base.
    """
    dense = weights[weights.sparsity == 0].assign(matrix=lambda frame: frame.matrix.map(label))
    ours = dense.groupby("matrix", sort=False)[["size", "mean", "std"]].mean()
    theirs = theirs.set_index("matrix")[["mean", "std"]].add_suffix(", paper")
    both = ours.join(theirs, how="inner")
    same = set(ours.index) == set(theirs.index) and ours["size"].sum() == BERT_BASE
    return both.drop(columns="size") if same else both.iloc[:0]


def made_with(cells: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """Versions, hardware and commits of the results, with the number of results where they differ, and when the last one
    was computed."""
    everything = pd.concat([cells, runs])
    if "commit" not in everything:
        return pd.DataFrame({"": {"computed elsewhere": "a table of results does not record versions and hardware"}})
    facts = ["device", "precision", "python", "torch", "transformers", "datasets", "commit"]
    rows = {fact: _counted(everything[fact]) for fact in facts}
    return pd.DataFrame({"": rows | {"finished": everything.finished.max()}})


def _counted(values: pd.Series) -> str:
    """The different values, each with how often it occurs if there are several."""
    counts = values.value_counts().sort_index()
    return ", ".join(
        f"{value} ({count} of {len(values)})" if len(counts) > 1 else value for value, count in counts.items()
    )


def stages(
    study: Study | Replay, cells: pd.DataFrame, runs: pd.DataFrame, first: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Trainings and their time by stage: planned and finished, estimated and measured seconds, and core-hours or
    device-hours. Estimates are those of `make plan`, if it was run. `first`: the frame of fine-tuning first."""
    table = estimate_against_truth(study, cells, runs).dropna(axis=1, how="all")
    if table.empty:
        return table
    if first is not None:
        table.loc["fine-tuning first", ["finished", "measured seconds"]] = len(first), first.seconds.sum()
    everything = pd.concat([cells, runs])
    on_processor = everything.device.str.startswith("cpu").all()
    unit, threads = ("core-hours", study.machine.threads) if on_processor else ("device-hours", 1)
    table[unit] = table["measured seconds"] * threads / HOUR
    table.loc["total"] = table.sum()
    return table.round(2)


def borders(evidence: Evidence) -> pd.DataFrame:
    """The tests behind the borders: one row per change and sparsity, with its interval and what is shown of it."""
    words = {Verdict.SUPPORTED: "within", Verdict.NOT_SUPPORTED: "beyond", Verdict.UNDECIDED: "not decided"}
    falls, gains = changes(evidence.accuracy, evidence.loss, evidence.margins)
    rows = [
        ("low", f"accuracy falls, {percent(s)}", *_change(change[0]), words[within(change[:1])])
        for s, change in falls.items()
    ]
    rows += [
        ("low", f"loss rises, {percent(s)}", *_change(c[1], 1), words[within(c[1:])]) for s, c in falls.items() if c[1:]
    ]
    rows += [("high", f"mask removed, {percent(s)}", *_change(c[0]), words[within(c)]) for s, c in gains.items()]
    columns = ["border", "change", "by", "low", "high", "limit", "shown"]
    return pd.DataFrame(rows, columns=columns).set_index(["border", "change"]).round(3).fillna("")


def _change(change: tuple[Estimate, float], scale: float = POINTS) -> tuple[float, float, float, float]:
    estimate, limit = change
    low, high = estimate.interval(1 - 2 * SIDE) or (float("nan"),) * 2
    return scale * estimate.value, scale * low, scale * high, scale * limit


def noise(evidence: Evidence) -> pd.DataFrame:
    """Standard error (points) of each mean over tasks by source; with several fine-tunings of a pre-trained model, also
    the standard deviations of one fine-tuning and of one pre-training, by sparsity."""
    means, sources = evidence.accuracy, {}
    for part in means.parts:
        name = means.covers[-1] if part.lasting else f"over {means.covers[0]}"
        sources[name] = sources.get(name, 0) + part.covariance.diagonal().clip(min=0)
    table = pd.DataFrame({name: POINTS * variance**0.5 for name, variance in sources.items()}, means.point.index)
    if "repeat" in evidence.cells and len(table):
        both = POINTS * components(in_means(evidence.cells))
        table = table.join(both.rename(columns=lambda name: f"one {name.replace('_', '-')}"), on="target_sparsity")
    return table.round(3)


def selection(study: Study | Replay, cells: pd.DataFrame) -> pd.DataFrame:
    """Optimism of selecting on the dev set, by arm: see `predictions.selected_on_half`; percent and points."""
    if (correct := dev_correct(study, cells)) is None:
        return pd.DataFrame({"": {"not known": "a table of results keeps no predictions"}})
    halves = selected_on_half(cells, correct)
    means = 100 * halves.groupby("arm")[["dev_accuracy", "held_out_accuracy"]].mean()
    means["optimism"] = means.dev_accuracy - means.held_out_accuracy
    return means.assign(learning_rates=cells.groupby("arm").learning_rate.nunique()).round(2)


def inputs(study: Study | Replay) -> pd.DataFrame:
    """The recorded facts about the inputs, one per row, with "!" beside those worth checking."""
    facts = told(study)
    return facts.assign(odd=facts.odd.map({True: "!", False: ""})).set_index("about").rename_axis(None)


def estimate_against_truth(study: Study | Replay, cells: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """One row per stage: planned and finished trainings, estimated and measured seconds of jobs run one after another.

    Estimates are missing (NaN) without a plan. No rows if the frames record no times, as for a table of results.
    """
    if "seconds" not in cells:
        return pd.DataFrame(columns=["planned", "finished", "estimated seconds", "measured seconds"])
    burn_in = runs.method == "dense"
    measured = [runs[burn_in].seconds, runs[~burn_in].seconds, cells.seconds]
    truth = pd.DataFrame(
        {"finished": map(len, measured), "measured seconds": [s.sum() for s in measured]},
        index=pd.Index(TRAINED, name="stage"),
    )
    file = paths.results(study.study) / paths.PLAN
    rows = pd.DataFrame(read_json(file)["rows"] if file.exists() else [], columns=["stage", "runs", "hours_here"])
    sums = rows.groupby("stage")[["runs", "hours_here"]].sum().reindex(TRAINED)
    planned = pd.DataFrame({"planned": sums.runs, "estimated seconds": HOUR * sums.hours_here})
    return planned.join(truth)[["planned", "finished", "estimated seconds", "measured seconds"]]


def points(
    cells: pd.DataFrame, value: str, scale: float = 1, spread: Means | None = None, by: str = "arm"
) -> pd.DataFrame:
    """The data of a figure by sparsity: one row per arm and sparsity (percent), columns `mean` and one per seed, and
    with `spread` the ends of the interval, `low` and `high`."""
    means = mean_over_tasks(cells, value) if by == "arm" else cells.assign(whole=True)
    key = [by, "target_sparsity"]
    table = scale * means[means.whole].pivot_table(index=key, columns="seed", values=value).add_prefix("seed ")
    table = table.assign(mean=scale * means.groupby(key)[value].mean())
    if spread:
        table = table.join(scale * spread.ends())
    table.index = table.index.set_levels((100 * table.index.levels[1]).round(6), level=1)
    return table.rename_axis([by, "sparsity (%)"])


def series(table: pd.DataFrame) -> pd.DataFrame:
    """The means of `points`, one column per line, named as in the legend."""
    return table["mean"].unstack(0).rename(columns=lambda name: look(name)[2])
