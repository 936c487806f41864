"""A small sound study whose inputs are damaged at random: each is used rightly, or refused in words, never misread.

The number of damages is small here; `MUTATIONS=3000 pytest tests/workflow/test_damaged_inputs.py` tries more.
"""

import copy
import json
import os
import random
import re
import shutil

import pytest
import yaml

from prune_utils.analysis.foreign.replay import read_table
from prune_utils.data.tasks import examples
from prune_utils.data.text import documents
from prune_utils.data.vocabulary import tokenizer_of
from prune_utils.study.params import load_study
from prune_utils.study.section import ParamsError
from prune_utils.workflow import preflight

MUTATIONS = int(os.environ.get("MUTATIONS", 120))
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
NOUNS = [
    "river",
    "mill",
    "farmer",
    "market",
    "bridge",
    "winter",
    "letter",
    "garden",
    "stone",
    "harbour",
    "teacher",
    "village",
]
MOODS = (["cruel", "bitter", "broken", "stale"], ["kind", "bright", "gentle", "fresh"])
WORDS = [*SPECIAL, "the", "a", "saw", ".", *NOUNS, *MOODS[0], *MOODS[1]]


def sentence(draw, mood):
    return f"the {draw.choice(MOODS[mood])} {draw.choice(NOUNS)} saw a {draw.choice(NOUNS)} ."


def text(draw, count):
    return "\n\n".join("\n".join(sentence(draw, draw.randint(0, 1)) for _ in range(6)) for _ in range(count)) + "\n"


def rows(draw, count):
    return "sentence\tlabel\n" + "".join(f"{sentence(draw, i % 2)}\t{i % 2}\n" for i in range(count))


@pytest.fixture
def sound(tmp_path):
    """The folder of a sound study, and its params."""
    draw = random.Random(0)
    folder = tmp_path / "data"
    (folder / "task").mkdir(parents=True)
    files = {"text.txt": text(draw, 40), "held.txt": text(draw, 12), "vocab.txt": "\n".join(WORDS) + "\n"}
    files |= {"task/train.tsv": rows(draw, 40), "task/dev.tsv": rows(draw, 20)}
    for name, content in files.items():
        (folder / name).write_text(content)
    params = {
        "study": "mine",
        "extends": "own.yaml",
        "corpus": {
            "source": "local",
            "files": [str(folder / "text.txt")],
            "held_out_files": [str(folder / "held.txt")],
            "vocabulary": str(folder / "vocab.txt"),
            "max_length": 32,
        },
        "tasks": [{"source": "local", "name": "mine", "folder": str(folder / "task")}],
    }
    return folder, params, files


def bytes_damaged(draw, content):
    """Overwrite, remove, repeat or insert a few bytes."""
    data = bytearray(content)
    for _ in range(draw.randint(1, 3)):
        at, length = draw.randrange(len(data) + 1), draw.choice([1, 1, 2, 5, 40])
        new = draw.choice(
            [b"", b"\t", b"\n", b"\r", b"\r\n", b"\x00", b"\xff", b'"', b",", b"\xe2\x80\xa8", b"  ", b"x"]
        )
        kind = draw.choice(["insert", "replace", "remove", "repeat", "cut"])
        if kind == "insert":
            data[at:at] = new
        elif kind == "replace":
            data[at : at + len(new)] = new
        elif kind == "remove":
            del data[at : at + length]
        elif kind == "repeat":
            data[at:at] = data[at : at + length]
        elif draw.random() < 0.3:
            del data[at:]
    return bytes(data)


