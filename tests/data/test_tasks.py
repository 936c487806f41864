import subprocess
import sys
from math import inf

import datasets
import numpy as np
import pytest
from datasets import ClassLabel, Dataset
from transformers import BertTokenizer

from prune_utils.data import tasks
from prune_utils.data.glue import GLUE, dev_file, facts
from prune_utils.data.prepared import encoded, outputs
from prune_utils.study import paths
from prune_utils.study.params import load_study, validated
from prune_utils.study.paths import PARAMS
from prune_utils.study.section import ParamsError
from prune_utils.study.sections.sources import EmbeddedTask, HubTask, LocalTask
from prune_utils.training.sizes import dev_size, train_size

REAL = paths.ROOT.parent / "shared" / "data" / "glue"
# header (None: no header) and one row of each task as distributed: {first}, {second} and {label} stand in their places
FILES = {
    "CoLA": (None, "gj04\t{label}\t\t{first}"),
    "SST-2": ("sentence\tlabel", "{first}\t{label}"),
    "MRPC": ("\ufeffQuality\t#1 ID\t#2 ID\t#1 String\t#2 String", "{label}\t7\t8\t{first}\t{second}"),
    "STS-B": (
        "index\tgenre\tfilename\tyear\told_index\tsource1\tsource2\tsentence1\tsentence2\tscore",
        "0\tmain-news\tMSRvid\t2012test\t1\tnone\tnone\t{first}\t{second}\t{label}",
    ),
    "QQP": ("id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate", "1\t2\t3\t{first}\t{second}\t{label}"),
    "MNLI": (
        "index\tpromptID\tpairID\tgenre\tsentence1_binary_parse\tsentence2_binary_parse\tsentence1_parse\t"
        "sentence2_parse\tsentence1\tsentence2\tlabel1\tgold_label",
        "0\t1\t2\tfiction\t(a)\t(b)\t(A)\t(B)\t{first}\t{second}\t{label}\t{label}",
    ),
    "QNLI": ("index\tquestion\tsentence\tlabel", "0\t{first}\t{second}\t{label}"),
    "RTE": ("index\tsentence1\tsentence2\tlabel", "0\t{first}\t{second}\t{label}"),
    "WNLI": ("index\tsentence1\tsentence2\tlabel", "0\t{first}\t{second}\t{label}"),
}
WORDS = {"MNLI": ["neutral", "entailment", "contradiction"], "STS-B": ["5.000", "3.8", "0"]}
WORDS |= dict.fromkeys(("RTE", "QNLI"), ["not_entailment", "entailment"])
HUB = {
    "cola": ("sentence",),
    "sst2": ("sentence",),
    "mrpc": ("sentence1", "sentence2"),
    "stsb": ("sentence1", "sentence2"),
    "qqp": ("question1", "question2"),
    "mnli": ("premise", "hypothesis"),
    "qnli": ("question", "sentence"),
    "rte": ("sentence1", "sentence2"),
    "wnli": ("sentence1", "sentence2"),
}


def local(folder, name="mine", train=None, dev=None, **keys):
    for part, text in (("train", train), ("dev", dev)):
        if text is not None:
            (folder / f"{part}.tsv").write_text(text, encoding="utf-8", newline="")
    return LocalTask(source="local", name=name, folder=str(folder), **keys)


def labelled(*labels, header="sentence\tlabel\n"):
    return header + "".join(f"text {i}\t{label}\n" for i, label in enumerate(labels))


def told(task, *args):
    return {fact.what: (fact.value, fact.odd) for fact in tasks.check(task, *args)}


