"""The commit that a name of the hub stands for, and the folder of its files in the hub's cache."""

from contextlib import suppress
from fnmatch import filter as matching
from pathlib import Path

from prune_utils.data.hub.faults import kind_of, told

TIMEOUT = 10  # seconds to wait for an answer of the hub
SMALL = ("*.json", "*.txt")  # config, tokenizer, and the index of weights in shards
WEIGHTS = ("model.safetensors", "model-*.safetensors", "pytorch_model.bin", "pytorch_model-*.bin")


def commit(key: str, name: str, revision: str | None, ask: bool = True) -> tuple[str, bool]:
    """The commit that a branch or tag, by default main, names on the hub; if that cannot be reached, in the cache.

    Returns it, and whether it is the hub that said so; without `ask` only the cache is read. Raises ParamsError if
    there is no such repository or revision, or if the hub cannot be reached and the cache has none.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled, RevisionResolutionError

    away = None if ask else OfflineModeIsEnabled()
    with told(key, name, revision):
        if ask:
            try:  # resolve_revision has no time limit and would wait for a silent hub for ever
                HfApi().repo_info(name, repo_type=kind_of(key), revision=revision, timeout=TIMEOUT)
            except HfHubHTTPError as error:
                if error.response.status_code < 500:
                    raise
                away = error
            except Exception as error:  # those of the HTTP client, whichever huggingface_hub uses
                away = error
        try:
            options = {"repo_type": kind_of(key), "revision": revision, "local_files_only": away is not None}
            return HfApi().resolve_revision(name, **options).resolved, away is None
        except RevisionResolutionError as error:
            raise (away or error) from None


def newest(key: str, name: str, revision: str | None) -> str | None:
    """The commit that a branch or tag, by default main, names on the hub; None if the hub does not say."""
    from huggingface_hub import HfApi

    with suppress(Exception):
        return HfApi().repo_info(name, repo_type=kind_of(key), revision=revision, timeout=TIMEOUT).sha


def model_folder(key: str, name: str, revision: str) -> Path:
    """The folder of a tokenizer or, for the key "model.pretrained", of a model. Raises ParamsError."""
    from huggingface_hub import get_cached_repo_tree

    weights = []
    found = folder(key, name, revision, SMALL)
    if key == "model.pretrained":
        with told(key, name, revision):
            files = [file.path for file in get_cached_repo_tree(name, revision=revision)]
        weights = next(filter(None, (matching(files, pattern) for pattern in WEIGHTS)), [])
    return folder(key, name, revision, tuple(weights)) if weights else found


def cached_folder(name: str, revision: str) -> Path | None:
    """The folder of a model or tokenizer in the cache, None if it is not there; asks nothing of the network."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        return Path(snapshot_download(name, revision=revision, allow_patterns=[*SMALL], local_files_only=True))
    except LocalEntryNotFoundError:
        return None


def folder(key: str, name: str, revision: str | None, patterns: tuple[str, ...]) -> Path:
    """The folder with the files of a repository that fit the patterns; those that the cache lacks are downloaded.

    The list of all files is cached with it. Raises ParamsError.
    """
    from huggingface_hub import snapshot_download

    with told(key, name, revision):
        options = {"repo_type": kind_of(key), "revision": revision, "allow_patterns": [*patterns]}
        return Path(snapshot_download(name, **options))
