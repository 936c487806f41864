"""The lines of text files, and how their content is named in messages.

Imports no pandas, torch or transformers, so that rows can be counted quickly.
"""

import codecs
import csv
import gzip
import io
import lzma
import re
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from prune_utils.study.section import ParamsError

csv.field_size_limit(2**31 - 1)  # of all of csv's readers: a field may be as long as its file
OPENERS = {".gz": gzip.open, ".xz": lzma.open}
SIGNATURES = {  # first bytes of what is often taken for UTF-8 text
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
    b"\x1f\x8b": "gzip; its name must end in .gz",
    b"\xfd7zXZ": "xz; its name must end in .xz",
    b"BZh": "bzip2; allowed are .gz and .xz",
    b"\x28\xb5\x2f\xfd": "zstd; allowed are .gz and .xz",
}
STRANGE = re.compile(r"[\0\r\ud800-\udfff]")  # in no line of a text; half a surrogate pair may be in JSON


def lines(path: Path, where: str, strange: re.Pattern = STRANGE) -> Iterator[str]:
    """Yield the lines of a UTF-8 file, packed or not, without their ends, \\n or \\r\\n, and without a byte order mark.

    Raises ParamsError, with the line, for another encoding and characters that match `strange`.
    """
    offset, guess = 0, "another encoding, such as Latin-1"
    try:
        with OPENERS.get(path.suffix.lower(), open)(path, "rb") as file:
            for number, raw in enumerate(file, start=1):
                if number == 1:
                    guess = next((name for mark, name in SIGNATURES.items() if raw.startswith(mark)), guess)
                try:
                    line = raw.decode().removeprefix("\ufeff" if number == 1 else "")
                except UnicodeDecodeError as error:
                    fault = (
                        f"byte {offset + error.start} is 0x{raw[error.start]:02x}, which is not UTF-8 (is it {guess}?)"
                    )
                    raise ParamsError(f"{where}, line {number}: {fault}") from None
                yield plain(line.removesuffix("\n").removesuffix("\r"), f"{where}, line {number}", strange)
                offset += len(raw)
    except (OSError, EOFError, lzma.LZMAError, zlib.error) as error:
        raise ParamsError(f"{where} cannot be read: {getattr(error, 'strerror', None) or error}") from None


def plain(text: str, where: str, strange: re.Pattern = STRANGE) -> str:
    """Return a text. Raises ParamsError if it has a character that matches `strange`."""
    if found := strange.search(text):
        raise ParamsError(
            f"{where} has the character {found[0]!r}; allowed is UTF-8 with \\n or \\r\\n after each line"
        )
    return text


def records(text: str, where: str, **form) -> Iterator[tuple[int, list[str]]]:
    """Yield the first line, from 1, and the fields of each record; `form`: parameters of csv.reader.

    Raises ParamsError, with the line, if quotation marks are not as in CSV.
    """
    reader, line = csv.reader(io.StringIO(text, newline=""), strict=True, **form), 1
    try:
        for fields in reader:
            yield line, fields
            line = reader.line_num + 1
    except csv.Error as error:
        raise ParamsError(f"{where}, line {line} cannot be read as quoted fields: {error}") from None


def shown(names: Iterable, most: int = 12) -> str:
    """Format names for a message: the first ones, of each the beginning, signs that do not print as escapes."""
    names = [name if len(name) <= 60 else f"{name[:60]}…" for name in map(str, names)]
    names = ["".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in name) for name in names]
    return ", ".join(names[:most]) + (f" and {len(names) - most:,} more" if len(names) > most else "")
