"""The findings of a study in sentences, made from its numbers."""

import numpy as np
import pandas as pd

from prune_utils.analysis import factorial
from prune_utils.analysis.evidence import Evidence, unlearnt
from prune_utils.analysis.noise.estimates import LEVEL, Estimate, Verdict
from prune_utils.analysis.noise.means import REPEATED
from prune_utils.analysis.regimes import Boundary, Regimes
from prune_utils.analysis.results import in_means
from prune_utils.report.captions import stated_runs
from prune_utils.report.escaping import markdown
from prune_utils.study.schema import Analysis
from prune_utils.study.words import POINTS, many, minus, percent, percents

LOW = "to cost nothing", "to cost something"
HIGH = "to gain nothing", "to gain"


def sentences(cells: pd.DataFrame, table: pd.DataFrame, regimes: Regimes, margins: Analysis) -> list[str]:
    """The findings of a study, one Markdown sentence each."""
    counted = in_means(cells)
    seeds = counted[counted.arm != "dense"].seed.nunique() or counted.seed.nunique()
    means = (
        f"Means are over {many(counted.task.nunique(), 'task')} and {stated_runs(counted) or many(seeds, 'seed')}; a "
        f"change of at most {margins.accuracy_margin:g} points of accuracy, or {margins.loss_margin:g} nats of "
        f"pre-training loss, counts as no loss. {_covered(regimes)}"
    )
    found = [*_not_learnt(cells), *_transfer(cells), means, *_regimes(table, regimes)]
    return list(map(minus, found))


def why(evidence: Evidence) -> list[str]:
    """Why accuracy falls: one Markdown sentence per sparsity of `factorial.telling`; without a split, what is missing."""
    found, margin = factorial.splits(evidence), evidence.margins.accuracy_margin
    if found:
        return [minus(_split(s, found[s], margin)) for s in factorial.telling(found, margin)]
    absent = [arm for arm in ("dense", *factorial.CORNERS) if arm not in set(evidence.cells.arm)]
    lacks = f"there is no {', '.join(absent)}" if absent else "no sparsity has them on all tasks"
    needs = "the arms dense, information_deletion, frozen and pretrain are needed"
    return [markdown(f"The fall in accuracy is not split into deleting and fixing: {needs}, and {lacks}.")]


def _split(sparsity: float, found: dict[str, Estimate], margin: float) -> str:
    """One split, and what its intervals show: two-sided tests at 5 %."""
    total, apart, parts = found["total"], found["difference"], {name: _measured(found[name]) for name in found}
    fall = f"falls by {_measured(total.scaled(-1), '')}" if total.value < 0 else f"rises by {_measured(total, '')}"
    said = f"At {percent(sparsity)} accuracy {fall}: deleting alone changes it by {parts['deleting']}, fixing alone by "
    said += f"{parts['fixing']}, and their interaction by {parts['interaction']}"
    low, high = found["interaction"].interval() or (-np.inf, np.inf)
    said += "" if low <= 0 <= high else f", so together they cost {'more' if high < 0 else 'less'} than their sum"
    low, high = apart.interval() or (-np.inf, np.inf)
    larger = f"{'deleting' if high < 0 else 'fixing'} costs more than {'fixing' if high < 0 else 'deleting'}"
    if low <= 0 <= high:
        same = apart.within(margin) is Verdict.SUPPORTED
        larger = f"the two cost the same to within {margin:g} points" if same else "which costs more is not decided"
    return f"{said}; {larger} (information deletion minus frozen: {parts['difference']})."


def _measured(estimate: Estimate, sign: str = "+") -> str:
    ends = estimate.interval()
    return f"{estimate.value:{sign}z.1f} points" + (f" [{ends[0]:{sign}z.1f} to {ends[1]:{sign}z.1f}]" if ends else "")


def _regimes(table: pd.DataFrame, regimes: Regimes) -> list[str]:
    """One sentence per regime, and one on random masks, as far as their arms were measured."""
    pruned, freed, random = (("dev_accuracy", arm) for arm in ("pretrain", "information_deletion", "random"))
    if pruned not in table:
        return ["The regimes are unknown: the pretrain arm has no sparsity at which all tasks were measured."]
    if regimes.low_until is None:
        return ["Without the dense model, the end of the low regime is unknown."]
    found = [_low(table, regimes)]
    if freed in table:
        both = table.dropna(subset=[freed, pruned])
        found.append(_medium(both.dev_accuracy, regimes))
        found += [_high(both, regimes)] if both.index.max() > 0 else []
    gap = _changes(table[pruned] - table[random]).iloc[1:].dropna() if random in table else pd.Series()
    if len(gap):
        ends = [f"{_points(gap[at])} at {percent(at)}" for at in (gap.idxmin(), gap.idxmax())]
        said = f"between {ends[0]} and {ends[1]}" if ends[0] != ends[1] else ends[0]
        found.append(f"Magnitude minus random masks: {said}.")
    return found


