"""Alarms, on inputs drawn as the card describes them; and the command as users run it.

ALARM_RUNS=1000 draws more often.
"""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from predictor.card import ModelCard
from tests.training.exported_inputs import make_record, write_export
from tests.training.simulated_inputs import draw_inputs, shift_values
from training.__main__ import main
from training.errors import TrainingError
from training.watch import Findings, judge

RUNS = int(os.environ.get("ALARM_RUNS", "20"))
SHIFTED = ("gr_liv_area", "overall_qual", "year_built", "fireplaces", "mo_sold", "lot_frontage")


@pytest.mark.parametrize(("count", "only_required"), [(100, False), (300, True)])
def test_inputs_as_in_training_raise_an_alarm_in_fewer_than_one_run_of_twenty(
    ames_card: ModelCard, count: int, *, only_required: bool
) -> None:
    alarms = [
        findings.alarms
        for seed in range(RUNS)
        for findings in [
            judge(
                ames_card,
                draw_inputs(
                    ames_card, count, np.random.default_rng(seed), only_required=only_required
                ),
            )
        ]
        if findings.alarms
    ]
    assert len(alarms) < RUNS / 20, alarms


@pytest.mark.parametrize("name", SHIFTED)
def test_shift_of_half_a_standard_deviation_is_found_in_300_inputs(
    ames_card: ModelCard, name: str
) -> None:
    place = [each.name for each in ames_card.inputs].index(name)
    for seed in range(max(1, RUNS // 20)):
        random = np.random.default_rng(seed)
        inputs = draw_inputs(ames_card, 300, random)
        feature = ames_card.inputs[place]
        inputs.values[:, place] = shift_values(feature, inputs.values[:, place], random)
        findings = judge(ames_card, inputs)
        assert findings.drifts[0].feature.name == name
        assert [alarm.split()[0] for alarm in findings.alarms] == [name]


def test_prices_that_rise_by_a_quarter_raise_alarms_on_error_and_coverage(
    ames_card: ModelCard,
) -> None:
    inputs = draw_inputs(ames_card, 300, np.random.default_rng(1), price_factor=1.25)
    error, coverage = judge(ames_card, inputs).alarms
    assert error.startswith("MAPE is ")
    assert error.endswith("%, more than 1.2 times the promised 7.6%")
    assert "more than 3 points below the promised 90%" in coverage


def test_refused_inputs_raise_an_alarm_when_they_are_many(ames_card: ModelCard) -> None:
    inputs = draw_inputs(ames_card, 100, np.random.default_rng(1))
    inputs.refusals["neighborhood: no such category"] = 5
    assert judge(ames_card, inputs).alarms == []
    inputs.refusals["neighborhood: no such category"] = 30
    assert judge(ames_card, inputs).alarms == ["more than 5% of the inputs are refused"]


def test_difference_too_small_to_matter_is_no_alarm_however_sure_it_is(
    ames_card: ModelCard,
) -> None:
    inputs = draw_inputs(ames_card, 300, np.random.default_rng(1))
    findings = judge(ames_card, inputs)
    sure = Findings(
        ames_card,
        inputs,
        findings.drifts,
        {each.feature.name: 0.0 for each in findings.drifts},
        findings.sales,
    )
    small = [each for each in findings.drifts if each.psi < 0.05]
    assert small
    assert not any(map(sure.has_drifted, small))


def test_card_without_distributions_is_an_error(ames_card: ModelCard) -> None:
    features = [each.model_copy(update={"distribution": None}) for each in ames_card.features]
    older = ames_card.model_copy(update={"features": tuple(features)})
    inputs = draw_inputs(ames_card, 30, np.random.default_rng(1))
    with pytest.raises(TrainingError, match="the card of ames version 2 is older than `watch`"):
        judge(older, inputs)


HOUSE = {"neighborhood": "NAmes", "overallQual": 5, "yearBuilt": 1961, "grLivArea": 896}


def watch(file: Path | str, *options: str) -> int:
    return main(["watch", "ames", "--inputs", str(file), *options])


def test_watch_writes_a_report_with_the_strongest_drift_drawn_first(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sold = {"actual_price": 205_000.0, "model_version": "2"}
    records = [make_record(number, **sold) for number in range(1, 61)] + [
        make_record(100 + n, data=HOUSE | {"neighborhood": "`|<b>"}, outcome="rejected", price=None)
        for n in range(3)
    ]
    file = write_export(tmp_path / "inputs.jsonl", records)
    output = tmp_path / "report"
    output.mkdir()
    (output / "drift-former.png").write_bytes(b"")

    assert watch(file, "--output", str(output)) == 1

    printed = capsys.readouterr().out
    assert "- neighborhood has drifted: PSI " in printed
    assert printed.endswith(f"the report: {output / 'report.md'}\n")
    report = (output / "report.md").read_text(encoding="utf-8")
    assert "63 inputs, received 2026-11-02 to 2026-11-04, held against ames version 2." in report
    fields = [line for line in report.splitlines() if line.endswith("|")]
    assert any(line.startswith("| gr_liv_area | yes |") for line in fields)
    assert "| lot_area |  |  | too few | 0 | 100.0% | 0.0% |" in fields
    assert '| neighborhood | `"\'/<b>"` | 3 |' in fields
    assert any(line.startswith("| 2026-W45 | 60 | 2.44 | 11.23 |") for line in fields)
    pictures = {file.name for file in output.glob("*.png")}
    drawn = {line.split("(")[1][:-1] for line in report.splitlines() if line.startswith("![")}
    assert drawn == pictures
    assert pictures > {"prices.png", "quality.png", "drift-neighborhood.png"}
    assert "drift-former.png" not in pictures


def test_watch_prints_its_findings_as_json(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    records = [make_record(number, data=HOUSE) for number in range(1, 21)]
    file = write_export(tmp_path / "inputs.jsonl", records)
    options = ["--json", "--since", "2026-11-02T11:00:00Z", "--version", "1"]
    assert watch(file, *options, "--output", str(tmp_path)) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert (found["model"], found["inputs"], found["alarms"]) == ("ames", 10, [])
    assert len(found["fields"]) == 79
    assert found["quality"] is None
    assert found["prices"] == {"2026-W45": {"inputs": 10, "median": 200_000}}


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("", [], "the export has no input of ames"),
        ('{"number": 1', [], "inputs.jsonl: line 1: is cut off"),
        ("", ["--version", "99"], "ames has no version 99; it has 1"),
    ],
)
def test_status_is_that_of_no_verdict_when_the_question_cannot_be_answered(
    tmp_path: Path, text: str, options: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "inputs.jsonl"
    file.write_text(text, encoding="utf-8")
    assert watch(file, *options, "--output", str(tmp_path)) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ")
    assert message in line


def test_report_that_cannot_be_written_is_no_verdict(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = write_export(tmp_path / "inputs.jsonl", [make_record(1, data=HOUSE)])
    assert watch(file, "--output", str(file)) == 2
    assert capsys.readouterr().err == f"error: cannot write {file}: File exists\n"


@pytest.mark.parametrize("time", ["yesterday", "2026-13-01", "", "0001-01-01T00:00:00+09:00"])
def test_time_that_is_none_is_refused(time: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        watch("inputs.jsonl", "--since", time)
    assert "is not a time such as 2026-11-02" in capsys.readouterr().err
