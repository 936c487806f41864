"""Reports that are made from what there is: an unfinished study, and studies side by side."""

import shutil

import bs4
import pytest
import yaml
from commands import run

from prune_utils.analysis.claims import CLAIMS
from prune_utils.study import paths
from prune_utils.study.params import validated


def report_of(out, *arguments):
    done = run(out, *arguments)
    assert done.returncode == 0, done.stderr
    return (out / done.stdout.split("report: ")[1].strip()).resolve()


def rows_of(table):
    """{first cell: the others} of every row of an HTML table."""
    rows = [[cell.text.strip() for cell in row.select("th, td")] for row in table.select("tr")]
    return {first: others for first, *others in rows}


@pytest.mark.slow(30)
def test_an_unfinished_study_reports_what_it_has(finished, tmp_path):
    smoke = paths.PARAMS / "smoke.yaml"
    shutil.copytree(finished / "results", tmp_path / "results")
    for arm in ("pretrain", "random"):
        for cell in (tmp_path / "results/smoke/finetune/sentiment/seed-0" / arm).rglob("result.json"):
            cell.unlink()
    before = {path for path in (tmp_path / "results").rglob("*") if path.is_file()}
    soup = bs4.BeautifulSoup(report_of(tmp_path, "report", smoke).read_text(), "html.parser")
    assert (
        "This study is not finished. 44 of 52 fine-tuned cells" in soup.text
        and "sentiment, pretrain: 60, 90 %" in soup.text
    )
    assert soup.select("figure") and "nan" not in soup.text
    # nothing was trained for it
    assert {path for path in (tmp_path / "results").rglob("result.json")} <= before
    for left in ("finetune", "prunability", "inside"):
        shutil.rmtree(tmp_path / "results/smoke" / left)
    text = report_of(tmp_path, "report", smoke).read_text()
    assert "0 of 52 fine-tuned cells" in text and "pre-train gradual" in text
    shutil.rmtree(tmp_path / "results/smoke")
    refused = run(tmp_path, "report", smoke)
    assert refused.returncode == 2 and "nothing of study 'smoke' is finished" in refused.stderr


def test_studies_stand_side_by_side(finished, tmp_path):
    shutil.copytree(finished / "results", tmp_path / "results")
    shutil.copytree(tmp_path / "results/smoke", tmp_path / "results/other")
    params = tmp_path / "results/other/params.yaml"
    content = yaml.safe_load(params.read_text()) | {
        "study": "other",
        "analysis": {"accuracy_margin": 7.0, "loss_margin": 9.0},
    }
    validated(content)
    params.write_text(yaml.safe_dump(content))
    text = report_of(tmp_path, "compare", "smoke", "other").read_text()
    regimes, claims, parameters, *_ = map(rows_of, bs4.BeautifulSoup(text, "html.parser").select("table"))
    assert (
        regimes["smoke"][:4] == ["2", "52", "1", "2.0"]
        and regimes["other"][3] == "7.0"
        and parameters["analysis.accuracy_margin"] == ["2", "7"]
    )
    assert {key for key in parameters if "." in key} == {"analysis.accuracy_margin", "analysis.loss_margin"}
    assert len(claims) == 1 + len(CLAIMS) and claims["C9 magnitude beats random by more than the margin"][0].startswith(
        "undecided: "
    )
    alone = run(tmp_path, "compare", "smoke", "smoke")
    assert alone.returncode == 2 and "allowed are two or more" in alone.stderr
    refused = run(tmp_path, "compare", "smoke", "absent")
    assert refused.returncode == 2 and "'absent'" in refused.stderr and "other, smoke" in refused.stderr
