"""Files of a model folder, and the error for one that cannot be used."""

import json
from pathlib import Path
from typing import Any

from prune_utils.data.rows.lines import shown
from prune_utils.study.section import ParamsError

POINTER = b"version https://git-lfs"


def refused(sentence: str, key: str = "model.pretrained") -> ParamsError:
    """The error for a model that cannot be used."""
    return ParamsError(f"{key}: {sentence}")


def first(folder: Path, names: tuple[str, ...]) -> Path | None:
    """The first of the named files that a folder has; a broken link counts, and fails when it is read."""
    return next((folder / name for name in names if (folder / name).exists() or (folder / name).is_symlink()), None)


def contents(folder: Path) -> str:
    """The first names in a folder, for a message."""
    return shown(sorted(path.name for path in folder.iterdir()), 8) or "nothing"


def check_no_pointer(file: Path) -> None:
    """Raise ParamsError if a file is the pointer that Git LFS leaves in place of a large one."""
    with file.open("rb") as opened:
        if opened.read(len(POINTER)) == POINTER:
            raise refused(f"{file} is a Git LFS pointer, not the file itself; `git lfs pull` fetches it")


def read_mapping(file: Path) -> dict[str, Any]:
    """Read a JSON file that holds a mapping. Raises ParamsError if it does not."""
    try:
        check_no_pointer(file)
        content = json.loads(file.read_text(encoding="utf-8-sig"))
    except ParamsError:
        raise
    except (OSError, ValueError, RecursionError) as error:
        raise refused(f"{file} cannot be read as JSON: {error}") from None
    if not isinstance(content, dict):
        raise refused(f"{file} holds {type(content).__name__}; allowed is a mapping")
    return content
