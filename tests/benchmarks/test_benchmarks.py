"""The benchmarks run in their tiny form and measure every part. Nothing is asserted about speed."""

import importlib
import json
import math
import re
import sys

import pandas as pd
import profiled
import pytest
import torch

from prune_utils.study import paths

PARTS = ["machine", "steps", "pruning", "select", "io", "repeat", "share", "variants", "graph"]
LINES = ["logits everywhere", "where tokens are masked", "by sorting", "by k-th value", "padded to 16", "of the batch"]
LINES += ["memory is given back", "memory is kept"]

pytestmark = pytest.mark.slow


@pytest.fixture
def printed(monkeypatch, capsys):
    """Runs a benchmark in this process, which has imported what it needs, and returns what it prints."""
    threads = torch.get_num_threads()

    def run(script, *options):
        monkeypatch.setattr(sys, "argv", [str(paths.ROOT / f"benchmarks/{script}.py"), "--tiny", *map(str, options)])
        importlib.import_module(script).main()
        return capsys.readouterr().out

    yield run
    torch.set_num_threads(threads)


def test_the_cpu_benchmark_prints_a_time_and_a_ratio_for_every_part(printed):
    lines = printed("cpu").splitlines()
    for part in LINES:
        (line,) = (line for line in lines if part in line)
        took, ratio = map(float, re.search(r"([\d.]+) ms +([\d.]+) x as fast", line).groups())
        assert took > 0 and ratio > 0
    shares = re.findall(r"([\d.]+)%", " ".join(lines))
    assert len(shares) == 3 and all(float(share) > 0 for share in shares)


def test_the_benchmark_of_inference_times_every_variant_and_compares_outputs(printed):
    said = printed("inference")
    apart = [float(found) for found in re.findall(r"differ by (\S+) of the largest", said)]
    assert len(apart) == 2 and max(apart) < 1e-4
    for variant in ("dense  ", "half of the weights masked", "and cut out  ", "dense, int8"):
        assert len(re.findall(rf"{variant} .*\d ms \(.*\d x as fast +[\d.]+ MiB", said)) == 2, variant


def test_the_benchmark_of_peers_times_every_way_in_both_stages(printed):
    said = printed("peers")
    for way in ("as the examples do it", "a careful user", "this package  "):
        assert len(re.findall(rf"{way} .*\d ms a step \(.*\d x as fast", said)) == 2, way
    assert len(re.findall(r"\d% of the matrix rate", said)) >= 3


def test_the_profile_divides_a_step_of_both_stages_into_its_parts(printed):
    said = printed("profiled")
    wholes = [float(whole) for whole in re.findall(r"without the profiler +\d+ +(\d+)", said)]
    assert len(wholes) == 2 and len(re.findall("the matrix rate of this run: ", said)) == 2
    for name in profiled.PARTS:
        assert len(re.findall(rf"  {re.escape(name)} +[\d.]+ +[\d.]+", said)) == 2, name
    assert [
        profiled.part(f"aten::{name}") for name in ("addmm", "bmm", "_log_softmax", "native_layer_norm", "view")
    ] == ["matrix products", "attention", "loss over the words", "GELU, tanh, layer norms", "the rest"]


def test_the_benchmark_of_growth_writes_a_frame_and_a_figure(printed, tmp_path):
    printed("growth", "--out", tmp_path)
    frame = pd.read_csv(tmp_path / "growth.csv")
    assert set(frame.grows) == {"width", "layers", "processes"} and (frame.ms > 0).all() and (frame.gflop > 0).all()
    assert (tmp_path / "growth.svg").stat().st_size > 1000


def test_what_was_dropped_can_be_measured_again(printed):
    said = printed("dropped")
    found = re.findall(r"1 stacked .* ([\d.]+) x as fast\n  losses differ by (\S+)", said)
    assert len(found) == 1 and float(found[0][0]) > 0 and float(found[0][1]) < 1e-5
    for less in ("50 words", "first token"):
        assert float(re.search(rf"{less} \(.* ([\d.]+) x as fast", said)[1]) > 0


def test_the_gpu_benchmark_writes_finite_numbers_for_every_part(printed, tmp_path):
    printed("gpu", "--out", tmp_path)
    rows = [json.loads(line) for line in (tmp_path / "bench.jsonl").read_text().splitlines()]
    assert not [row for row in rows if str(row.get("note", "")).startswith(("failed", "skipped"))]
    numbers = [(row["part"], value) for row in rows for value in row.values() if isinstance(value, int | float)]
    assert all(math.isfinite(value) for _, value in numbers)
    assert list(dict.fromkeys(part for part, _ in numbers)) == PARTS
    assert all(row["low"] > 0 and row["low"] <= row["ms"] <= row["high"] for row in rows if "ms" in row)


def test_a_part_that_fails_has_a_row_with_the_reason_and_the_others_run(printed, tmp_path):
    printed("gpu", "--out", tmp_path, "--parts", "no_such_part,machine")
    rows = [json.loads(line) for line in (tmp_path / "bench.jsonl").read_text().splitlines()]
    assert rows[0]["what"] == "failed" and "no_such_part" in rows[0]["note"]
    assert any("ms" in row for row in rows if row["part"] == "machine")
