"""A task that is called what no task should be, and its files."""

from pathlib import Path

from prune_utils.data import language_tasks

NAME = '<script>alert("é & $x_1$ {y}")</script>'
LABELS = ("<i>no</i>", "$y$")


def write_task(folder: Path, train: int, dev: int) -> dict:
    """Writes a task of the embedded language as TSV; gives its section of a params file."""
    folder.mkdir(parents=True)
    for part, rows in zip(("train", "dev"), language_tasks.splits("sentiment", train, dev), strict=True):
        lines = [f"{row['sentence']}\t{LABELS[row['label']]}\n" for row in rows]
        (folder / f"{part}.tsv").write_text("sentence\tlabel\n" + "".join(lines), encoding="utf-8")
    return {"source": "local", "name": NAME, "folder": str(folder)}
