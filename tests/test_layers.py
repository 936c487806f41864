"""Imports between the rooms of the package run downwards only; the contracts are in pyproject.toml."""

import subprocess
import sys

from prune_utils.study import paths


def test_imports_run_downwards_only():
    code = "import sys; from importlinter.cli import lint_imports_command; sys.exit(lint_imports_command())"
    done = subprocess.run([sys.executable, "-c", code], cwd=paths.ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "0 broken" in done.stdout, done.stdout[-3000:] + done.stderr


def test_no_room_has_more_than_ten_files_and_each_says_what_it_is_for():
    for room in (file.parent for file in (paths.ROOT / "prune_utils").glob("*/**/__init__.py")):
        files = [file for file in room.glob("*.py") if file.name != "__init__.py"]
        assert len(files) <= 10, room.name
        assert (room / "__init__.py").read_text().startswith('"""'), room.name
        assert all(len(file.read_text().splitlines()) <= 200 for file in files), room.name
