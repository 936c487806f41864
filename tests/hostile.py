"""A task with labels that look like markup, in a folder with an awkward name."""

from pathlib import Path

from prune_utils.data.embedded import tasks as embedded_tasks

NAME = "tâche 1.2 +b"
LABELS = ("$y_1$ {z}", "<script>alert('é')</script>")  # in the order of the embedded task's labels


def write_task(folder: Path, train: int, dev: int) -> dict:
    """Write the embedded sentiment task as TSV with these labels; returns its section of a params file."""
    folder.mkdir(parents=True)
    for part, rows in zip(("train", "dev"), embedded_tasks.splits("sentiment", train, dev), strict=True):
        lines = [f"{row['sentence']}\t{LABELS[row['label']]}\n" for row in rows]
        (folder / f"{part}.tsv").write_text("sentence\tlabel\n" + "".join(lines), encoding="utf-8")
    return {"source": "local", "name": NAME, "folder": str(folder)}