def _not_learnt(cells: pd.DataFrame) -> list[str]:
    if not (tasks := unlearnt(cells)):
        return []
    return [
        f"**Not learnt: {', '.join(map(markdown, tasks))}.** The dense model does not beat the majority class of the dev "
        "set there (in a regression, a correlation of 0), so these accuracies say nothing about pruning."
    ]


def _transfer(cells: pd.DataFrame) -> list[str]:
    """The gain from pre-training, on the tasks with a dense cell and one from scratch."""
    mean = cells[cells.selected].pivot_table(index="task", columns="arm", values="dev_accuracy")
    mean = mean.reindex(columns=["dense", "scratch"]).dropna()
    gains = [f"{_points(row.dense - row.scratch)} on {markdown(task)}" for task, row in mean.iterrows()]
    return [f"Gain from pre-training, dense minus scratch: {', '.join(gains)}."] if gains else []


def _covered(regimes: Regimes) -> str:
    if not regimes.covers:
        return "Nothing was repeated, so no border has an interval."
    missing = (
        ""
        if set(REPEATED) & set(regimes.covers)
        else ", but not over seeds: with only one seed, no claim and no border is decided"
    )
    return f"Intervals are {percent(LEVEL)}, over {' and '.join(regimes.covers)}{missing}."


def _gap(border: Boundary) -> str:
    """Where a border lies: between two neighbours among the measured sparsities."""
    first, last = border.gap
    return "" if last is None else f" (the border is between {percents([first, last]).replace(', ', ' and ')})"


def _shown(border: Boundary, words: tuple[str, str]) -> str:
    """What the tests show of a border, and what they leave open."""
    if border.interval is None:
        return ""
    said = [f"{words[0]} up to {percent(border.below)}"] if border.below is not None else []
    said += [f"{words[1]} from {percent(border.above)}"] if border.above is not None else []
    rest = (
        ""
        if border.interval[0] == border.interval[1]
        else ", the rest is not decided"
        if said
        else "nothing is decided"
    )
    return f"; {'shown ' if said else ''}{' and '.join(said)}{rest}"


def _low(table: pd.DataFrame, regimes: Regimes) -> str:
    if not regimes.low_until:
        return (
            f"Low ends at 0 %: at the lowest sparsity above 0 %, accuracy falls or pre-training loss "
            f"rises by more than the margin{_shown(regimes.low, LOW)}."
        )
    change, loss = table.loc[regimes.low_until] - table.iloc[0], ("pretrain_loss", "gradual")
    fall = change["dev_accuracy", "pretrain"]
    said = (
        f"Low, up to {percent(regimes.low_until)}{_gap(regimes.low)}: the pruned model's accuracy is "
        f"{_size(fall)} {'below' if fall < 0 else 'above'} the unpruned model's"
    )
    shown = _shown(regimes.low, LOW)
    if loss not in table:
        return f"{said}; its pre-training loss is unknown{shown}."
    rise = change[loss]
    return f"{said}, and its pre-training loss is {abs(rise):.3f} nats {'lower' if rise < 0 else 'higher'}{shown}."


def _medium(accuracy: pd.DataFrame, regimes: Regimes) -> str:
    middle = accuracy[[regimes.of(s) == "medium" for s in accuracy.index]]
    if middle.empty:
        return "No measured sparsity lies in the medium regime."
    said = [
        f"{percent(s)} (pretrain {_points(fall.pretrain)}, information deletion {_points(fall.information_deletion)})"
        for s, fall in (middle - accuracy.iloc[0]).iterrows()
    ]
    gains = _changes(accuracy.information_deletion - accuracy.pretrain)
    gain = max(gains[middle.index], key=abs)
    return f"Medium, at {', '.join(said)}: removing the mask changes accuracy by at most {_points(gain)}."


def _high(table: pd.DataFrame, regimes: Regimes) -> str:
    if regimes.high_from is None:
        return (
            "There is no high regime: at the last measured sparsity, information deletion does not beat the pruned "
            f"model by more than the margin{_shown(regimes.high, HIGH)}."
        )
    last = table.iloc[-1]
    said = f"High, from {percent(regimes.high_from)}{_gap(regimes.high)}: at {percent(table.index[-1])}"
    if ("train_loss", "pretrain") in table:
        said += (
            f" the train loss of the pruned model is {last.train_loss.pretrain:.2f}, against "
            f"{table.iloc[0].train_loss.pretrain:.2f} unpruned; without the mask it is "
            f"{last.train_loss.information_deletion:.2f}, and"
        )
    gain = _changes(table.dev_accuracy.information_deletion - table.dev_accuracy.pretrain).iloc[-1]
    shown = _shown(regimes.high, HIGH)
    return f"{said} removing the mask {'lowers' if gain < 0 else 'raises'} accuracy by {_size(gain)}{shown}."


def _changes(difference: pd.Series) -> pd.Series:
    """A difference of two arms from the one at 0 %, which is not 0 where each arm has its own dense model."""
    return difference - difference.iloc[0]


def _size(difference: float) -> str:
    return f"{round(POINTS * abs(difference), 9):.1f} points"  # as in `Estimate.scaled`


def _points(difference: float) -> str:
    return f"{round(POINTS * difference, 9):+z.1f} points"
