"""Failures of the hub's clients, each as one sentence: the input, the fault, and what helps."""

from collections.abc import Iterator
from contextlib import contextmanager

from prune_utils.study.section import ParamsError

DATASETS = "corpus.datasets."  # begins the key of a data set in the params, followed by its index in the list
HTTP = ("httpx", "httpx2", "httpcore", "requests", "urllib3")  # packages that huggingface_hub may reach the hub with


def kind_of(key: str) -> str:
    """Whether an input of the params, by its key, is a "model" (or its tokenizer) or a "dataset"."""
    return "dataset" if key.startswith(("tasks.", DATASETS)) else "model"


@contextmanager
def told(key: str, name: str, revision: str | None) -> Iterator[None]:
    """Raise a failure to read a repository as a ParamsError; one of this machine, such as a full disk, as it is."""
    try:
        yield
    except ParamsError:
        raise
    except Exception as error:  # the clients raise anything
        if isinstance(error, OSError) and error.errno:
            raise
        raise ParamsError(f"{key}: {kind_of(key)} {name!r} of the hub {_fault(error, key, name, revision)}") from None


def _fault(error: Exception, key: str, name: str, revision: str | None) -> str:
    from huggingface_hub import constants, errors

    outer = isinstance(error, errors.LocalEntryNotFoundError) or type(error).__name__ == "DatasetGenerationError"
    if outer and error.__cause__:
        error = error.__cause__  # the reason why nothing but the cache was left, or why a file cannot be read
    page = f"{constants.ENDPOINT}/{'datasets/' if kind_of(key) == 'dataset' else ''}{name}"
    said = f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"
    match error:
        case errors.GatedRepoError():
            return f"is gated; accept its terms at {page} and log in with `hf auth login`"
        case errors.RepositoryNotFoundError():
            return f"does not exist at {page}, or is private; check the name, or log in with `hf auth login`"
        case errors.RevisionNotFoundError():
            return f"has no revision {revision!r}; allowed are its branches, tags and commits, see {page}/commits/main"
        case errors.OfflineModeIsEnabled() | errors.LocalEntryNotFoundError() | errors.CachedRepoTreeNotFoundError():
            cache = f"is not, or not completely, in the cache {constants.HF_HUB_CACHE}"
            why = "the network is off (HF_HUB_OFFLINE)" if constants.HF_HUB_OFFLINE else "the hub cannot be reached"
            return f"{cache}, and {why}; start once with the network to download it"
        case errors.HfHubHTTPError() if error.response.status_code in (401, 403):
            code = error.response.status_code
            return f"is refused ({code}); log in with `hf auth login`, with a token that may read {page}"
        case errors.HfHubHTTPError():
            return f"cannot be downloaded, since {page} answers {error.response.status_code}; try again later"
        case errors.HFValidationError():
            return f"cannot be a name on the hub ({said})"
    if isinstance(error, OSError) or type(error).__module__.partition(".")[0] in HTTP:
        helps = "check the network and HF_ENDPOINT, or use local files, as params/local_glue.yaml does"
        return f"cannot be reached at {page} ({said}); {helps}"
    return f"cannot be read ({said})"
