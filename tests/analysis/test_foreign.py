"""Tables that others wrote: read rightly in any style, or refused with the line."""

import math
import re
from decimal import Decimal
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from prune_utils.analysis import claims, comparison, evidence, regimes, results
from prune_utils.analysis.foreign import replay
from prune_utils.analysis.noise.measured import accuracy_means
from prune_utils.report import captions, plots_regimes, sentences, tables
from prune_utils.study import paths
from prune_utils.study.params import extended, validated
from prune_utils.study.section import ParamsError

MARGINS = {"accuracy_margin": 0.5, "loss_margin": 0.15}
COLUMNS = ["task", "arm", "target_sparsity", "seed", "learning_rate", "dev_accuracy"]
FOREIGN = paths.ROOT.parent / "shared" / "reference" / "foreign"


def study(path, name="foreign", **table):
    return validated({"study": name, "table": {"cells": str(path), "origin": "a table", **table}, "analysis": MARGINS})


@pytest.fixture
def read(tmp_path):
    """Write a table, as text or bytes, and read it as cells."""

    def reading(content, arms=None):
        path = tmp_path / "table.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return replay.read_table(path, arms)

    return reading


@pytest.fixture
def told(tmp_path):
    """Write a table and return the facts on it by name."""

    def telling(content, **table):
        (tmp_path / "table.csv").write_text(content)
        return {fact.what: fact for fact in replay.check(study(tmp_path / "table.csv", **table))}

    return telling


HEADER = "arm,sparsity,task,seed,dev_accuracy\n"
ROWS = [("dense", "0.0", "A", 0.84), ("pretrain", "0.5", "A", 0.8), ("pretrain", "0.9", "A", 0.7)]
ROWS += [(arm, sparsity, "B", value + 0.05) for arm, sparsity, _, value in ROWS]
SOUND = HEADER + "".join(f"{a},{s},{t},{seed},{v + seed / 100:.2f}\n" for a, s, t, v in ROWS for seed in (0, 1))
ONCE = "arm,sparsity,task,accuracy\n" + "".join(f"{a},{s},{t},{v:.2f}\n" for a, s, t, v in ROWS)


# --- styles: a sound table is the same in each

arm_names = st.sampled_from(
    ["dense", "pretrain", "random", "information_deletion", "l0", "soft movement (kd)", "µ-prune"]
)
task_names = st.sampled_from(["MNLI", "NA", "1", "nan", "SST-2", "CoLA (mcc)", "True", "été"])
MAYBE = {
    "arm": ["arm", " Method", "SETTING", "label "],
    "target_sparsity": ["sparsity", "Sparsity", "target sparsity"],
    "task": ["task", "Task ", "dataset"],
    "seed": ["seed", "Run"],
    "dev_accuracy": ["dev_accuracy", "Accuracy", "dev-accuracy", "SCORE"],
    "learning_rate": ["learning_rate", "LR", "Learning rate"],
}


@st.composite
def sound(draw):
    """Rows of a sound table: the frame that any style of writing it must give. Values have exact decimals."""
    arms = draw(st.lists(arm_names, min_size=1, max_size=4, unique=True))
    tasks = draw(st.lists(task_names, min_size=1, max_size=3, unique=True))
    seeds = draw(st.lists(st.integers(0, 10**6), min_size=1, max_size=3, unique=True))
    rates = draw(st.sampled_from([["2e-5"], ["2e-5", "5e-5", "0.0001"]]))
    cut = draw(st.lists(st.integers(2, 99), min_size=1, max_size=3, unique=True))
    rows = [
        (task, arm, sparsity, seed, rate, draw(st.integers(-150, 1000)))
        for arm in arms
        for sparsity in ([0] if arm == "dense" else cut)
        for task in tasks
        for seed in seeds
        for rate in rates
    ]
    whole = draw(st.integers(11, 1000))  # one value is more than 1 %, so that a scale can be told
    return [(*row[:5], whole if place == 0 else row[5]) for place, row in enumerate(rows)]


