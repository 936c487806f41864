"""What a study reads: digests of its local files and revisions of its hub inputs, which are part of its identity."""

import hashlib
from functools import cache
from pathlib import Path

from prune_utils.data.glue import dev_file
from prune_utils.data.hub.faults import DATASETS
from prune_utils.data.hub.repository import cached_folder
from prune_utils.study import paths
from prune_utils.study.schema import Replay, Study
from prune_utils.study.sections.sources import Corpus, Task

READ = ("*.json", "*.txt", "*.safetensors", "*.bin")  # files of a model or tokenizer folder that may be read


def named(study: Study | Replay) -> dict[str, str]:
    """The inputs of a study, {key in the params: path or hub name}; empty for the embedded language."""
    if isinstance(study, Replay):
        return {f"table.{key}": name for key, name in study.tables.items()}
    corpus, found = study.corpus, {}
    if corpus.source == "local":
        for key in ("files", "held_out_files"):
            found |= {f"corpus.{key}.{place}": name for place, name in enumerate(getattr(corpus, key))}
    elif corpus.source == "hub":
        found |= {f"{DATASETS}{place}": text.path for place, text in enumerate(corpus.datasets)}
    found |= {"model.pretrained": study.model.pretrained, "corpus.vocabulary": study.vocabulary}
    for task in study.tasks:
        if task.source == "local":
            files = {"train": task.train, "dev": dev_file(task)}
            found |= {f"tasks.{task.name}.{part}": f"{task.folder}/{file}" for part, file in files.items()}
        elif task.source == "hub":
            found[f"tasks.{task.name}"] = task.dataset
    return {key: name for key, name in found.items() if name}


def identified(study: Study | Replay) -> Study | Replay:
    """The study with its `inputs`, {key: name@digest}: digests of local inputs and recorded revisions of hub inputs.

    A missing file keeps its recorded digest, so that a finished study can be reported without its inputs.
    """
    from prune_utils.study.record import recorded  # imports pandas, which takes a second

    before, now, found = recorded(study.study), _asked(study.model_dump()), {}
    kept = {key: name for key, name in before.get("inputs", {}).items() if _asked(before).get(key) == now.get(key)}
    for key, name in named(study).items():
        if paths.given(name).exists():
            found[key] = f"{name}@{digest(paths.given(name))}"
        elif kept.get(key, "").startswith(f"{name}@"):
            found[key] = kept[key]
    return study.model_copy(update={"inputs": found})


def place(study: Study, key: str) -> Path | None:
    """Where an input is on this machine: its path, or its folder in the hub's cache; None if it is not here.

    A name of the hub has a place once the study is pinned to a revision of it.
    """
    name = named(study).get(key)
    if name is None or paths.given(name).exists():
        return name and paths.given(name)
    return cached_folder(name, revision(study, key)) if key in study.inputs else None


def revision(study: Study, key: str) -> str | None:
    """The revision of a hub input that the study is pinned to; before it is resolved, the one that the params ask for."""
    pinned = study.inputs.get(key)
    return pinned.rsplit("@", 1)[1] if pinned else asked(study).get(key)


def corpus_of(study: Study) -> Corpus:
    """The corpus of a study, with the revisions that its data sets of the hub are pinned to."""
    if study.corpus.source != "hub":
        return study.corpus
    texts = [
        text.model_copy(update={"revision": revision(study, f"{DATASETS}{place}")})
        for place, text in enumerate(study.corpus.datasets)
    ]
    return study.corpus.model_copy(update={"datasets": texts})


def task_of(study: Study, name: str) -> Task:
    """A task of a study, with the revision that its data set of the hub is pinned to."""
    task = study.task(name)
    return task.model_copy(update={"revision": revision(study, f"tasks.{name}")}) if task.source == "hub" else task


def asked(study: Study) -> dict[str, str | None]:
    """The revisions that the params ask for, by key; None for the newest."""
    return _asked(study.model_dump())


def _asked(content: dict) -> dict[str, str | None]:
    corpus, tasks = content.get("corpus", {}), content.get("tasks", [])
    texts = {f"{DATASETS}{place}": text.get("revision") for place, text in enumerate(corpus.get("datasets", []))}
    return texts | {f"tasks.{task['name']}": task.get("revision") for task in tasks}


def digest(path: Path) -> str:
    """SHA-256 of a file, or of the files in a folder that a model or tokenizer is read from."""
    if not path.is_dir():
        return f"sha256:{_sha256(path, path.stat().st_size, path.stat().st_mtime_ns)}"
    files = sorted({file for kind in READ for file in path.glob(kind)})
    lines = "".join(f"{digest(file)} {file.name}\n" for file in files)
    return f"sha256:{hashlib.sha256(lines.encode()).hexdigest()}"


@cache
def _sha256(file: Path, size: int, changed: int) -> str:
    """Digest of a file; size and modification time are keys of the cache."""
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