def lines_damaged(draw, content):
    """Remove, repeat, swap, blank or change whole lines, or the encoding of the file."""
    lines = content.decode().split("\n")
    at, to = draw.randrange(len(lines)), draw.randrange(len(lines))
    kind = draw.choice(
        ["remove", "repeat", "swap", "blank", "tab", "label", "upper", "utf16", "latin", "bom", "crlf", "empty"]
    )
    if kind == "remove":
        del lines[at]
    elif kind == "repeat":
        lines.insert(to, lines[at])
    elif kind == "swap":
        lines[at], lines[to] = lines[to], lines[at]
    elif kind in ("blank", "tab", "upper"):
        lines[at] = {"blank": "", "tab": lines[at] + "\t1", "upper": lines[at].upper()}[kind]
    elif kind == "label":
        lines[at] = re.sub(r"\t.*", draw.choice(["\t-1", "\t", "\t1.0", "\tnan", "\t2", "\t 1"]), lines[at])
    whole = "\n".join(lines)
    if kind in ("utf16", "latin"):
        return (whole + "é\n").encode("utf-16" if kind == "utf16" else "latin-1")
    marks = {"bom": "\ufeff" + whole, "crlf": whole.replace("\n", "\r\n"), "empty": draw.choice(["", "\n", " "])}
    return marks.get(kind, whole).encode()


def params_damaged(draw, params):
    """Put something else in the place of one value, remove it, or misspell its key."""
    params = copy.deepcopy(params)
    section = draw.choice([params, params["corpus"], params["tasks"][0], params.setdefault("grid", {"seeds": [0, 1]})])
    key = draw.choice(list(section))
    kind = draw.choice(["value", "value", "remove", "key"])
    if kind == "remove":
        del section[key]
    elif kind == "key":
        section[key + "s"] = section.pop(key)
    else:
        odd = [
            None,
            "",
            0,
            -1,
            1.5,
            "2e-5",
            True,
            [],
            {},
            [None],
            "nowhere",
            "/",
            "..",
            float("nan"),
            ["a", "a"],
            {"a": 1},
        ]
        section[key] = draw.choice(odd)
    return params


def by_lines(path):
    """What a vocabulary or a text holds, read by other means than the package's."""
    whole = path.read_bytes().decode("utf-8-sig").removesuffix("\r").replace("\r\n", "\n")
    return whole.removesuffix("\n").split("\n")


def check_used_rightly(study, folder):
    """Compare what the package has read with an independent reading of the same files."""
    vocabulary = [line for line in by_lines(folder / "vocab.txt")]
    while not vocabulary[-1]:
        vocabulary.pop()
    if study.corpus.vocabulary == str(folder / "vocab.txt"):
        assert tokenizer_of(study).get_vocab() == {word: line for line, word in enumerate(vocabulary)}
    for held_out, name in ((False, "text.txt"), (True, "held.txt")):
        if (study.corpus.held_out_files if held_out else study.corpus.files) == [str(folder / name)]:
            read = "".join("".join(part) for document in documents(study.corpus, held_out) for part in document)
            lines = [line for line in by_lines(folder / name)]
            assert re.sub(r"\s", "", read) == re.sub(r"\s", "", "".join(lines))
    if study.tasks[0].folder == str(folder / "task") and not study.tasks[0].labels:
        sets = {}
        for part, frame in zip(("train", "dev"), examples(study.tasks[0]), strict=True):
            header, *fields = [line.split("\t") for line in by_lines(folder / "task" / f"{part}.tsv") if line]
            assert all(len(field) == len(header) for field in fields)
            column = header.index("sentence")
            assert list(frame["first"]) == [field[column] for field in fields]
            sets[part] = [
                (field[header.index("label")], number) for field, number in zip(fields, frame.label, strict=True)
            ]
        classes = sorted({label for label, _ in sets["train"]})
        assert all(classes[number] == label for pairs in sets.values() for label, number in pairs)


def trial(sound, number):
    """One damage; returns whether the study was used (True) or refused (False)."""
    folder, params, files = sound
    draw = random.Random(number)
    shutil.rmtree(folder)
    (folder / "task").mkdir(parents=True)
    damaged = draw.choice([*files, "params", "params", "yaml"])
    for name, content in files.items():
        data = content.encode()
        if name == damaged:
            data = draw.choice([bytes_damaged, lines_damaged])(draw, data)
        (folder / name).write_bytes(data)
    path = folder / "mine.yaml"
    written = yaml.safe_dump(params_damaged(draw, params) if damaged == "params" else params, sort_keys=False).encode()
    path.write_bytes(bytes_damaged(draw, written) if damaged == "yaml" else written)
    try:
        study = load_study(path)
        facts = preflight.check_inputs(study)
    except ParamsError as error:
        assert str(error).strip()
        return False
    assert all(fact.about and fact.what for fact in facts)
    if damaged not in ("params", "yaml"):
        check_used_rightly(study, folder)
    json.dumps(study.model_dump())
    return True


