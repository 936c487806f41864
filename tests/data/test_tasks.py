import subprocess
import sys
from math import inf

import pytest

from prune_utils.data import tasks
from prune_utils.data.glue import GLUE, dev_file, facts
from prune_utils.study.params import load_study
from prune_utils.study.paths import PARAMS
from prune_utils.study.section import ParamsError
from prune_utils.study.sources import LocalTask


def test_sizes_of_tasks_are_known_without_heavy_imports():
    code = "import sys, prune_utils.data.glue, prune_utils.training.sizes as sizes; "
    code += "sys.exit(any(name in sys.modules for name in ('pandas', 'torch', 'transformers', 'datasets')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_facts_of_glue_and_of_other_tasks():
    assert [task.hub_name for task in GLUE.values()] == ["mnli", "qqp", "qnli", "sst2", "cola"]
    other = facts("RTE")
    assert (other.hub_name, other.texts, other.label, other.tokens) == ("rte", ("sentence",), "label", inf)
    assert dev_file(LocalTask(source="local", name="MNLI", folder=".")) == "dev_matched.tsv"
    assert dev_file(LocalTask(source="local", name="MNLI", folder=".", dev="mine.tsv")) == "mine.tsv"
    assert dev_file(LocalTask(source="local", name="QQP", folder=".")) == "dev.tsv"


def test_samples_show_each_label_and_how_often_it_occurs():
    study = load_study(PARAMS / "smoke.yaml")
    train, dev = tasks.examples(study.tasks[0])
    shown = tasks.task_samples(study, study.tasks[0].name, 2).data
    assert shown.label.tolist() == [0, 0, 1, 1]
    for row in shown.itertuples(index=False):
        assert row[-2:] == ((train.label == row.label).sum(), (dev.label == row.label).sum())


def tsv(tmp_path, name, train, dev):
    (tmp_path / "train.tsv").write_text(train)
    (tmp_path / "dev.tsv").write_text(dev)
    return LocalTask(source="local", name=name, folder=str(tmp_path))


def test_cola_has_no_header_and_a_quotation_mark_is_text(tmp_path):
    rows = 'gj04\t1\t\tHe said "hello.\nks08\t0\t*\tNA the\'s "dog\n'
    train, dev = tasks.examples(tsv(tmp_path, "CoLA", rows, rows))
    assert train.to_dict("list") == {"first": ['He said "hello.', "NA the's \"dog"], "label": [1, 0]}


def test_mnli_reads_its_own_columns_and_matched_dev(tmp_path):
    head = "\t".join(["index", "promptID", "sentence2", "sentence1", "gold_label"]) + "\n"
    rows = head + "0\t1\tb\ta\tneutral\n1\t2\td\tc\tentailment\n"
    task = tsv(tmp_path, "MNLI", rows, "wrong")
    (tmp_path / "dev_matched.tsv").write_text(rows)
    train, dev = tasks.examples(task)
    assert train.to_dict("list") == {"first": ["a", "c"], "second": ["b", "d"], "label": [1, 0]}
    assert dev.equals(train)


def test_any_other_folder_needs_a_sentence_and_a_label(tmp_path):
    train, _ = tasks.examples(tsv(tmp_path, "mine", "label\tsentence\nyes\ta\nno\tb\n", "label\tsentence\nno\tc\n"))
    assert train.to_dict("list") == {"first": ["a", "b"], "label": [1, 0]}


def test_text_of_another_encoding_is_refused_and_a_mark_of_order_is_not(tmp_path):
    task = tsv(tmp_path, "mine", "sentence\tlabel\nété\t1\nb\t0\n", "sentence\tlabel\na\t1\n")
    train = tmp_path / "train.tsv"
    text = train.read_text(encoding="utf-8")
    train.write_text(text, encoding="utf-8-sig")
    assert list(tasks.examples(task)[0]["first"]) == ["été", "b"]
    train.write_text(text, encoding="latin-1")
    with pytest.raises(ParamsError, match="train.tsv"):
        tasks.examples(task)


@pytest.mark.parametrize(
    "train, dev, said",
    [
        ("text\tlabel\na\t1\n", "text\tlabel\na\t1\n", "has no column sentence, it has text, label"),
        (
            "sentence\tlabel\na\t1\nb\tc\t0\n",
            "sentence\tlabel\na\t1\n",
            "train.tsv is not tab-separated UTF-8 text: .*line 3",
        ),
        ("sentence\tlabel\na\t1\nb\t0\n", "sentence\tlabel\na\t2\n", r"dev.tsv has unseen labels \['2'\]"),
        (
            "sentence\tlabel\na\t1\nb\t\n",
            "sentence\tlabel\na\t1\n",
            "1 row with an empty text or label; the first is row 2",
        ),
    ],
)
def test_a_task_that_cannot_be_read_says_why(tmp_path, train, dev, said):
    with pytest.raises(ParamsError, match=said):
        tasks.examples(tsv(tmp_path, "mine", train, dev))
