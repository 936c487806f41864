"""Why a node failed: the sentence that matters, kept in the notebook that it leaves."""

from pathlib import Path

from prune_utils.files import read_json, write_json

LONGEST = 600  # characters of a message that are a sentence still
KEY = "failed"  # in the notebook's metadata
KILLED = (
    "its process was killed while it ran `{}`, most often by the system because memory ran out; fewer machine.jobs "
    "at a time, or a smaller batch or model, take less"
)


def keep(unfinished: Path, name: str, message: str) -> str:
    """Writes why a node failed, an error's `name` and `message`, into what it left, and gives it as one line."""
    said = " ".join(f"{name}: {message}".split())
    said = said if len(said) <= LONGEST else f"{said[:LONGEST]} ..."
    content = _read(unfinished)
    if content:
        content["metadata"][KEY] = said
        write_json(unfinished, content)
    return said


def kept(unfinished: Path) -> str | None:
    """Why the node that left this notebook failed; None where it runs still or was stopped from outside."""
    return _read(unfinished).get("metadata", {}).get(KEY)


def killed(unfinished: Path) -> str:
    """What probably happened to a kernel that died, and in which line."""
    cells = [cell for cell in _read(unfinished).get("cells", []) if cell["cell_type"] == "code"]
    begun = [cell for cell in cells if "execution" in cell["metadata"]]
    lines = "".join(begun[-1]["source"]).splitlines() if begun else []
    return KILLED.format(lines[-1].strip() if lines else "its first lines")


def _read(unfinished: Path) -> dict:
    """A notebook that another process may be writing at this moment: what cannot be read yet is empty."""
    try:
        return read_json(unfinished)
    except (FileNotFoundError, ValueError):
        return {}
