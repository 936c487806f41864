"""The explorer's views as a test reads and works them, and studies to open."""

import ipywidgets
import pandas as pd
import yaml
from bs4 import BeautifulSoup

from prune_utils.analysis.results import collect
from prune_utils.study.params import load_study

HARM = "<script>alert(1)</script>"


def table_study(out, rows, name="table", origin="made by hand"):
    """Results of a table, analysed: rows of arm, sparsity, task, seed, dev_accuracy."""
    folder = out / "results" / name
    folder.mkdir(parents=True)
    cells = folder / "table of résultats.csv"
    pd.DataFrame(rows, columns=["arm", "sparsity", "task", "seed", "dev_accuracy"]).to_csv(cells, index=False)
    margins = {"accuracy_margin": 1.0, "loss_margin": 0.1}
    content = {"study": name, "table": {"cells": str(cells), "origin": origin}, "analysis": margins}
    (folder / "params.yaml").write_text(yaml.safe_dump(content))
    collect(load_study(folder / "params.yaml"))
    (folder / "regimes.json").write_text("{}")
    return folder


def by_hand(tasks):
    """Three seeds; `tasks`: by name, accuracy lost at 30, 60 and 90 %, in points, from 80 and a little by seed.

    Noise of ±0.0005 points that no mean keeps.
    """
    shift = {0: -0.5, 1: 0.0, 2: 0.5}
    return [
        (
            arm,
            sparsity,
            task,
            seed,
            (80 - lost + shift[seed] + 0.001 * shift[seed] * (-1) ** round(10 * sparsity)) / 100,
        )
        for task, (a, b, c) in tasks.items()
        for seed in shift
        for arm, sparsity, lost in [("dense", 0, 0), ("pretrain", 0.3, a), ("pretrain", 0.6, b), ("pretrain", 0.9, c)]
    ]


def texts(widget):
    """All HTML that a view shows, its widgets' too."""
    if widget is None:
        return ""
    if isinstance(widget, ipywidgets.Box):
        return "".join(map(texts, widget.children))
    if isinstance(widget, ipywidgets.Output):
        return "".join(output["data"].get("text/html", "") for output in widget.outputs)
    if isinstance(widget, ipywidgets.HTML):
        return widget.value
    if isinstance(widget, ipywidgets.Widget):
        assert not getattr(widget, "description_allow_html", False)
        return ""
    return widget.data


def rows_of(page):
    """The first table of a page as a frame of text: its first column the index."""
    cells = [
        [cell.text for cell in row.find_all(["th", "td"])] for row in BeautifulSoup(page, "html.parser").table("tr")
    ]
    return pd.DataFrame([row[1:] for row in cells[1:]], index=[row[0] for row in cells[1:]], columns=cells[0][1:])


def control(widget, description):
    """The control of a view that is described so."""
    for child in getattr(widget, "children", ()):
        if getattr(child, "description", None) == description:
            return child
        if (found := control(child, description)) is not None:
            return found
    return None