def test_sizes_of_tasks_are_known_without_heavy_imports():
    code = "import sys, prune_utils.data.glue, prune_utils.training.sizes as sizes; "
    code += "sys.exit(any(name in sys.modules for name in ('pandas', 'torch', 'transformers', 'datasets')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_facts_of_glue_and_of_other_tasks():
    assert {task.hub_name: task.hub_texts for task in GLUE.values()} == HUB and set(GLUE) == set(FILES)
    assert {(task.hub_name, task.train, task.dev) for task in GLUE.values()} >= {
        ("stsb", 5_749, 1_500),
        ("mrpc", 3_668, 408),
        ("rte", 2_490, 277),
        ("wnli", 635, 71),
    }
    for name, alike in (("CoLA", "cola"), ("SST-2", "sst2"), ("SST-2", "Sst_2"), ("STS-B", "stsb"), ("QQP", "qqp")):
        assert facts(alike) is GLUE[name]
    other = facts("SciTail")
    assert (other.hub_name, other.texts, other.label, other.tokens) == ("scitail", (), "label", inf)
    assert dev_file(LocalTask(source="local", name="MNLI", folder=".")) == "dev_matched.tsv"
    assert dev_file(LocalTask(source="local", name="MNLI", folder=".", dev="mine.tsv")) == "mine.tsv"
    assert dev_file(LocalTask(source="local", name="QQP", folder=".")) == "dev.tsv"


def test_samples_show_each_label_and_how_often_it_occurs(tmp_path):
    study = load_study(PARAMS / "smoke.yaml")
    train, dev = tasks.examples(study.tasks[0])
    shown = tasks.task_samples(study, study.tasks[0].name, 2).data
    assert shown.label.tolist() == [0, 0, 1, 1]
    for row in shown.itertuples(index=False):
        assert row[-2:] == ((train.label == row.label).sum(), (dev.label == row.label).sum())
    task = local(tmp_path, train=labelled(3, 1, 2, 0.5), dev=labelled(1, 2), kind="regression")
    shown = tasks.task_samples(study.model_copy(update={"tasks": [task]}), "mine", 1).data
    assert shown.label.tolist() == [1, 3]


@pytest.mark.parametrize("name", FILES)
def test_glue_is_read_as_distributed(tmp_path, name):
    header, row = FILES[name]
    labels = WORDS.get(name, ["1", "0"])
    texts = [(f'He said "hello {i}.', f"NA the's {i} \"dog") for i in range(len(labels))]
    lines = [row.format(first=a, second=b, label=x) for (a, b), x in zip(texts, labels, strict=True)]
    text = "\n".join([header, *lines] if header else lines) + "\n"
    task = local(tmp_path, name.lower().replace("-", ""), train=text, dev=text)
    assert task.name != name
    (tmp_path / facts(name).dev_file).write_text(text, encoding="utf-8")
    train, dev = tasks.examples(task)
    pair = len(HUB[facts(name).hub_name]) == 2
    expected = {"first": [a for a, _ in texts]} | ({"second": [b for _, b in texts]} if pair else {})
    numbers = [float(x) if name == "STS-B" else sorted(labels).index(x) for x in labels]
    assert train.drop(columns="label").to_dict("list") == expected and dev.equals(train)
    assert train.label.tolist() == pytest.approx(numbers, rel=1e-6)
    assert train.label.dtype == (np.float32 if name == "STS-B" else np.int64)
    assert train_size(task) == dev_size(task) == len(labels)


def test_rows_of_qqp_that_are_no_pairs_are_left_out_and_told(tmp_path):
    header, row = FILES["QQP"]
    good = [row.format(first=f"a {i}?", second=f"b {i}?", label=i % 2) for i in range(6)]
    bad = ["1\t2\t3\ta?\t\t0", '"\twas it?\t0', "1\t2\t3\twas it a", ""]
    task = local(tmp_path, "QQP", "\n".join([header, *good[:3], *bad, *good[3:]]) + "\n", "\n".join([header, *good]))
    train, dev = tasks.examples(task)
    assert train.equals(dev) and list(train["first"]) == [f"a {i}?" for i in range(6)] and train_size(task) == 6
    assert told(task)["rows left out, with missing fields or texts"] == ("4 of 16 (25.0 %)", True)
    with pytest.raises(ParamsError, match="task QQP: .*line 2 has 7 fields; the header has 6, and so have most rows"):
        tasks.examples(local(tmp_path, "QQP", header + "\n" + "".join(f"{line}\t\n" for line in good)))


