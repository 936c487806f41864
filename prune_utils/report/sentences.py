"""The findings of a study in sentences, made from its numbers."""

import pandas as pd

from prune_utils.analysis.estimates import LEVEL
from prune_utils.analysis.evidence import unlearnt
from prune_utils.analysis.regimes import POINTS, Boundary, Regimes
from prune_utils.analysis.results import in_means
from prune_utils.report.captions import stated_runs
from prune_utils.report.escaping import markdown
from prune_utils.study.schema import Analysis
from prune_utils.study.words import many, minus, percent


def sentences(cells: pd.DataFrame, table: pd.DataFrame, regimes: Regimes, margins: Analysis) -> list[str]:
    """The findings of a study, one Markdown sentence each."""
    found = _not_learnt(cells) + _transfer(cells)
    counted = in_means(cells)
    seeds = counted[counted.arm != "dense"].seed.nunique() or counted.seed.nunique()
    found.append(
        f"Means are over {many(counted.task.nunique(), 'task')} and {stated_runs(counted) or many(seeds, 'seed')}; a "
        f"change of at most {margins.accuracy_margin:g} points of accuracy, or {margins.loss_margin:g} nats of "
        f"pre-training loss, counts as no loss. {_covered(regimes)}"
    )
    if ("dev_accuracy", "pretrain") not in table:
        return [*map(minus, found), "Without the pretrain arm the regimes are unknown."]
    if regimes.low_until is None:
        return [*map(minus, found), "Without the dense model beside it, the end of the low regime is unknown."]
    found.append(_low(table, regimes))
    if ("dev_accuracy", "information_deletion") in table:
        both = table.dropna(subset=[("dev_accuracy", "information_deletion"), ("dev_accuracy", "pretrain")])
        middle = [s for s in both.index if regimes.of(s) == "medium"]
        found += [_medium(both, middle)] if middle else ["No measured sparsity lies in the medium regime."]
        found += [_high(both, regimes)] if both.index.max() > 0 else []
    if ("dev_accuracy", "random") in table:
        gap = (table["dev_accuracy", "pretrain"] - table["dev_accuracy", "random"]).iloc[1:].dropna()
        found += [] if gap.empty else [_against_random(gap)]
    return list(map(minus, found))


def _against_random(gap: pd.Series) -> str:
    return (
        f"Magnitude minus random masks: between {_points(gap.min())}, at {percent(gap.idxmin())}, and "
        f"{_points(gap.max())}, at {percent(gap.idxmax())}."
    )


def _not_learnt(cells: pd.DataFrame) -> list[str]:
    if not (tasks := unlearnt(cells)):
        return []
    return [
        f"**Not learnt: {', '.join(map(markdown, tasks))}.** The dense model does not beat the majority class of the "
        "dev set there (in a regression, a correlation of 0), so these accuracies say nothing about pruning."
    ]


def _transfer(cells: pd.DataFrame) -> list[str]:
    """The gain from pre-training, on the tasks with a dense cell and one from scratch."""
    chosen = cells[cells.selected & cells.arm.isin(["dense", "scratch"])]
    mean = chosen.pivot_table(index="task", columns="arm", values="dev_accuracy")
    mean = mean.reindex(columns=["dense", "scratch"]).dropna()
    gains = [f"{_points(row.dense - row.scratch)} on {markdown(task)}" for task, row in mean.iterrows()]
    said = f"Gain from pre-training, dense minus scratch: {', '.join(gains)}."
    return [said] if gains else []


def _covered(regimes: Regimes) -> str:
    if not regimes.covers:
        return "Nothing was repeated, so no border has an interval."
    missing = "" if "seeds" in regimes.covers else ", but not over seeds: with only one, no claim is decided"
    return f"Intervals cover {percent(LEVEL)} of the draws over {' and '.join(regimes.covers)}{missing}."


def _interval(border: Boundary) -> str:
    """The interval of a border in brackets."""
    if border.interval is None:
        return ""
    ends = ["past the last" if s is None else percent(s) for s in border.interval]
    return f" [{ends[0]} to {ends[1]}]" if ends[0] != ends[1] else f" [{ends[0]}]"


def _low(table: pd.DataFrame, regimes: Regimes) -> str:
    if not regimes.low_until:
        return (
            f"Low ends at 0 %{_interval(regimes.low)}: at the lowest sparsity above it, accuracy falls or pre-training loss "
            "rises by more than the margin."
        )
    row, dense = table.loc[regimes.low_until], table.iloc[0]
    change = row["dev_accuracy", "pretrain"] - dense["dev_accuracy", "pretrain"]
    said = (
        f"Low, up to {percent(regimes.low_until)}{_interval(regimes.low)}: the pruned model's accuracy is "
        f"{_size(change)} {'below' if change < 0 else 'above'} the un-pruned model's"
    )
    if ("pretrain_loss", "gradual") not in table:
        return f"{said}; its pre-training loss is unknown."
    rise = row["pretrain_loss", "gradual"] - dense["pretrain_loss", "gradual"]
    return f"{said}, and its pre-training loss is {abs(rise):.3f} nats {'lower' if rise < 0 else 'higher'}."


def _medium(table: pd.DataFrame, middle: list[float]) -> str:
    said = []
    for s in middle:
        fall = table.loc[s, "dev_accuracy"] - table.iloc[0]["dev_accuracy"]
        said.append(
            f"{percent(s)} (pretrain {_points(fall['pretrain'])}, information deletion "
            f"{_points(fall['information_deletion'])})"
        )
    gain = table.loc[middle, ("dev_accuracy", "information_deletion")] - table.loc[middle, ("dev_accuracy", "pretrain")]
    return (
        f"Medium, at {', '.join(said)}: removing the mask changes accuracy by at most "
        f"{_points(gain[gain.abs().idxmax()])}."
    )


def _high(table: pd.DataFrame, regimes: Regimes) -> str:
    if regimes.high_from is None:
        return (
            "There is no high regime: at the last measured sparsity, information deletion does not beat the pruned "
            f"model{_interval(regimes.high)}."
        )
    row = table.iloc[-1]
    said = f"High, from {percent(regimes.high_from)}{_interval(regimes.high)}: at {percent(table.index[-1])}"
    if ("train_loss", "pretrain") in table:
        said += (
            f" the train loss of the pruned model is {row['train_loss', 'pretrain']:.2f}, against "
            f"{table.iloc[0]['train_loss', 'pretrain']:.2f} un-pruned; without the mask it is "
            f"{row['train_loss', 'information_deletion']:.2f}, and"
        )
    gain = row["dev_accuracy", "information_deletion"] - row["dev_accuracy", "pretrain"]
    return f"{said} removing the mask {'lowers' if gain < 0 else 'raises'} accuracy by {_size(gain)}."


def _size(difference: float) -> str:
    return f"{POINTS * abs(difference):.1f} points"


def _points(difference: float) -> str:
    return f"{POINTS * difference:+.1f} points"
