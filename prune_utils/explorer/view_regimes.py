"""Explorer section: accuracy by sparsity for any arms and tasks, and the cells behind each point."""

import os
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import ipywidgets
import pandas as pd
from IPython.display import HTML

from prune_utils.analysis import regimes
from prune_utils.analysis.evidence import Evidence, unlearnt
from prune_utils.explorer.controls import LAB, follows, labelled, paragraph, row, table, view
from prune_utils.explorer.studies import Absent, Opened, notebooks_of, served
from prune_utils.report import plots_regimes
from prune_utils.report.escaping import in_html
from prune_utils.report.style import BOUNDS, Drawn, image, in_order, look
from prune_utils.study.words import minus, percent

# columns of a cell that are shown, and their forms
COLUMNS = ["seed", "learning_rate", "selected", "dev_accuracy", "train_loss", "realised_sparsity", "seconds"]
FORMS = {"learning rate": "{:g}", "accuracy": "{:.2%}", "train loss": "{:.4f}"}
FORMS |= {"realised sparsity": "{:.4%}", "seconds": "{:.1f}"}


def arms_of(opened: Opened) -> list[str]:
    """The arms of a study in their usual order."""
    return in_order(opened.evidence.cells.arm)


def pruned_arms(opened: Opened) -> list[str]:
    """The pruned arms of a study, `pretrain` first."""
    return [arm for arm in arms_of(opened) if arm not in BOUNDS]


def label(arm: str) -> str:
    return look(arm)[2]


def borders(evidence: Evidence) -> regimes.Regimes:
    return regimes.find(evidence.accuracy, evidence.loss, evidence.margins)


def chosen(opened: Opened, tasks: list[str], arms: list[str]) -> tuple[Evidence, regimes.Regimes]:
    """The evidence of the chosen tasks and arms, and the regimes of those tasks, which depend on all arms.

    Raises Absent if nothing is chosen.
    """
    if not tasks or not arms:
        raise Absent(f"Select at least one {'task' if not tasks else 'arm'}.")
    some = opened.over(frozenset(tasks))
    cells = some.cells[some.cells.arm.isin(arms)]
    return replace(some, cells=cells, accuracy=some.accuracy.only(arms)), borders(some)


def with_interval(frame: pd.DataFrame, value: str = "cost") -> list[str]:
    """Format the values of a frame with their intervals, columns low and high: "1.2 [0.3 to 2.1]"."""
    ends = [
        f" [{low:z.1f} to {high:z.1f}]" if pd.notna(low) else ""
        for low, high in zip(frame.low, frame.high, strict=True)
    ]
    return [minus(f"{round(mean, 9):z.1f}{spread}") for mean, spread in zip(frame[value], ends, strict=True)]


def numbers(some: Evidence) -> pd.DataFrame:
    """Mean accuracy (percent) with its interval: one row per arm, one column per sparsity."""
    means = 100 * some.accuracy.ends().assign(mean=some.accuracy.point)
    wide = pd.Series(with_interval(means, "mean"), means.index, dtype=object).unstack(fill_value="")
    wide = wide.reindex(in_order(wide.index)).rename(index=label, columns=percent)
    return wide.rename_axis(index=None, columns=None)


def _drawn(opened: Opened, tasks: list[str], arms: list[str]) -> Drawn:
    some, found = chosen(opened, tasks, arms)
    every, margins = opened.over(frozenset(tasks)), some.margins
    words = (
        f"Mean dev accuracy over {', '.join(tasks)} by sparsity, one line per arm. "
        f"Low regime {_said(found.low, 'until')}; high regime {_said(found.high, 'from')}. "
        f"Margins: {margins.accuracy_margin:g} points of accuracy, {margins.loss_margin:g} nats of pre-training loss."
        f"{not_learnt(every)}"
    )
    figure = plots_regimes.accuracy(some.cells, found, some.accuracy, every.cells.target_sparsity).figure
    return Drawn(figure, "explorer_regimes", words, numbers(some))


def _said(border: regimes.Boundary, word: str) -> str:
    if border.estimate is not None:
        return f"{word} {percent(border.estimate)}"
    return "not reached" if border.measured else "unknown: its arms were not measured"