def expected(rows):
    """The frame, by arithmetic of its own: thousandths and whole percents as floats nearest to the decimals."""
    frame = pd.DataFrame(
        [(t, a, float(f"0.{s:02d}"), k, float(r), float(Decimal(v) / 1000)) for t, a, s, k, r, v in rows],
        columns=COLUMNS,
    )
    best = {}
    for place, row in enumerate(frame.itertuples(index=False)):
        key = (row.task, row.arm, row.target_sparsity, row.seed)
        if key not in best or (row.dev_accuracy, -row.learning_rate) > best[key][0]:
            best[key] = ((row.dev_accuracy, -row.learning_rate), place)
    return frame.assign(selected=frame.index.isin([place for _, place in best.values()]))


@st.composite
def styled(draw, rows):
    """A table as text in a random style, and whether it has spreads."""
    separator, mark = draw(st.sampled_from([(",", "."), (";", "."), (";", ","), ("\t", "."), ("\t", ","), (",", ",")]))
    scale = draw(st.sampled_from(["fraction", "sign", "sign and blank", "named", "spread"]))
    of_sparsity = draw(st.sampled_from(["fraction", "sign", "named", "plain"]))
    names = {column: draw(st.sampled_from(every)) for column, every in MAYBE.items()}
    names["dev_accuracy"] += {"named": draw(st.sampled_from(["_percent", " (%)", " [%]", " in %"]))}.get(scale, "")
    names["target_sparsity"] += " (%)" if of_sparsity == "named" else ""
    minus = draw(st.sampled_from(["-", "\u2212"]))

    def number(text):
        text = text.replace(".", mark).replace("-", minus)
        return f'"{text}"' if separator == "," == mark and "," in text else text

    def accuracy(v):
        sign, v = "-" * (v < 0), abs(v)
        if scale in ("fraction", "spread"):
            text = f"{sign}{v // 1000}.{v % 1000:03d}"
            return number(text + (" ± 0.004" if scale == "spread" else ""))
        return number(f"{sign}{v // 10}.{v % 10}" + {"sign": "%", "sign and blank": "\u202f%"}.get(scale, ""))

    def share(s):
        return number({"fraction": f"0.{s:02d}", "sign": f"{s}%"}.get(of_sparsity, str(s)))

    cells = [
        {
            "task": t,
            "arm": a,
            "target_sparsity": share(s),
            "seed": str(k),
            "learning_rate": number(r),
            "dev_accuracy": accuracy(v),
        }
        for t, a, s, k, r, v in rows
    ]
    order = draw(st.permutations(list(MAYBE)))
    blanks = draw(st.sampled_from(["", " "])) if separator == ";" else ""
    lines = [separator.join(names[c] for c in order)] + [
        separator.join(blanks + row[c] for c in order) for row in cells
    ]
    if draw(st.booleans()):
        lines.append(separator * (len(order) - 1))  # as Excel leaves them
    text = draw(st.sampled_from(["\n", "\r\n"])).join(lines) + draw(st.sampled_from(["", "\n"]))
    return draw(st.sampled_from([b"", b"\xef\xbb\xbf"])) + text.encode()


def once_read(content, tmp):
    (tmp / "styled.csv").write_bytes(content)
    return replay.read_table(tmp / "styled.csv")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("tables")


@settings(max_examples=60)
@given(data=st.data())
def test_a_sound_table_is_the_same_in_every_style(folder, data):
    rows = data.draw(sound())
    content = data.draw(styled(rows))
    pd.testing.assert_frame_equal(
        once_read(content, folder)[[*COLUMNS, "selected"]], expected(rows), check_exact=True, check_dtype=False
    )