@pytest.mark.parametrize("name", ["CoLA", "SST-2", "RTE", "MRPC"])
def test_real_files_are_read_whole(name):
    if not (REAL / name).is_dir():
        pytest.skip(f"no GLUE files in {REAL}")
    task = LocalTask(source="local", name=name, folder=str(REAL / name))
    header = facts(name).width is None
    for part, frame, size in zip(("train", "dev"), tasks.examples(task), (train_size, dev_size), strict=True):
        lines = (REAL / name / f"{part}.tsv").read_text(encoding="utf-8").removesuffix("\n").split("\n")
        fields = [line.split("\t") for line in lines]
        places = facts(name).texts if not header else [fields[0].index(column) for column in facts(name).texts]
        for place, column in zip(places, ("first", "second"), strict=False):
            assert list(frame[column]) == [row[place] for row in fields[header:]]
        assert size(task) == len(frame) == len(lines) - header
    assert told(task)["classes"] and "rows left out, with missing fields or texts" not in told(task)


def test_own_columns_and_labels(tmp_path):
    text = "id\tAnswer\tbody\n0\tpos\ta\n1\tneg\tb\n2\tPOS\tc\n"
    task = local(
        tmp_path,
        "cola",
        text,
        text,
        texts=["body"],
        label="Answer",
        labels={"pos": "good", "POS": "good", "neg": "bad"},
    )
    train, dev = tasks.examples(task)
    assert train.to_dict("list") == {"first": ["a", "b", "c"], "label": [0, 1, 0]} and dev.equals(train)
    assert told(task)["classes"] == ("good: 66.7 %, bad: 33.3 %", True)
    listed = local(tmp_path, "mine", texts=["body", "id"], label="Answer", labels=["POS", "neg", "pos", "other"])
    train, _ = tasks.examples(listed)
    assert list(train.columns) == ["first", "second", "label"] and train.label.tolist() == [2, 1, 0]
    assert told(listed)["allowed labels without training examples"] == ("other", True)
    with pytest.raises(ParamsError, match="line 4 has the label 'POS', allowed are pos, neg"):
        tasks.examples(local(tmp_path, "mine", texts=["body"], label="Answer", labels=["pos", "neg"]))
    # the columns by name: one text or two
    pair = "label\tsentence2\tsentence1\nyes\tb\ta\nno\td\tc\n"
    train, _ = tasks.examples(local(tmp_path, "pair", pair, pair))
    assert train.to_dict("list") == {"first": ["a", "c"], "second": ["b", "d"], "label": [1, 0]}


@pytest.mark.parametrize(
    "keys, said",
    [
        ({"labels": [0, 1]}, None),
        ({"labels": {0: "no", "1": "yes"}, "texts": ["a", "b"], "label": "c"}, None),
        ({"kind": "regression", "label": "score"}, None),
        ({"labels": [True, False]}, "tasks.0.labels: labels hold True"),
        ({"labels": ["a"]}, "at least two"),
        ({"labels": ["1", 1]}, "each may occur once"),
        ({"labels": "a, b"}, "allowed is a list"),
        ({"labels": [["a"], "b"]}, "labels hold"),
        ({"kind": "regression", "labels": ["a", "b"]}, "allowed are labels of a classification"),
        ({"texts": ["a", "a"]}, "different names"),
        ({"texts": ["label"], "label": "label"}, "different names"),
        ({"texts": []}, "tasks.0.texts"),
        ({"texts": ["a", "b", "c"]}, "tasks.0.texts"),
        ({"kind": "ranking"}, "tasks.0.kind is 'ranking'"),
    ],
)
def test_keys_of_a_local_task(keys, said):
    smoke = load_study(PARAMS / "smoke.yaml").model_dump()
    smoke["tasks"] = [{"source": "local", "name": "mine", "folder": "f", **keys}]
    if said is None:
        again = validated(validated(smoke).model_dump())
        assert again == validated(smoke)
        assert again.tasks[0].labels in (None, ["0", "1"], {"0": "no", "1": "yes"})
    else:
        with pytest.raises(ParamsError, match=said):
            validated(smoke)


