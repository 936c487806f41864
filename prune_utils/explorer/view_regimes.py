"""Explorer section: accuracy by sparsity for any arms and tasks, and the cells behind each point."""

import os
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import ipywidgets
import pandas as pd

from prune_utils.analysis import regimes
from prune_utils.analysis.evidence import Evidence
from prune_utils.analysis.uncertainty import Draws
from prune_utils.explorer.controls import LAB, follows, labelled, row, table, view
from prune_utils.explorer.studies import Absent, Opened, notebooks_of, percent, served
from prune_utils.report import plots_regimes, style
from prune_utils.report.escaping import in_html
from prune_utils.report.style import BOUNDS, in_order, look

SAID = {"dev_accuracy": "accuracy", "train_loss": "train loss", "learning_rate": "learning rate"}
SAID |= {"realised_sparsity": "realised sparsity"}


def arms_of(opened: Opened) -> list[str]:
    """The arms of a study in their usual order."""
    return in_order(opened.evidence.cells.arm)


def label(arm: str) -> str:
    return look(arm)[2]


def chosen(opened: Opened, tasks: list[str], arms: list[str]) -> tuple[Evidence, regimes.Regimes]:
    """The evidence of the chosen tasks and arms, and the regimes of those tasks, which depend on all arms.

    Raises Absent if nothing is chosen.
    """
    if not tasks or not arms:
        raise Absent(f"Select at least one {'task' if not tasks else 'arm'}.")
    some = opened.over(frozenset(tasks))
    borders = regimes.find(some.accuracy, some.loss, some.margins)
    return replace(some, cells=some.cells[some.cells.arm.isin(arms)], accuracy=_of(some.accuracy, arms)), borders


def _of(draws: Draws, arms: list[str]) -> Draws:
    kept = [condition for condition in draws.point.index if condition[0] in arms]
    return Draws(draws.point[kept], draws.drawn[kept], draws.covers)


def numbers(some: Evidence) -> pd.DataFrame:
    """Mean accuracy (percent) with its interval: one row per arm, one column per sparsity."""
    draws = some.accuracy
    ends = 100 * draws.ends()
    rows: dict[str, dict[str, str]] = {}
    for arm in in_order(draws.point.index.get_level_values(0)):
        for sparsity, mean in draws.point[arm].items():
            low, high = ends.loc[(arm, sparsity)]
            spread = f" [{low:.1f} to {high:.1f}]" if pd.notna(low) else ""
            rows.setdefault(label(arm), {})[percent(sparsity)] = f"{100 * mean:.1f}{spread}"
    columns = [percent(s) for s in sorted({s for _, s in draws.point.index})]
    return pd.DataFrame.from_dict(rows, "index").reindex(columns=columns).fillna("")


def _drawn(some: Evidence, borders: regimes.Regimes):
    return plots_regimes.accuracy(some.cells, borders, some.accuracy).figure


def _words(tasks: list[str], borders: regimes.Regimes) -> str:
    low, high = borders.low_until, borders.high_from
    return (
        f"Mean dev accuracy over {', '.join(tasks)} by sparsity, one line per arm. "
        f"Low regime {'until ' + percent(low) if low is not None else 'not found'}; "
        f"high regime {'from ' + percent(high) if high is not None else 'not reached'}."
    )


@view
def figure(opened: Opened):
    """All arms, mean over all tasks."""
    some, borders = chosen(opened, opened.tasks, arms_of(opened))
    return style.show(
        style.Drawn(_drawn(some, borders), "explorer_regimes", _words(opened.tasks, borders), numbers(some))
    )


@view
def toggles(opened: Opened) -> ipywidgets.Widget:
    """The same for the selected arms and tasks."""
    arms = {arm: _toggle(label(arm), look(arm)[0]) for arm in arms_of(opened)}
    tasks = {task: _toggle(task) for task in opened.tasks}

    def shown(*on: bool) -> str:
        # a task may have the name of an arm
        drawn = [arm for arm, is_on in zip(arms, on[: len(arms)], strict=True) if is_on]
        now = [task for task, is_on in zip(tasks, on[len(arms) :], strict=True) if is_on]
        some, borders = chosen(opened, now, drawn)
        words = _words(now, borders)
        return f"<p>{in_html(words)}</p>" + style.image(_drawn(some, borders), words) + table(numbers(some))

    groups = [ipywidgets.HTML(f"<b>{title}</b>") for title in ("Arms", "Tasks")]
    page = follows(shown, *arms.values(), *tasks.values())
    return ipywidgets.VBox([groups[0], row(*arms.values()), groups[1], row(*tasks.values()), page])