def not_learnt(some: Evidence) -> str:
    """A sentence on the tasks that the dense model has not learnt; empty if there are none."""
    tasks = unlearnt(some.cells)
    said = "The dense model does not beat the majority class there, so these accuracies say nothing about pruning."
    return f" Not learnt: {', '.join(tasks)}. {said}" if tasks else ""


@view
def figure(opened: Opened) -> HTML:
    """All arms, mean over all tasks."""
    one = _drawn(opened, opened.tasks, arms_of(opened))
    return HTML(paragraph(one.alt) + image(one))


@view
def toggles(opened: Opened) -> ipywidgets.Widget:
    """The same for the selected arms and tasks."""
    arms, tasks = arms_of(opened), opened.tasks
    boxes = [*(_toggle(label(arm), look(arm)[0]) for arm in arms), *map(_toggle, tasks)]

    def shown(*on: bool) -> str:
        # a task may have the name of an arm
        every = [name for name, is_on in zip([*arms, *tasks], on, strict=True) if is_on]
        lines = sum(on[: len(arms)])
        one = _drawn(opened, every[lines:], every[:lines])
        return paragraph(one.alt) + image(one) + table(one.data)

    rows = row(*boxes[: len(arms)]), row(*boxes[len(arms) :])
    titles = [ipywidgets.HTML(f"<b>{title}</b>") for title in ("Arms", "Tasks")]
    return ipywidgets.VBox([titles[0], rows[0], titles[1], rows[1], follows(shown, *boxes)])


def _toggle(name: str, colour: str | None = None) -> ipywidgets.Checkbox:
    """A checkbox with the colour of its arm on the left."""
    layout = {"width": "auto", "margin": "0 14px 2px 0"}
    if colour:
        layout |= {"border_left": f"6px solid {colour}", "padding": "0 0 0 6px"}
    return ipywidgets.Checkbox(True, description=name, indent=False, layout=layout)


def behind(opened: Opened, arm: str, sparsity: float, task: str) -> pd.DataFrame:
    """The cells of one point, one row per learning rate and seed, with their notebooks; selected ones are marked."""
    cells = opened.evidence.cells
    at = cells[(cells.arm == arm) & (cells.target_sparsity == sparsity) & (cells.task == task)]
    if at.empty:
        raise Absent(f"There is no cell of {label(arm)} at {percent(sparsity)} on {task}.")
    found = at.sort_values(["seed", "learning_rate"]).filter(COLUMNS)
    found = found.rename(columns=lambda name: name.removeprefix("dev_").replace("_", " "))
    notebooks = notebooks_of(opened.study, task, sparsity)
    return found.assign(selected=found.selected.map({True: "yes", False: ""}), notebook=found.seed.map(notebooks.get))


@view
def cells(opened: Opened) -> ipywidgets.Widget:
    """The fine-tuned cells of the chosen point."""
    measured = opened.evidence.cells.groupby("arm").target_sparsity.unique()
    first = next(iter(pruned_arms(opened) or arms_of(opened)))
    arm = labelled(ipywidgets.Dropdown, "Arm", options=[(label(arm), arm) for arm in arms_of(opened)], value=first)
    sparsity = labelled(ipywidgets.Dropdown, "Sparsity")
    task = labelled(ipywidgets.Dropdown, "Task", options=opened.tasks)
    notebooks = ipywidgets.Output()

    def offer(change=None) -> None:
        kept, there = sparsity.value, sorted(measured[arm.value])
        sparsity.options = [(percent(s), s) for s in there]
        sparsity.value = kept if kept in there else there[len(there) // 2]

    def shown(arm: str, sparsity: float | None, task: str) -> str:
        if sparsity is None:  # while the options are replaced
            return ""
        found = behind(opened, arm, sparsity, task)
        notebooks.outputs = ({"output_type": "display_data", "metadata": {}, "data": links(found.pop("notebook"))},)
        for name in FORMS.keys() & set(found):
            text = found[name].map(FORMS[name].format, na_action="ignore")
            found[name] = text.astype(object).replace("%$", " %", regex=True)
        return table(found, index=False)

    offer()
    arm.observe(offer, "value")
    return ipywidgets.VBox([row(arm, sparsity, task), follows(shown, arm, sparsity, task), notebooks])


def links(notebooks: pd.Series) -> dict[str, str]:
    """The executed notebooks as text, and as links if they lie below the parent folder, where JupyterLab can open them."""
    kept = sorted(set(notebooks.dropna()))
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
