"""The params of studies beside each other."""

import pandas as pd

from prune_utils.schema import Replay, Study

ABSENT = "–"
OTHER = ("study", "machine", "table")  # which study, how it is run, and what stands for one: not part of its recipe


def differing(studies: dict[str, Study | Replay]) -> pd.DataFrame:
    """The parameters in which studies differ: a row a key (section.key), a column a study, values as text."""
    table = pd.DataFrame({name: pd.Series(_flat(_recipe(study)), dtype=object) for name, study in studies.items()})
    keys = dict.fromkeys(key for study in studies.values() for key in _flat(_recipe(study)))
    sections = list(dict.fromkeys(key.split(".")[0] for key in keys))
    table = (
        table.reindex(sorted(keys, key=lambda key: sections.index(key.split(".")[0])))
        .fillna(ABSENT)
        .rename_axis("parameter")
    )
    return table[table.nunique(axis=1) > 1]


def _recipe(study: Study | Replay) -> dict:
    return {key: value for key, value in study.model_dump(exclude_none=True).items() if key not in OTHER}


def _flat(value, key: str = "") -> dict[str, str]:
    """{"section.key": value as text}; a list of sections (tasks, stages of epochs) is one value."""
    if isinstance(value, dict):
        parts = [_flat(inner, f"{key}.{name}" if key else name) for name, inner in value.items()]
        return {k: v for part in parts for k, v in part.items()}
    return {key: _text(value)}


def _text(value) -> str:
    if isinstance(value, list):
        return ", ".join(map(_text, value))
    if isinstance(value, dict):
        named = {name: f"{name} {_text(inner)}" for name, inner in value.items() if name != "source"}
        return " ".join((named | {"name": value["name"]} if "name" in value else named).values())
    return f"{value:g}" if isinstance(value, float) else str(value)