def _toggle(name: str, colour: str | None = None) -> ipywidgets.Checkbox:
    """A checkbox with the colour of its arm on the left."""
    box = ipywidgets.Checkbox(True, description=name, indent=False)
    box.layout.width = "auto"
    box.layout.margin = "0 14px 2px 0"
    if colour:
        box.layout.border_left, box.layout.padding = f"6px solid {colour}", "0 0 0 6px"
    return box


def behind(opened: Opened, arm: str, sparsity: float, task: str) -> pd.DataFrame:
    """The cells of one point, one row per learning rate and seed, with their notebooks; selected ones are marked."""
    cells = opened.evidence.cells
    at = cells[(cells.arm == arm) & (cells.target_sparsity == sparsity) & (cells.task == task)]
    if at.empty:
        raise Absent(f"There is no cell of {label(arm)} at {percent(sparsity)} on {task}.")
    columns = ["seed", "learning_rate", "selected", "dev_accuracy", "train_loss", "realised_sparsity", "seconds"]
    shown = at.sort_values(["seed", "learning_rate"])[[name for name in columns if name in at]].reset_index(drop=True)
    shown["selected"] = shown.selected.map({True: "yes", False: ""})
    kept = notebooks_of(opened.study, task, sparsity)
    shown["notebook"] = [kept.get(seed) for seed in shown.seed]
    return shown.rename(columns=SAID)


@view
def cells(opened: Opened) -> ipywidgets.Widget:
    """The fine-tuned cells of the chosen point."""
    of = opened.evidence.cells.groupby("arm").target_sparsity.unique()
    arm = _choice("Arm", [(label(arm), arm) for arm in arms_of(opened)])
    sparsity = _choice("Sparsity", [(percent(s), s) for s in sorted(of[arm.value])])
    task = _choice("Task", opened.tasks)
    notebooks = ipywidgets.Output()

    def offer(change) -> None:
        kept, there = sparsity.value, sorted(of[arm.value])
        sparsity.options = [(percent(s), s) for s in there]
        sparsity.value = kept if kept in there else there[len(there) // 2]

    def shown(arm: str, sparsity: float, task: str) -> str:
        if sparsity is None:
            return ""
        found = behind(opened, arm, sparsity, task)
        notebooks.outputs = ({"output_type": "display_data", "metadata": {}, "data": links(found.notebook)},)
        return table(_rounded(found.drop(columns="notebook")), index=False)

    arm.observe(offer, "value")
    page = follows(shown, arm, sparsity, task)
    arm.value = next((a for a in arms_of(opened) if a not in BOUNDS), arm.value)
    return ipywidgets.VBox([row(arm, sparsity, task), page, notebooks])


def _rounded(found: pd.DataFrame) -> pd.DataFrame:
    kinds = {"accuracy": "{:.2f} %", "train loss": "{:.4f}", "learning rate": "{:g}", "realised sparsity": "{:.4f} %"}
    kinds["seconds"] = "{:.1f}"
    for name in kinds.keys() & set(found):
        times = 100 if kinds[name].endswith("%") else 1
        text = [kinds[name].format(times * value) if pd.notna(value) else "" for value in found[name]]
        found = found.assign(**{name: text})
    return found


def links(notebooks: pd.Series) -> dict[str, str]:
    """The executed notebooks as text, and as links if they lie below the parent folder, where JupyterLab can open them."""
    kept = sorted({path for path in notebooks if path is not None})
    if not kept:
        return {"text/html": "<p>No executed notebook exists for these cells.</p>", "text/plain": "none"}
    items = "".join(f"<li>{_link(path)}</li>" for path in kept)
    page = f'<div class="{LAB}"><p>Executed in:</p><ul>{items}</ul></div>'
    return {"text/html": page, "text/plain": "\n".join(map(str, kept))}


def _link(path: Path) -> str:
    here = Path.cwd()
    if not path.is_relative_to(here.parent):
        return in_html(path)
    text = in_html(path.relative_to(here.parent).as_posix())
    return text if served() else f'<a href="{quote(os.path.relpath(path, here))}">{text}</a>'


def _choice(name: str, options: list) -> ipywidgets.Dropdown:
    return labelled(ipywidgets.Dropdown, description=name, options=options)