@pytest.mark.parametrize(
    "train, dev, said",
    [
        ("text\tlabel\na\t1\n", "", "has no column sentence, it has text, label"),
        ("a cat\t1\na dog\t0\n", "", "has no column sentence and no label, it has a cat, 1"),
        (labelled(1, 0), labelled(1, 2), "dev.tsv, line 3 has the label '2', which no row of .*train.tsv has"),
        (labelled(1, 0), labelled(1, "1.0"), "line 3 has the label '1.0', and another row '1'"),
        (labelled(1, 0, "1.0"), labelled(1, 0), "train.tsv, line 4 has the label '1.0', and another row '1'"),
        (labelled("Yes", "no", "yes"), labelled("no", "no"), "line 4 has the label 'yes', and another row 'Yes'"),
        (labelled(1, 0), labelled(1, -1), "dev.tsv, line 3 has the label '-1', which stands for no label"),
        (labelled(1, "?"), labelled(1, 1), r"train.tsv, line 3 has the label '\?', which stands for no label"),
        (labelled(1, "NaN"), labelled(1, 1), "train.tsv, line 3 has the label 'NaN', which stands for no label"),
        (labelled(1, 0), labelled("0 ", 1), "dev.tsv, line 2 has the label '0 ', with blanks"),
        (labelled('"1"', '"0"'), labelled('"1"', '"0"'), "with blanks or quotation marks around it"),
        (labelled(0.5, 1.25, 3), labelled(3, 0.5), "the label '0.5', a fraction; `kind: regression` predicts numbers"),
        (labelled(1, 1), labelled(1, 1), "train.tsv has one class, '1'"),
        (labelled(), labelled(1, 0), "train.tsv has no row"),
        (labelled(1, 0), labelled(), "dev.tsv has no row"),
        (labelled(1, 0), labelled(1), "dev.tsv has one row; a dev set needs two"),
        (labelled(1, ""), labelled(1, 0), "train.tsv, line 3 has an empty text or label"),
    ],
)
def test_a_task_that_cannot_be_right_says_why(tmp_path, train, dev, said):
    task = local(tmp_path, "mine", train, dev)
    for read in (tasks.check, tasks.examples):
        with pytest.raises(ParamsError, match=f"task mine: .*{said}") as error:
            read(task)
        assert "\n" not in str(error.value) and len(str(error.value)) < 700


def test_texts_of_another_script_than_the_vocabulary_are_refused(tmp_path, words):
    rows = "sentence\tlabel\n河桥\t1\n信花\t0\n"
    with pytest.raises(ParamsError, match=r"task mine: 100.0 % of the tokens are \[UNK\]"):
        tasks.check(local(tmp_path, "mine", rows, rows), words, 16)


def test_unknown_tokens_are_counted_in_the_text_as_it_is(tmp_path):
    """With a cased vocabulary, capitals count."""
    (tmp_path / "vocab.txt").write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "GOOD", "BAD"]))
    cased = BertTokenizer(str(tmp_path / "vocab.txt"), do_lower_case=False)
    rows = "sentence\tlabel\nGOOD\t1\nBAD\t0\n"
    facts = {fact.what: fact.value for fact in tasks.check(local(tmp_path, "mine", rows, rows), cased, 16)}
    assert {value for what, value in facts.items() if what.endswith("unknown tokens")} == {"0 of 4 (0.0 %)"}


def test_a_missing_file_and_a_header_in_cola_are_refused(tmp_path):
    with pytest.raises(ParamsError, match="task mine: file .*train.tsv cannot be read: No such file"):
        tasks.check(local(tmp_path))
    for train, fault in (
        ("", "cannot be read: Is a directory"),
        ("x" * 300, "cannot be read"),
        ("\0", "cannot be read"),
    ):
        with pytest.raises(ParamsError, match=f"task mine: .*{fault}"):
            train_size(local(tmp_path).model_copy(update={"train": train}))
    text = "source\tlabel\tmark\tsentence\nx\t1\t\ta\ny\t0\t\tb\n"
    with pytest.raises(ParamsError, match="line 1 has the label 'label', allowed are 0, 1"):
        tasks.check(local(tmp_path, "CoLA", text, text))


