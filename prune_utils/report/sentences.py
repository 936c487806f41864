"""What a run found, in sentences made from its numbers."""

import pandas as pd

from prune_utils.analysis.estimates import LEVEL
from prune_utils.analysis.evidence import unlearnt
from prune_utils.analysis.regimes import POINTS, Boundary, Regimes
from prune_utils.report.escaping import markdown
from prune_utils.study.schema import Analysis


def sentences(cells: pd.DataFrame, table: pd.DataFrame, regimes: Regimes, margins: Analysis) -> list[str]:
    """What was found in this run, each sentence made from its numbers, in Markdown."""
    found = _not_learnt(cells) + _transfer(cells)
    seeds = cells[cells.arm != "dense"].seed.nunique() or cells.seed.nunique()
    found.append(
        f"Means are over {_many(cells.task.nunique(), 'task')} and {_many(seeds, 'seed')}; a difference of "
        f"up to {margins.accuracy_margin:g} points of accuracy, or {margins.loss_margin:g} nats of pre-training "
        f"loss, counts as none. {_covered(regimes)}"
    )
    if ("dev_accuracy", "pretrain") not in table:
        return [*found, "Without the pretrain arm nothing can be said of the regimes."]
    found.append(_low(table, regimes))
    if ("dev_accuracy", "information_deletion") in table:
        both = table.dropna(subset=[("dev_accuracy", "information_deletion"), ("dev_accuracy", "pretrain")])
        middle = [s for s in both.index if regimes.of(s) == "medium"]
        found += [_medium(both, middle)] if middle else ["No sparsity measured lies in a medium regime."]
        found += [_high(both, regimes)] if both.index.max() > 0 else []
    if ("dev_accuracy", "random") in table:
        gap = (table["dev_accuracy", "pretrain"] - table["dev_accuracy", "random"]).iloc[1:].dropna()
        found += [] if gap.empty else [_against_random(gap)]
    return found


def _against_random(gap: pd.Series) -> str:
    return (
        f"Magnitude against random masks: the largest difference is {_points(gap.max())}, at {_percent(gap.idxmax())}; "
        f"the smallest {_points(gap.min())}, at {_percent(gap.idxmin())}."
    )


def _not_learnt(cells: pd.DataFrame) -> list[str]:
    if not (tasks := unlearnt(cells)):
        return []
    return [
        f"**Not learnt: {', '.join(map(markdown, tasks))}.** There the dense model does not beat the majority class of "
        "the dev set, so its accuracies say nothing of pruning."
    ]


def _transfer(cells: pd.DataFrame) -> list[str]:
    """What pre-training is worth, on the tasks that have a dense cell and one from scratch; nothing where none has."""
    chosen = cells[cells.selected & cells.arm.isin(["dense", "scratch"])]
    mean = chosen.pivot_table(index="task", columns="arm", values="dev_accuracy")
    mean = mean.reindex(columns=["dense", "scratch"]).dropna()
    gains = [f"{_points(row.dense - row.scratch)} on {markdown(task)}" for task, row in mean.iterrows()]
    said = f"What pre-training is worth here, the dense model against one fine-tuned from scratch: {', '.join(gains)}."
    return [said] if gains else []


def _many(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _covered(regimes: Regimes) -> str:
    if not regimes.covers:
        return "Nothing here was repeated, so no border has an interval."
    missing = "" if "seeds" in regimes.covers else ", not over seeds: there is one, and no claim is decided by one"
    return f"Intervals hold {LEVEL:.0%} of what redrawing {' and '.join(regimes.covers)} gives{missing}."


def _interval(border: Boundary) -> str:
    """In brackets behind a border."""
    if border.interval is None:
        return ""
    ends = ["past the last" if s is None else _percent(s) for s in border.interval]
    return f" [{ends[0]} to {ends[1]}]" if ends[0] != ends[1] else f" [{ends[0]}]"


def _low(table: pd.DataFrame, regimes: Regimes) -> str:
    if not regimes.low_until:
        return f"No pruned model was without loss, of accuracy or of pre-training: low ends at 0 %{_interval(regimes.low)} of the sparsities measured."
    row, dense = table.loc[regimes.low_until], table.iloc[0]
    said = (
        f"Low, up to {_percent(regimes.low_until)}{_interval(regimes.low)}: there the pruned model scores "
        f"{_points(row['dev_accuracy', 'pretrain'] - dense['dev_accuracy', 'pretrain'])} from the un-pruned"
    )
    if ("pretrain_loss", "gradual") not in table:
        return f"{said}; nothing is known of its pre-training loss."
    return (
        f"{said}, and its pre-training loss is "
        f"{row['pretrain_loss', 'gradual'] - dense['pretrain_loss', 'gradual']:+.3f} nats from it."
    )


def _medium(table: pd.DataFrame, middle: list[float]) -> str:
    said = []
    for s in middle:
        fall = table.loc[s, "dev_accuracy"] - table.iloc[0]["dev_accuracy"]
        said.append(
            f"{_percent(s)} (pretrain {_points(fall['pretrain'])}, information deletion "
            f"{_points(fall['information_deletion'])})"
        )
    gain = table.loc[middle, ("dev_accuracy", "information_deletion")] - table.loc[middle, ("dev_accuracy", "pretrain")]
    return (
        f"Medium, at {', '.join(said)}: giving the pruned weights back changes accuracy by "
        f"{_points(gain[gain.abs().idxmax()])} at most."
    )


def _high(table: pd.DataFrame, regimes: Regimes) -> str:
    if regimes.high_from is None:
        return (
            "At the last sparsity measured information deletion does not beat the pruned model: there is no high "
            f"regime here{_interval(regimes.high)}."
        )
    row = table.iloc[-1]
    said = f"High, from {_percent(regimes.high_from)}{_interval(regimes.high)}: at {_percent(table.index[-1])}"
    if ("train_loss", "pretrain") in table:
        said += (
            f" the pruned model's train loss is {row['train_loss', 'pretrain']:.2f} against "
            f"{table.iloc[0]['train_loss', 'pretrain']:.2f} un-pruned; without the mask it is "
            f"{row['train_loss', 'information_deletion']:.2f}, and"
        )
    gain = row["dev_accuracy", "information_deletion"] - row["dev_accuracy", "pretrain"]
    return f"{said} accuracy without the mask is {_points(gain)} from the pruned model's."


def _points(difference: float) -> str:
    return f"{POINTS * difference:+.1f} points"


def _percent(sparsity: float) -> str:
    return f"{100 * sparsity:.0f} %"