@settings(max_examples=150)
@given(data=st.data())
def test_a_damaged_table_is_read_rightly_or_refused(folder, data):
    """One place of a sound table is damaged. What is read then are rows of the sound table, but for the value there."""
    rows = data.draw(sound())
    lines = ["task,arm,sparsity,seed,lr,accuracy"]
    lines += [f"{t},{a},{s / 100},{k},{r},{v / 1000:.3f}" for t, a, s, k, r, v in rows]
    at = data.draw(st.integers(1, len(rows)))
    kind = data.draw(st.sampled_from(["cut", "doubled", "hole", "junk", "quote", "bytes", "scale", "field", "total"]))
    fields = lines[at].split(",")
    sound_frame = expected(rows)
    whole, one = sound_frame[COLUMNS].values.tolist(), sound_frame[COLUMNS].values.tolist()[at - 1]
    lost = [row for place, row in enumerate(whole) if place != at - 1]
    match kind:
        case "cut":
            lines[at], allowed = lines[at][: data.draw(st.integers(0, len(lines[at]) - 1))], [lost]
            if lines[at].count(",") == 5 and not lines[at].endswith(
                ("-", ",")
            ):  # a number that lost digits is one still
                allowed = [lost, [*whole[: at - 1], [*one[:-1], float(lines[at].split(",")[-1])], *whole[at:]]]
        case "doubled":
            lines.insert(at, lines[at])
            allowed = []
        case "hole":
            lines[at], allowed = (
                ",".join([*fields[:-1], data.draw(st.sampled_from(["-", "–", "", "n/a", "NaN", "diverged"]))]),
                [lost],
            )
        case "junk":
            place = data.draw(st.sampled_from([2, 4, 5]))
            fields[place] = data.draw(
                st.sampled_from(["0.8.4", "1,2", "84/85", "0x1", "1_0", "inf", "abc", "84 84", "1e999", "٣"])
            )
            lines[at], allowed = ",".join(fields), []
        case "quote":
            lines[at], allowed = '"' + lines[at], []
        case "bytes":
            lines[at], allowed = lines[at] + "\udce9", []
        case "scale":
            fields[5] = "84.3"
            lines[at] = ",".join(fields)
            between = [v for place, (*_, v) in enumerate(rows) if place != at - 1 and 0 < abs(v) < 1000]
            allowed = [] if between else None  # otherwise nothing tells that the others were fractions
        case "field":
            lines[at], allowed = lines[at] + ",0.5", []
        case "total":
            lines.insert(at, f"{data.draw(st.sampled_from(['mean', 'Average', '']))},{','.join(fields[1:])}")
            allowed = []
    content = "\n".join(lines).encode("utf-8", "surrogateescape")
    try:
        found = once_read(content, folder)[COLUMNS].values.tolist()
    except ParamsError as error:
        assert str(folder) in str(error)
        if kind in ("junk", "bytes", "field", "total"):
            assert re.search(rf"line {at + 1}\b", str(error)), error
        return
    assert allowed is None or found in allowed, (kind, lines[at])


@settings(max_examples=100)
@given(st.binary(max_size=60), st.integers(0, len(SOUND)))
def test_any_bytes_are_read_or_refused(folder, junk, at):
    content = SOUND.encode()
    for damaged in (junk, content[:at] + junk + content[at:], content[:at] + junk):
        try:
            found = once_read(damaged, folder)
        except ParamsError:
            continue
        assert found.dev_accuracy.between(-1, 1).all() and found.target_sparsity.between(0, 0.999999).all()


# --- single cases


def score(written, arm="dense"):
    return f"arm,sparsity,task,score\n{arm},0,A,{written}\n"


@pytest.mark.parametrize(
    "written, value, spread",
    [
        ("84.3 ± 0.4", 0.843, 0.004),
        ("84.3±0.4%", 0.843, 0.004),
        ("84.3 % (0.4)", 0.843, 0.004),
        ("84.3 (±2)", 0.843, 0.02),
        ("0.843 +/- 0.004", 0.843, 0.004),
        ("84 (2)", 0.84, 0.02),
        ("\u22120.02", -0.02, None),
        ("1", 1.0, None),
        ("8.43e-1", 0.843, None),
    ],
)
def test_a_number_with_its_spread(read, written, value, spread):
    row = read(score(written)).iloc[0]
    assert row.dev_accuracy == value and (row["std"] == spread if spread else "std" not in row)


