"""Random damage to a task's files: they are read as an independent reader reads them, or refused with ParamsError."""

import csv
import io

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from prune_utils.data import tasks
from prune_utils.data.rows import tsv
from prune_utils.study.section import ParamsError
from prune_utils.study.sections.sources import LocalTask
from prune_utils.training.sizes import train_size

FAST = settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
SIGNS = st.characters(codec="utf-8", exclude_characters="\t\n\r\0", exclude_categories=("Cc", "Cf"))
TEXT = (
    st.one_of(
        st.lists(
            st.sampled_from(["the", 'mill"', '"', "NA", "été", "\u2028", "\x85", ",", "'s", "#", "1"]),
            min_size=1,
            max_size=5,
        ),
        st.text(SIGNS, min_size=1, max_size=8).map(list),
    )
    .map(" ".join)
    .filter(lambda text: any(sign.isalnum() or sign in '",#' for sign in text))
)
LABEL = st.sampled_from(["0", "1", "no"])


@st.composite
def tables(draw):
    """A header and rows; columns in any order, with others between."""
    columns = draw(st.permutations(draw(st.sampled_from([["sentence", "label"], ["sentence1", "sentence2", "label"]]))))
    columns = [*columns, *draw(st.sampled_from([[], ["id"], ["", "label2"]]))]
    cells = st.tuples(*(LABEL if name.startswith("label") else TEXT for name in columns))
    rows = draw(st.lists(cells, min_size=3, max_size=8))
    label = columns.index("label")
    for place, value in enumerate(("0", "1", "no")):  # every label occurs
        rows[place] = (*rows[place][:label], value, *rows[place][label + 1 :])
    return [tuple(columns), *rows]


