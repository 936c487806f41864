"""Data sets of the hub: only the files of the wanted splits are downloaded, and of a text only those that are read."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from prune_utils.data.hub.faults import told
from prune_utils.data.hub.repository import folder
from prune_utils.study.section import ParamsError

if TYPE_CHECKING:
    from datasets import Dataset  # importing it takes a second

CARD = ("README.md", ".huggingface.yaml", "dataset_infos.json")  # where a data set describes its configurations


def splits(
    key: str, name: str, configuration: str | None, revision: str | None, *wanted: tuple[str, ...]
) -> dict[str, "Dataset"]:
    """Splits of a configuration, in memory: for each tuple of names, the first that the data set has.

    Raises ParamsError for what cannot be downloaded or read, or if there is no such configuration or split.
    """
    with _builder(key, name, configuration, revision) as (builder, files):
        chosen = [next((split for split in names if split in files), None) for names in wanted]
        if missing := [names[-1] for names, split in zip(wanted, chosen, strict=True) if split is None]:
            raise _without(key, name, missing, files)
        of = {split: [_file(key, name, revision, file) for file in files[split]] for split in chosen}
        builder.config.data_files = of
        builder.download_and_prepare(verification_mode="no_checks")  # the card also counts splits that are not wanted
        return builder.as_dataset(in_memory=True)


def rows(key: str, name: str, configuration: str | None, revision: str | None, split: str = "train") -> Iterator[dict]:
    """Yield the rows of a split; each of its files is downloaded when it is reached. Raises ParamsError as `splits`."""
    with _builder(key, name, configuration, revision) as (builder, files):
        if split not in files:
            raise _without(key, name, [split], files)
        for file in files[split]:
            builder.config.data_files = {split: [_file(key, name, revision, file)]}
            yield from builder.as_streaming_dataset(split=split)


def _without(key: str, name: str, missing: list[str], files: dict) -> ParamsError:
    return ParamsError(f"{key}: data set {name!r} has no split {' and no '.join(missing)}, it has {', '.join(files)}")


def _file(key: str, name: str, revision: str | None, file: str) -> str:
    return str(folder(key, name, revision, (file,)) / file)


@contextmanager
def _builder(key: str, name: str, configuration: str | None, revision: str | None) -> Iterator[tuple]:
    """datasets' builder of a configuration, and its files in the repository, {split: [path]}.

    datasets finds the files of a configuration in a folder. Here the folder has the names of all files of the
    repository and only the content of its card, so that the wanted files can be downloaded, and no others.
    """
    from datasets import get_dataset_config_names, load_dataset_builder
    from huggingface_hub import get_cached_repo_tree

    card = folder(key, name, revision, (*CARD, ".gitattributes"))  # every repository has the last one
    with told(key, name, revision), TemporaryDirectory() as temporary:
        view = Path(temporary).resolve() / name.rpartition("/")[2]
        for file in get_cached_repo_tree(name, repo_type="dataset", revision=revision):
            if ".." not in Path(file.path).parts:
                (view / file.path).parent.mkdir(parents=True, exist_ok=True)
                (view / file.path).touch()
        for file in CARD:
            if (card / file).exists():
                shutil.copy(card / file, view)
        try:
            known = get_dataset_config_names(str(view))
        except Exception as error:  # no files of data, a card that is not YAML, a script
            said = str(error).partition("\n")[0].replace(str(view), name)
            raise ParamsError(f"{key}: data set {name!r} cannot be read: {said}") from None
        if configuration not in (*known, None) or configuration is None and len(known) > 1:
            fault = "needs a configuration" if configuration is None else f"has no configuration {configuration!r}"
            raise ParamsError(f"{key}: data set {name!r} {fault}; allowed: {', '.join(known)}")
        builder = load_dataset_builder(str(view), configuration, cache_dir=temporary)
        found = builder.config.data_files.items()
        yield builder, {split: [Path(file).relative_to(view).as_posix() for file in files] for split, files in found}