@pytest.mark.parametrize("score", ["", "nan", "inf", "3,5", "1e999", "1e39", "1_0", "five", " 1", "0x1"])
def test_scores_are_finite_numbers(tmp_path, score):
    task = local(tmp_path, "mine", labelled(0.5, -1, 2), labelled(1.5, score, 2), kind="regression")
    with pytest.raises(ParamsError, match="dev.tsv, line 3 has"):
        tasks.check(task)
    with pytest.raises(ParamsError, match="dev.tsv has the label '2' in all rows"):
        tasks.check(local(tmp_path, "mine", dev=labelled(2, 2), kind="regression"))
    assert told(local(tmp_path, "mine", dev=labelled("1e-3", ".5"), kind="regression"))["scores"][0].startswith(
        "-1 to 2"
    )


def test_facts_of_a_task(tmp_path, words):
    vocabulary = [word for word in words.get_vocab() if word.isalpha()]
    texts = [" ".join(vocabulary[i : i + 3]) for i in range(200)]
    rows = [f"{text}\t{i % 2}" for i, text in enumerate(texts)]
    long = " ".join(vocabulary[:40])
    train = "\n".join(["sentence\tlabel", *rows[:100], *([f"{long} {i}\t0" for i in range(11)])])
    task = local(tmp_path, "mine", train, "\n".join(["sentence\tlabel", *rows[98:]]))
    assert told(task, words, 32) == {
        "examples": ("111 train, 102 dev", False),
        "classes": ("0: 55.0 %, 1: 45.0 %", False),
        "dev examples that are training examples too": ("2 of 102 (2.0 %)", True),
        "examples cut at 32 tokens": ("11 of 213 (5.2 %)", True),
        "unknown tokens": ("11 of 1,057 (1.0 %)", False),
    }
    assert all(fact.about == "tasks.mine" for fact in tasks.check(task))
    copies = "\n".join(["sentence\tlabel", *rows[:50], f"  {texts[0].upper()}\t1", f"{texts[2]}\t0"])
    both = told(local(tmp_path, "mine", copies, "\n".join(["sentence\tlabel", *rows[100:150]])))
    assert both["texts that have more than one label"] == ("1 of 102 (1.0 %)", False)
    many = local(tmp_path, "mine", labelled(*(f"c{i}" for i in range(300))), labelled("c1", "c2"))
    assert told(many)["classes"] == ("300 classes of 1 to 1 training examples", True)
    assert told(many)["classes without dev examples"][0].endswith("and 286 more")
    embedded = EmbeddedTask(source="embedded", name="entailment", train=96, dev=32)
    assert told(embedded)["examples"] == ("96 train, 32 dev", True)


def test_a_task_may_use_a_part_of_its_training_examples(tmp_path):
    rows = "".join(f"sentence {i}\t{i % 2}\n" for i in range(40))
    for part in ("train", "dev"):
        (tmp_path / f"{part}.tsv").write_text(f"sentence\tlabel\n{rows}")
    of = {"source": "local", "name": "mine", "folder": str(tmp_path)}
    whole, part = LocalTask(**of), LocalTask(**of, train_examples=30)
    every, drawn = (tasks.examples(task) for task in (whole, part))
    assert len(drawn[0]) == train_size(part) == 30 and drawn[1].equals(every[1])
    assert set(map(tuple, drawn[0].to_numpy())) < set(map(tuple, every[0].to_numpy()))
    assert drawn[0].equals(tasks.examples(part)[0])
    assert ("training examples drawn at random", "30 of 40 (75.0 %)") in [(f.what, f.value) for f in tasks.check(part)]
    for wanted, said in [(41, "allowed are at most the 40 training examples"), (1, "which leaves a class without any")]:
        with pytest.raises(ParamsError, match=f"task mine: train_examples is {wanted}[;,] {said}"):
            tasks.check(LocalTask(**of, train_examples=wanted))


def test_scores_are_encoded_as_float32_and_classes_as_int64(tmp_path, words):
    regression = local(tmp_path, "mine", labelled(0.5, 1, 2), labelled(1.5, 2), kind="regression")
    data = encoded(tasks.examples(regression)[0], words, 16)
    assert data.features["labels"].dtype == "float32" and data["labels"][:] == [0.5, 1, 2] and outputs(data) == 1
    classes = encoded(tasks.examples(local(tmp_path, "mine", labelled(5, 7, 6), labelled(5, 6)))[0], words, 16)
    assert classes.features["labels"].dtype == "int64" and classes["labels"][:] == [0, 2, 1] and outputs(classes) == 3