@st.composite
def damaged(draw, separator="\t"):
    """The bytes of a table, with up to two kinds of damage."""
    lines = [separator.join(row) for row in draw(tables())]
    end = draw(st.sampled_from(["\n", "\r\n"]))
    for _ in range(draw(st.integers(0, 2))):
        at = draw(st.integers(0, len(lines) - 1))
        line, fields = lines[at], lines[at].split(separator)
        place = draw(st.integers(0, len(fields) - 1))
        blank = [*fields[:place], draw(st.sampled_from(["", " ", "\u200b"])), *fields[place + 1 :]]
        quoted = [*fields[:place], f'"{fields[place]}"', *fields[place + 1 :]]
        copied = [*fields[:place], fields[0], *fields[place + 1 :]]
        lines[at : at + 1] = draw(
            st.sampled_from(
                [
                    [line.replace(separator, "", 1)],
                    [line + separator],
                    [line, ""],
                    [line[: len(line) // 2] + "\r" + line[len(line) // 2 :]],
                    [line[: len(line) // 2], line[len(line) // 2 :]],
                    [separator.join(blank)],
                    [separator.join(quoted)],
                    [separator.join(copied)],
                    [separator.join(f'"{field}"' for field in fields)],
                    [separator.join(reversed(fields))],
                    [line, lines[0]],
                    [],
                ]
            )
        )
        if not lines:
            break
    data = (
        draw(st.sampled_from(["", "\ufeff"])) + end.join(lines) + draw(st.sampled_from(["", end, end * 2]))
    ).encode()
    if data and draw(st.booleans()) and draw(st.booleans()):
        at = draw(st.integers(0, len(data) - 1))
        data = data[:at] + draw(st.binary(max_size=1)) + data[at + 1 :]
    return data


def by_hand(data: bytes, separator: str) -> tuple[list[list[str]], bool]:
    """Fields of all lines by str.split, or, where the header is quoted or for CSV, by the csv module."""
    text = data.decode("utf-8").lstrip("\ufeff").removesuffix("\r").replace("\r\n", "\n").rstrip("\n")
    if separator == "," or any(field.startswith('"') for field in text.split("\n")[0].split("\t")):
        return list(csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True))
    return [line.split("\t") for line in text.split("\n")]


def same(folder, data: bytes, separator: str) -> bool:
    """Whether the file is read; if so, every field is where it belongs."""
    name = "train.csv" if separator == "," else "train.tsv"
    (folder / name).write_bytes(data)
    (folder / "dev.tsv").write_text("sentence\tsentence1\tsentence2\tlabel\n" + "a\tb\tc\t0\n" * 2)
    pair = b"sentence1" in data
    keys = {"texts": ["sentence1", "sentence2"] if pair else ["sentence"]}
    task = LocalTask(source="local", name="mine", folder=str(folder), train=name, **keys)
    try:
        frame, _ = tasks.examples(task)
    except ParamsError as error:
        assert str(error).startswith("task mine: ") and "\n" not in str(error).replace(str(folder), "")
        return False
    header, *rows = by_hand(data, separator)
    assert all(len(row) == len(header) for row in rows) and header not in rows and len(set(header)) == len(header)
    assert train_size(task) == len(frame) == len(rows)
    names = sorted({row[header.index("label")] for row in rows})
    for column, name in zip(("first", "second"), keys["texts"], strict=False):
        expected = [row[header.index(name)] for row in rows]
        assert list(frame[column]) == expected and all(text.strip(" \u200b") for text in expected)
        assert not any("\r" in text for text in expected)
    assert [names[label] for label in frame.label] == [row[header.index("label")] for row in rows]
    return True


@FAST
@given(damaged())
def test_a_damaged_tsv_is_read_right_or_refused(tmp_path, data):
    same(tmp_path, data, "\t")


@FAST
@given(damaged(","))
def test_a_damaged_csv_is_read_right_or_refused(tmp_path, data):
    same(tmp_path, data, ",")


@FAST
@given(tables(), st.sampled_from(["\n", "\r\n"]), st.sampled_from(["", "\ufeff"]))
def test_a_whole_tsv_is_read(tmp_path, table, end, mark):
    data = (mark + "".join("\t".join(row) + end for row in table)).encode()
    written = any(tsv.doubled(field) for row in table for field in row)
    assert same(tmp_path, data, "\t") or written


@FAST
@given(tables(), st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]), st.sampled_from([",", "\t"]))
def test_a_quoted_file_is_read(tmp_path, table, quoting, separator):
    if separator == "\t":
        quoting = csv.QUOTE_ALL  # otherwise nothing in the header says that fields are quoted
    table = [table[0], *(tuple(f"{field},\n" if len(field) > 9 else field for field in row) for row in table[1:])]
    file = io.StringIO(newline="")
    csv.writer(file, delimiter=separator, quoting=quoting).writerows(table)
    assert same(tmp_path, file.getvalue().encode(), separator)


@pytest.mark.parametrize(
    "train, said",
    [
        (b"", "train.tsv is empty"),
        (b"\n\n", "train.tsv is empty"),
        (b"sentence\tlabel\na\t1\n\nb\t0\n", "line 3 is blank"),
        (b"sentence\tlabel\na\t1\nb\n", "line 3 has 1 field; the header has 2"),
        (b"sentence\tlabel\n0\ta\t1\n1\tb\t0\n", "line 2 has 3 fields; the header has 2"),
        (b"sentence\tlabel\na\t1\nb\t0\t\n", "line 3 has 3 fields; the header has 2"),
        (b"sentence\tlabel\tlabel\na\t1\t1\nb\t0\t1\n", "has a column twice: sentence, label, label"),
        (b"sentence\tsentence1\tsentence2\tlabel\na\tb\tc\t1\n", "has columns sentence and sentence1 and sentence2"),
        (b"sentence\tlabel\na\t1\nsentence\tlabel\nb\t0\n", "line 3 repeats the header"),
        (b"sentence\tlabel\na\t1\n\xef\xbb\xbfsentence\tlabel\nb\t0\n", "line 3 repeats the header"),
        (b"sentence\tlabel\na\t1\ncaf\xe9\t0\n", "line 3: byte 22 is 0xe9, which is not UTF-8"),
        ("sentence\tlabel\na\t1\n".encode("utf-16"), "line 1: byte 0 is 0xff, .*UTF-16"),
        ("sentence\tlabel\na\t1\n".encode("utf-16-le"), r"line 1 has the character .\\x00"),
        (b"sentence\tlabel\ra\t1\rb\t0\r", r"line 1 has the character .\\r"),
        (b"id\tsentence\tlabel\n1\ra\ta\t1\n", r"line 2 has the character .\\r"),
        (b"sentence\tlabel\n \xc2\xa0\xe2\x80\x8b\t1\n", "line 2 has an empty text or label"),
        (b'sentence\tlabel\n"She said ""no""."\t1\n', "line 2 has a field in quotation marks with doubled ones within"),
        (b'"sentence"\t"label"\n"a"\t"1"\n"b\t"0"\n', "line 3 cannot be read as quoted fields"),
        (b'"sentence"\t"label"\n"He said \\"no\\"."\t"1"\n', "line 2 cannot be read as quoted fields"),
        (b"sentence,label\na,1\nb,0\n", "it has sentence,label; .*in a .csv commas"),
    ],
)
def test_what_is_wrong_with_a_file_is_said_with_its_line(tmp_path, train, said):
    (tmp_path / "train.tsv").write_bytes(train)
    (tmp_path / "dev.tsv").write_bytes(train)
    with pytest.raises(ParamsError, match=f"task mine: .*{said}") as error:
        tasks.check(LocalTask(source="local", name="mine", folder=str(tmp_path)))
    assert "\n" not in str(error.value)


def test_a_file_is_read_once_and_again_when_it_changed(tmp_path, monkeypatch):
    file, task = tmp_path / "train.tsv", LocalTask(source="local", name="mine", folder=str(tmp_path))
    file.write_text("sentence\tlabel\na\t1\n")
    first = tsv.table(task, "train")
    file.write_text("sentence\tlabel\nb\t0\n")  # at nearly the same time, and of the same size
    assert tsv.table(task, "train").rows == [("b", "0")] and first.rows == [("a", "1")]
    monkeypatch.setattr(tsv, "SETTLED", -(10**18))
    assert tsv.table(task, "train") is tsv.table(task, "train")