def table(draw):
    """A sound table of results: one line per arm, sparsity, task and seed."""
    lines = ["arm,sparsity,task,seed,dev_accuracy"]
    for arm, sparsity in (("dense", 0.0), ("pretrain", 0.3), ("pretrain", 0.6), ("random", 0.6)):
        lines += [
            f"{arm},{sparsity},{task},{k},{draw.uniform(0.5, 0.9):.4f}" for task in ("RTE", "MRPC") for k in (0, 1)
        ]
    return "\n".join(lines) + "\n"


def check_table_is_right(cells, path):
    """Compare the cells with the lines of the file, split by other means; all numbers have one scale."""
    # a lone carriage return ends a line of a table, as csv and pandas have it
    split = "\n".join(by_lines(path)).replace("\r", "\n").split("\n")
    header, *lines = [line.split(",") for line in split if line.replace(",", "").strip()]
    column = {re.sub(r"\W", "", name).lower(): place for place, name in enumerate(header)}
    wanted = set()
    for line in lines:
        values = {name: line[place].strip() for name, place in column.items() if place < len(line)}
        numbers = [values["sparsity"], values["dev_accuracy"]]
        if all(re.fullmatch(r"-?\d*\.?\d+", number) for number in numbers):
            sparsity, accuracy = map(float, numbers)
            wanted.add((values["arm"].lower(), values["task"], round(sparsity % 1, 6), round(accuracy, 6)))
    read = {
        (row.arm, row.task, round(row.target_sparsity, 6), round(row.dev_accuracy, 6)) for row in cells.itertuples()
    }
    assert len(read) <= len(lines)
    assert read <= {(arm, *rest) for arm, *rest in wanted} or "," not in "".join(by_lines(path)[0])


def table_trial(folder, number):
    """Damage a table; returns whether it was used."""
    draw = random.Random(f"table {number}")
    path, params = folder / "table.csv", folder / "replay.yaml"
    path.write_bytes(draw.choice([bytes_damaged, lines_damaged])(draw, table(draw).encode()))
    content = {"study": "replay", "extends": "published.yaml", "table": {"cells": str(path), "origin": "a table"}}
    params.write_text(yaml.safe_dump(content))
    study = load_study(params)
    try:
        preflight.check_inputs(study)
    except ParamsError as error:
        assert str(path) in str(error)
        return False
    check_table_is_right(read_table(path), path)
    return True


@pytest.mark.slow
def test_damaged_tables_are_used_rightly_or_refused_in_words(tmp_path, capsys):
    used = 0
    for number in range(MUTATIONS):
        try:
            used += table_trial(tmp_path, number)
        except Exception as error:
            error.add_note(f"damage number {number}: {(tmp_path / 'table.csv').read_bytes()!r}")
            raise
    with capsys.disabled():
        print(f"\n{MUTATIONS} damaged tables: {used} used rightly, {MUTATIONS - used} refused")
    assert 0 < used < MUTATIONS


def test_the_sound_study_is_used(sound):
    folder, params, _ = sound
    (folder / "mine.yaml").write_text(yaml.safe_dump(params))
    study = load_study(folder / "mine.yaml")
    preflight.check_inputs(study)
    check_used_rightly(study, folder)


@pytest.mark.slow
def test_damaged_inputs_are_used_rightly_or_refused_in_words(sound, capsys):
    used = 0
    for number in range(MUTATIONS):
        try:
            used += trial(sound, number)
        except Exception as error:
            error.add_note(f"damage number {number}")
            raise
    with capsys.disabled():
        print(f"\n{MUTATIONS} damaged inputs: {used} used rightly, {MUTATIONS - used} refused")
    assert 0 < used < MUTATIONS