def on_the_hub(monkeypatch, columns, train, dev, label=None, split="validation"):
    def rows(labels):
        data = Dataset.from_dict({c: [f"{c} {i}" for i in range(len(labels))] for c in columns} | {"label": labels})
        return data.cast_column("label", label) if label else data

    asked = []
    splits = {"train": rows(train), split: rows(dev)}
    monkeypatch.setattr(tasks.hub, "splits", lambda *args: asked.append(args) or splits)
    tasks._hub_tables.cache_clear()
    return splits, asked


@pytest.mark.parametrize("name", FILES)
def test_glue_is_read_from_the_hub(monkeypatch, name):
    columns, scores = HUB[facts(name).hub_name], name == "STS-B"
    split = "validation_matched" if name == "MNLI" else "validation"
    train, label = ([3.75, 0.5], None) if scores else ([1, 0, 1], ClassLabel(names=["zero", "a one"]))
    _, asked = on_the_hub(monkeypatch, columns, train, [0.5, 1] if scores else [0, 1], label, split)
    frame, dev = tasks.examples(HubTask(source="hub", name=name))
    assert asked == [(f"tasks.{name}", "nyu-mll/glue", facts(name).hub_name, None, *tasks.SPLITS)]
    assert frame.label.tolist() == train and len(dev) == 2
    for column, given in zip(("first", "second"), columns, strict=False):
        assert list(frame[column]) == [f"{given} {i}" for i in range(len(train))]
    known = told(HubTask(source="hub", name=name))
    assert known["scores"] if scores else known["classes"][0] == "zero: 33.3 %, a one: 66.7 %"


def test_a_data_set_of_the_hub_that_cannot_be_right_is_refused(monkeypatch):
    task, names = HubTask(source="hub", name="RTE"), ClassLabel(names=["yes", "no"])
    on_the_hub(monkeypatch, HUB["rte"], [0, 1], [0, 1, -1], names)
    with pytest.raises(ParamsError, match="split validation, row 2 has the label '-1', allowed are yes, no"):
        tasks.check(task)
    on_the_hub(monkeypatch, HUB["rte"], [10, 9, 9], [0, -1])
    with pytest.raises(ParamsError, match="split validation, row 0 has the label '0', allowed are 9, 10"):
        tasks.check(task)
    on_the_hub(monkeypatch, ("text",), [0, 1], [0, 1])
    with pytest.raises(ParamsError, match="task RTE: data set .* split train has no column sentence1 and no sentence2"):
        tasks.check(task)
    on_the_hub(monkeypatch, HUB["rte"], [0, None], [0, 1])
    with pytest.raises(
        ParamsError, match="split train, row 1 has sentence1 1, sentence2 1, None; allowed are texts and one label"
    ):
        tasks.check(task)


def test_rows_of_the_hub_without_text_are_left_out_and_told(monkeypatch):
    splits, _ = on_the_hub(monkeypatch, HUB["qqp"], [0, 1, 1], [0, 1])
    empty = Dataset.from_dict({"question1": ["a", None], "question2": ["\u200b ", "b"], "label": [0, 1]})
    splits["train"] = datasets.concatenate_datasets([splits["train"], empty])
    task = HubTask(source="hub", name="QQP")
    assert tasks.examples(task)[0].label.tolist() == [0, 1, 1]
    assert told(task)["rows left out, with missing fields or texts"] == ("2 of 7 (28.6 %)", True)


@pytest.mark.parametrize("pairs", ["train", "dev"])
def test_single_texts_beside_pairs_are_refused(tmp_path, pairs):
    for split in ("train", "dev"):
        head, row = (
            ("sentence1\tsentence2\tlabel", "a b\tc d\t{}") if split == pairs else ("sentence\tlabel", "a b\t{}")
        )
        (tmp_path / f"{split}.tsv").write_text("\n".join([head, *(row.format(n % 2) for n in range(8))]) + "\n")
    with pytest.raises(
        ParamsError, match=r"dev.tsv: a row has [12] texts?, and in .*train.tsv it has [12]; allowed is as many"
    ):
        tasks.examples(LocalTask(source="local", name="t", folder=str(tmp_path)))