@pytest.mark.parametrize(
    "content, message",
    [
        (score("84."), "line 2: score is '84\\.'; it is no number"),  # cut off
        (score("84.3(4)"), "line 2: score is '84.3\\(4\\)'; its spread has two readings"),
        (score("88.9/84.8"), "line 2: score is '88.9/84.8'; it is no number"),
        (score("101"), "line 2: score is '101'; read as percents.*allowed is -1 to 1"),
        (score("0.84 ± 0.4"), "standard deviations in column 'score' are above 10 points"),
        (score("-"), "no row with an accuracy"),
        ("", "it has no header"),
        (HEADER, "has no rows"),
        ("task,0.0,0.3\nA,84,83\n", "no column arm .*no column sparsity .*no column dev_accuracy"),
        (SOUND.replace("seed", "task", 1), "line 1: columns 'task' and 'task' both mean task"),
        (ONCE.replace("accuracy\n", "accuracy,score\n").replace("0\n", "0,1\n").replace("4\n", "4,1\n").replace("5\n", "5,1\n")
         .replace("9\n", "9,1\n"), "columns 'accuracy' and 'score' both mean dev_accuracy"),
        (SOUND + SOUND.split("\n", 2)[1], "lines 2 and 14 are both dense at 0 % on A, seed 0"),
        (SOUND + "mean,,,,0.8\n", "line 14: task is ''"),
        (SOUND + "pretrain,0.5,Avg.,0,0.8\n", "line 14: task is 'Avg.'; allowed are single results"),
        (SOUND + "pretrain,0.5,GLUE,0,0.8\n", "line 14: task is 'GLUE'; allowed are single results"),
        (SOUND.replace("0.9,A,0", "1.0,A,0"), "line 6: sparsity is '1.0'.*below 1"),
        (SOUND.replace("0.9,A,0", "90,A,0"), "line 4: sparsity is '0.5'; .*line 6 has '90'"),
        (SOUND.replace("0.9,A,0", "90%,A,0"), "line 4: sparsity is '0.5'; .*line 6 has one"),
        (SOUND.replace("dense,0.0,A,0", "dense,,A,0"), "line 2: sparsity is ''"),
        (SOUND.replace("dense,0.0,A,0", "dense,0.2,A,0"), "line 2: sparsity is '0.2'; allowed is 0"),
        (SOUND.replace("A,1,", "A,,"), "line 3: seed is ''"),
        (SOUND.replace("A,1,", "a,1,", 1), "line 3: task is 'a'; allowed is one spelling, and line 2 has 'A'"),
        (SOUND.replace("A,1,", "<b>,1,", 1), "line 3: task is '<b>'; allowed are letters"),
        (SOUND.replace("pretrain,", "../up,"), "line 4: arm is '../up'; allowed are letters"),
        (SOUND.replace("0.71", "0,71"), "line 7 has 6 fields, and the header has 5"),
        (SOUND.replace("0.71", '"0,71"'), "line 7: dev_accuracy is '0,71'; allowed is one decimal mark"),
        (SOUND.replace("A", '"A\nB"', 1), "line 2: a quoted field goes on in the next line"),
        (SOUND.replace("A", "\0", 1), "line 2 has the character"),
        (SOUND.encode("utf-16"), "line 1: byte 0 is 0xff, which is not UTF-8"),
        (SOUND.replace("A", "Tâche", 1).encode("latin-1"), "line 2: byte 47 is 0xe2"),
        ("arm,sparsity,task,acc,std,n\ndense,0,A,84.3,0.004,5\n", "'std' are below 0.05 points"),
        ("arm,sparsity,task,acc,std,n\ndense,0,A,84.3,0.4,2.5\n", "line 2: n is '2.5'; allowed is a whole number"),
        ("arm,sparsity,task,acc,std,n\ndense,0,A,84.3 ± 0.4,0.4,5\n", "line 2: acc is .* column 'std' has one"),
        ("arm,sparsity,task,acc,lr\ndense,0,A,84.3,0\n", "line 2: lr is '0'; allowed is one number above 0"),
        (
            "arm,sparsity,task,acc,pretrain_loss\npretrain,0.5,A,84,2\npretrain,0.5,B,84,3\n",
            "pretrain_loss is 2 in line 2 and 3 in line 3",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_read_for_sure_is_refused_with_its_line(read, content, message):
    with pytest.raises(ParamsError, match=message):
        read(content)


def test_a_sparsity_with_a_rounding_error_is_the_same_sparsity(read, told):
    once = SOUND.replace("0.9,A,0", "0.30000000000000004,A,0").replace("0.9,", "0.3,")
    pd.testing.assert_frame_equal(read(once), read(SOUND.replace("0.9,", "0.3,")))
    float32 = SOUND.replace("0.9,A,0", "0.8999999761581421,A,0")
    pd.testing.assert_frame_equal(read(float32), read(SOUND))


def test_arms_are_ours_or_mapped_or_their_own(read, told, tmp_path):
    theirs = SOUND.replace("dense", "Full BERT").replace("pretrain,0.9", "l0 (kd),0.9").replace("pretrain", "Pretrain")
    cells = read(theirs, {"Full BERT": "dense"})
    assert set(cells.arm) == {"dense", "pretrain", "l0 (kd)"}
    facts = told(theirs, arms={"Full BERT": "dense"})
    assert facts["arms"].value == "'Full BERT' as dense, 'Pretrain' as pretrain, l0 (kd)"
    assert facts["arms of their own, in no claim"].value == "l0 (kd)" and facts["arms of their own, in no claim"].odd
    with pytest.raises(ParamsError, match=r"table.arms has 'full', which is no arm of .*; allowed are Full BERT, "):
        read(theirs, {"full": "dense"})
    with pytest.raises(ParamsError, match="table.arms.l0"):
        study(tmp_path / "table.csv", arms={"l0": "pruned"})


def test_a_table_replaces_that_of_the_study_it_extends():
    mine = extended({"extends": "published.yaml", "study": "mine", "table": {"cells": "x.csv", "origin": "me"}})
    assert validated(mine).table.movement is None and validated(mine).analysis.accuracy_margin == 0.5


def test_of_several_learning_rates_the_best_is_selected(read, told):
    sweep = "arm,sparsity,task,seed,lr,acc\n" + "".join(
        f"dense,0,A,{seed},{rate},{value}\n"
        for seed, values in ((0, (0.8, 0.9, 0.9)), (1, (0.7, "-", 0.6)))
        for rate, value in zip(("2e-5", "3e-5", "5e-5"), values, strict=True)
    )
    cells = read(sweep)
    best = cells[cells.selected]
    assert list(zip(best.seed, best.learning_rate, strict=True)) == [(0, 3e-5), (1, 2e-5)] and len(cells) == 5
    facts = told(sweep)
    assert facts["learning rates of a cell, of which the best is selected"].value == "2 to 3"
    assert facts["rows without an accuracy"].value == "1, first in line 6" and facts["rows without an accuracy"].odd


def test_seeds_that_are_texts_are_numbered(read, told):
    named = SOUND.replace("A,0,", "A,run b,").replace("B,0,", "B,run b,").replace(",1,0", ",run a,0")
    assert list(read(named).seed) == [0, 1] * 6 and told(named)["seeds by number"].value == "run b as 0, run a as 1"


def test_at_zero_every_pruned_arm_is_the_dense_model(read):
    rows = "arm,sparsity,task,acc\n{0}{1}pretrain,0.5,A,.7\nl0,0.5,A,.6\nbig,0,A,0.9\n"
    same = read(rows.format("pretrain,0,A,.8\n", "l0,0,A,.8\n"))
    assert list(same[same.arm == "dense"].dev_accuracy) == [0.8]  # one model, copied to each arm
    two = read(rows.format("pretrain,0,A,.8\n", "l0,0,A,.82\n"))
    assert list(two[two.arm == "dense"].dev_accuracy) == [0.8, 0.82] and two[two.arm == "dense"].seed.is_unique
    points = results.from_dense(results.mean_over_tasks(same))
    assert list(points[points.arm == "big"].dev_accuracy) == [0.9]  # never pruned: another model, not the dense one
    seeded = (
        "arm,sparsity,task,seed,acc\npretrain,0,A,0,.8\nrandom,0,A,0,{}\npretrain,0.5,A,0,.7\npretrain,0.5,A,1,.7\n"
    )
    assert (read(seeded.format(".8")).arm == "dense").sum() == 1
    tuned = read(rows.format("dense,0,A,.8\npretrain,0,A,.81\n", "downstream,0,A,.82\n"))
    assert list(tuned[tuned.target_sparsity == 0].arm) == ["dense", "big", "downstream"]  # the dense model trained on
    with pytest.raises(ParamsError, match="lines 2 and 3 are both dense at 0 % on A, seed 0"):
        read(seeded.format(".81"))


def test_means_are_over_the_tasks_that_give_most_of_them(read, told):
    """Of A to D, `pretrain` has A, B, C and `random` B, C, D, each at two sparsities; dense has all."""
    tasks = {"dense": "ABCD", "pretrain": "ABC", "random": "BCD"}
    every = [(arm, s, t) for arm in tasks for s in ([0] if arm == "dense" else [0.5, 0.9]) for t in tasks[arm]]
    text = "arm,sparsity,task,acc\n" + "".join(f"{a},{s},{t},0.{i + 50}\n" for i, (a, s, t) in enumerate(every))
    cells = read(text)
    assert set(results.in_means(cells).task) == {"B", "C"}
    means = results.mean_over_tasks(cells).set_index(["arm", "target_sparsity"]).dev_accuracy
    assert len(means) == 5 and means["dense", 0.0] == pytest.approx(0.515)  # B 0.51 and C 0.52
    assert told(text)["tasks of the means"].value == "B, C" and told(text)["tasks of the means"].odd
    # one hole does not cost a task
    hole = told("".join(row for row in SOUND.splitlines(keepends=True) if not row.startswith("pretrain,0.9,B")))
    assert "tasks of the means" not in hole
    assert hole["left out of the means, for lack of a task"].value == "pretrain at 90 %"
    # and the evidence of some tasks chooses again among them
    some = evidence.Evidence(cells, pd.DataFrame(), accuracy_means(cells), None, study("x.csv").analysis).over(
        ["A", "B"]
    )
    assert set(results.in_means(some.cells).task) == {"B"} or set(results.in_means(some.cells).task) == {"A", "B"}


STATED = "arm,sparsity,task,acc,std_percent,runs\n" + "".join(
    f"{a},{s},{t},{v:.2f},{std},{n}\n"
    for (a, s, t, v), std, n in zip(ROWS, (0.3, 0.4, 0.5, 0.6, 0.8, ""), (5, 5, 5, 3, 4, ""), strict=True)
)


def test_stated_deviations_give_the_intervals(read, told):
    draws = accuracy_means(read(STATED))
    assert draws.covers == ("seeds",)
    for condition, parts in {("dense", 0.0): [(0.3, 5), (0.6, 3)], ("pretrain", 0.5): [(0.4, 5), (0.8, 4)]}.items():
        each = [(std / 100) ** 2 / n / 4 for std, n in parts]  # a mean of two tasks
        freedom = sum(each) ** 2 / sum(v**2 / (n - 1) for v, (_, n) in zip(each, parts, strict=True))
        ends = stats.t.interval(0.95, freedom, draws.point[condition], math.sqrt(sum(each)))
        assert tuple(draws.ends().loc[condition]) == pytest.approx(ends)
    assert draws.ends().loc[("pretrain", 0.9)].isna().all()  # one of its tasks states none
    assert draws.difference(("pretrain", 0.5), ("dense", 0.0)).interval()
    assert draws.difference(("pretrain", 0.9), ("dense", 0.0)).interval() is None
    assert draws.mean_difference("pretrain", "pretrain", [0.5, 0.9]).interval() is None
    found = regimes.find(draws, None, study("x.csv").analysis)
    assert found.low_until == 0.0 and found.low.interval is None
    assert told(STATED)["spread"].value.endswith("none, so no interval, in 1 rows") and told(STATED)["spread"].odd


def test_a_deviation_without_a_number_of_runs_or_beside_seeds_gives_none(read, told):
    alone = re.sub(r",[0-9]*\n", "\n", STATED).replace(",runs", "")
    assert (
        accuracy_means(read(alone)).covers == () and "the number of runs is not stated" in told(alone)["spread"].value
    )
    beside = SOUND.replace("accuracy\n", "accuracy,std\n").replace("\n", ",0.01\n").replace("std,0.01", "std")
    assert "std" not in read(beside) and "seeds are repeated" in told(beside)["spread"].value
    plain = read(ONCE)
    draws = accuracy_means(plain)
    assert draws.covers == () and draws.difference(("dense", 0.0), ("pretrain", 0.5)).interval() is None


def test_seeds_that_differ_between_arms_give_a_spread_within_arms(read):
    values = {("dense", 0.0): (1, [0.80, 0.82]), ("pretrain", 0.5): (3, [0.70, 0.74])}
    text = HEADER + "".join(
        f"{arm},{s},A,{first + place},{value}\n"
        for (arm, s), (first, both) in values.items()
        for place, value in enumerate(both)
    )
    draws = accuracy_means(read(text))
    pooled = math.sqrt((0.01**2 * 2 + 0.02**2 * 2) / 2)  # squares within arms over two degrees of freedom
    assert draws.covers == ("seeds",)
    low, high = draws.ends().loc["dense", 0.0]
    assert low < 0.81 < high and pooled / 3 < (high - low) / 2 / 4.3 * math.sqrt(2) < 2 * pooled


# --- whole studies

CHEN = "method,sparsity,task,runs,score_percent,std_percent\n" + "".join(
    f"full_bert,0.0,{t},5,{v},0.5\nticket,{s},{t},5,{v - 0.3:.1f},0.2\nrandom_mask,{s},{t},,{v - 20:.1f},\n"
    for t, s, v in (("MNLI", 0.7, 82.4), ("QNLI", 0.7, 89.1), ("QQP", 0.9, 90.2), ("CoLA (mcc)", 0.5, 54.5))
)
PRASANNA = "setting,sparsity,task,seeds,score_percent,std_percent\n" + "".join(
    f"no_mask,0.0,{t},5,{v},0.19\nglobal_magnitude,{s},{t},5,{v - 7:.3f},0.325\nglobal_bad,{s},{t},5,0.0,0.0\n"
    for t, s, v in (("MNLI", 0.4867, 84.485), ("QNLI", 0.4704, 91.532), ("RTE", 0.4699, 63.249))
)
SANH = HEADER + "".join(
    f"{arm},{s},{t},0,{v}\n"
    for t in ("MNLI", "QQP")
    for arm, s, v in [("dense", 0.0, 0.845)] + [(a, s, 0.8 - s / 9) for a in ("l0", "movement") for s in (0.9, 0.97)]
)
ZAFRIR = HEADER + "".join(f"pretrain,{s},{t},0,{0.9 - s / 9:.4f}\n" for t in ("MNLI", "QQP") for s in (0.85, 0.9))
KURTIC = HEADER + "".join(
    f"pretrain,{s},{t},{seed},{0.9 - s / 9 + seed % 7 / 1000:.4f}\n"
    for t in ("MNLI", "QQP")
    for s in (0.9, 0.97)
    for seed in (42, 3407, 12345)
)
LAYOUTS = {
    "chen2020_lottery_all_rows_with_std": (CHEN, {"full_bert": "dense", "ticket": "pretrain", "random_mask": "random"}),
    "prasanna2020_all_settings_with_std": (PRASANNA, {"no_mask": "dense"}),
    "sanh2020_all_methods": (SANH, {}),
    "zafrir2021_prune_ofa_bert_base": (ZAFRIR, {}),
    "kurtic2022_obert_upstream_v2_seeds": (KURTIC, {}),
}
REAL_ARMS = {"full_bert": "dense", "imp_ticket_theta0": "pretrain", "random_mask_theta0": "random"}


def analysed(path: Path, arms: dict) -> tuple:
    """Everything that the notebooks make of a table; returns its evidence, borders and claims by name."""
    one = study(path, arms=arms)
    assert replay.check(one)
    results.collect(one)
    found = evidence.evidence_of(one)
    borders = regimes.find(found.accuracy, found.loss, one.analysis)
    verdicts = claims.claims_table(found, comparison.the_paper())
    curves = regimes.curves(found.cells, found.runs)
    said = sentences.sentences(found.cells, curves, borders, one.analysis)
    said += [captions.claims_page(verdicts, one), captions.gathered(one, found.cells, found.runs)]
    drawn = [plots_regimes.accuracy(found.cells, borders, found.accuracy), plots_regimes.by_task(found.cells)]
    compared = {"one": comparison.Compared(one, found, borders)}
    drawn.append(plots_regimes.costs(comparison.costs(compared), compared))
    frames = [tables.table_one(found.cells), comparison.borders(compared), comparison.beside(found.cells)]
    for text in [*said, *(d.alt + d.caption for d in drawn), *(frame.to_string() for frame in frames)]:
        assert not re.search(r"\bnan\b", text), text
    labels = {t.get_text() for t in drawn[1].figure.legends[0].get_texts()}
    assert len(labels) == found.cells.arm.nunique()
    return found, borders, verdicts.set_index("claim")


@pytest.fixture
def out(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "OUT", tmp_path / "out")
    return tmp_path


@pytest.mark.parametrize("name", LAYOUTS)
def test_tables_in_the_layouts_of_papers_are_analysed(out, name):
    text, arms = LAYOUTS[name]
    (out / "table.csv").write_text(text)
    found, borders, verdicts = analysed(out / "table.csv", arms)
    if name.startswith("chen"):
        assert borders.low_until == 0.7 and borders.covers == ("seeds",)
        assert set(results.in_means(found.cells).task) == {"MNLI", "QNLI"}
        assert verdicts.measured["C9"] == pytest.approx(19.7) and verdicts.verdict["C9"] == "undecided"
    else:
        assert borders.low_until is None and set(verdicts.verdict) == {"undecided"}


@pytest.mark.parametrize("name", LAYOUTS)
def test_real_tables_are_analysed(out, name):
    if not (FOREIGN / f"{name}.csv").exists():
        pytest.skip(f"{name}.csv is not beside this checkout")
    rows = pd.read_csv(FOREIGN / f"{name}.csv")
    found, borders, _ = analysed(FOREIGN / f"{name}.csv", REAL_ARMS if "chen" in name else LAYOUTS[name][1])
    assert len(found.cells) == len(rows)
    scores = rows.score_percent / 100 if "score_percent" in rows else rows.dev_accuracy
    assert sorted(found.cells.dev_accuracy) == pytest.approx(sorted(scores))
    assert (borders.low_until == 0.5) if "chen" in name else borders.low_until is None
