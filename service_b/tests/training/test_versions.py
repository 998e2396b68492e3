import json
from pathlib import Path
from typing import Any

import pytest

from predictor.settings import SERVICE_FOLDER
from training.__main__ import main
from training.alias import read_alias

CARD = json.loads((SERVICE_FOLDER / "models" / "ames" / "1" / "card.json").read_bytes())


@pytest.fixture
def family(tmp_path: Path) -> Path:
    """Three versions of ames; only their cards."""
    family = tmp_path / "ames"
    for number in range(1, 4):
        folder = family / str(number)
        folder.mkdir(parents=True)
        parameters = CARD["training"]["parameters"] | {"trees": 100 * number}
        training = CARD["training"] | {"parameters": parameters}
        card = CARD | {"version": str(number), "training": training}
        (folder / "card.json").write_text(json.dumps(card), encoding="utf-8")
    return family


class Command:
    """Runs commands on the versions and gives what they print."""

    def __init__(self, models: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self._models, self._capsys = models, capsys

    def __call__(self, *arguments: str, status: int = 0) -> str:
        assert main([*arguments, "--models", str(self._models)]) == status
        captured = self._capsys.readouterr()
        return (captured.err if status else captured.out).strip()


@pytest.fixture
def run(family: Path, capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(family.parent, capsys)


def find_starred(listed: str) -> list[str]:
    return [line.split()[2] for line in listed.splitlines() if line.startswith("*")]


def test_highest_version_is_served_without_an_alias(run: Command) -> None:
    listed = run("list", "ames")
    assert len(listed.splitlines()) == 3
    assert find_starred(listed) == ["3"]


def test_promoted_version_is_served_and_its_history_kept(run: Command, family: Path) -> None:
    assert run("promote", "ames", "1") == "ames version 1 is served from now on"
    run("promote", "ames", "3")
    assert find_starred(run("list", "ames")) == ["3"]
    content: dict[str, Any] = json.loads((family / "alias.json").read_bytes())
    assert content["champion"] == "3"
    assert [(each["version"], each["action"]) for each in content["history"]] == [
        ("1", "promote"),
        ("3", "promote"),
    ]
    assert content["history"][0]["promoted_at"].endswith("Z")
    assert "promote version 3" in run("show", "ames")


def test_promoting_what_is_served_changes_nothing(run: Command, family: Path) -> None:
    run("promote", "ames", "2")
    assert run("promote", "ames", "2") == "ames version 2 is served already"
    alias = read_alias(family)
    assert alias is not None
    assert len(alias.history) == 1


def test_rollback_goes_back_step_by_step_and_then_has_nowhere_to_go(run: Command) -> None:
    for version in ("1", "2", "3"):
        run("promote", "ames", version)
    assert run("rollback", "ames") == "ames version 2 is served again, instead of 3"
    assert run("rollback", "ames") == "ames version 1 is served again, instead of 2"
    assert "no version that was served before" in run("rollback", "ames", status=1)
    run("promote", "ames", "3")
    assert run("rollback", "ames") == "ames version 1 is served again, instead of 3"


def test_rollback_goes_back_to_a_version_that_was_served_twice(run: Command) -> None:
    for version in ("1", "2", "1", "3"):
        run("promote", "ames", version)
    assert run("rollback", "ames") == "ames version 1 is served again, instead of 3"
    assert run("rollback", "ames") == "ames version 2 is served again, instead of 1"
    assert run("rollback", "ames") == "ames version 1 is served again, instead of 2"


def test_unknown_version_is_refused_and_those_there_are_named(run: Command, family: Path) -> None:
    assert run("promote", "ames", "7", status=1) == "error: ames has no version 7; it has 1, 2, 3"
    assert read_alias(family) is None


def test_version_whose_card_is_broken_is_not_promoted(run: Command, family: Path) -> None:
    (family / "2" / "card.json").write_text("{", encoding="utf-8")
    assert "card.json" in run("promote", "ames", "2", status=1)
    assert read_alias(family) is None


def test_broken_alias_is_a_clear_error_and_stays(run: Command, family: Path) -> None:
    (family / "alias.json").write_text('{"champion": 3}', encoding="utf-8")
    assert "alias.json is not an alias" in run("promote", "ames", "1", status=1)
    assert (family / "alias.json").read_text(encoding="utf-8") == '{"champion": 3}'


def test_nothing_is_left_beside_the_alias(run: Command, family: Path) -> None:
    run("promote", "ames", "1")
    assert sorted(each.name for each in family.iterdir()) == ["1", "2", "3", "alias.json"]


def test_comparison_names_what_differs(run: Command) -> None:
    assert "trees: 100 / 200" in run("compare", "ames", "1", "2")
    assert run("compare", "ames", "2", "2").endswith("same parameters, data, code and libraries")


def test_versions_are_compared_on_the_rows_that_both_were_measured_on(
    run: Command, family: Path
) -> None:
    card = json.loads((family / "2" / "card.json").read_bytes())
    card["metrics"]["five_fold"] = card["metrics"] | {"rows": 2930, "mape_percent": 7.61}
    for number in ("2", "3"):
        text = json.dumps(card | {"version": number})
        (family / number / "card.json").write_text(text, encoding="utf-8")
    held_out, whole = run("compare", "ames", "1", "2"), run("compare", "ames", "2", "3")
    assert "| | version 1, 586 rows | version 2, 586 rows |\n" in held_out
    assert "| MAPE, % | 6.83 | 6.83 |" in held_out
    assert "| | version 2, 2,930 rows | version 3, 2,930 rows |\n" in whole
    assert "| MAPE, % | 7.61 | 7.61 |" in whole
    assert run("list", "ames").splitlines()[0].count("MAPE 6.83% on 586 rows") == 1


def test_python_and_search_are_shown_where_the_card_names_them(run: Command, family: Path) -> None:
    named = {"python": "3.13.1", "study": "0f3a-5", "best_trial": 7}
    card = json.loads((family / "2" / "card.json").read_bytes())
    card["training"] |= named
    (family / "2" / "card.json").write_text(json.dumps(card), encoding="utf-8")
    old, new = run("show", "ames", "1").splitlines(), run("show", "ames", "2").splitlines()
    assert {"Python    not in the card", "study     not in the card"} < set(old)
    assert {"Python    3.13.1", "study     0f3a-5, best was trial 7"} < set(new)
    assert "Python: not in the card / 3.13.1" in run("compare", "ames", "1", "2")


def test_model_without_versions_is_a_clear_error(run: Command) -> None:
    assert "error: no version of california" in run("list", "california", status=1)


# Aliases beside the champion


def test_version_is_promoted_to_another_alias_and_the_champion_stays(
    run: Command, family: Path
) -> None:
    run("promote", "ames", "1")
    promoted = run("promote", "ames", "2", "--alias", "challenger")
    assert promoted == "ames version 2 is served as ames@challenger from now on"
    listed = run("list", "ames")
    assert find_starred(listed) == ["1"]
    assert [line.endswith("  challenger") for line in listed.splitlines()] == [False, True, False]
    assert run("show", "ames").endswith("promote version 2 as challenger")
    again = run("promote", "ames", "2", "--alias", "challenger")
    assert again == "ames version 2 is served as ames@challenger already"
    content: dict[str, Any] = json.loads((family / "alias.json").read_bytes())
    assert (content["champion"], content["aliases"]) == ("1", {"challenger": "2"})
    assert [each.get("alias") for each in content["history"]] == [None, "challenger"]


def test_what_is_served_without_an_alias_is_served_on_when_another_alias_is_given(
    run: Command, family: Path
) -> None:
    run("promote", "ames", "1", "--alias", "challenger")
    alias = read_alias(family)
    assert alias is not None
    assert alias.versions == {"champion": "3", "challenger": "1"}


def test_alias_is_kept_by_promotions_and_not_gone_back_to(run: Command, family: Path) -> None:
    run("promote", "ames", "1")
    run("promote", "ames", "3", "--alias", "challenger")
    run("promote", "ames", "2")
    assert run("rollback", "ames") == "ames version 1 is served again, instead of 2"
    alias = read_alias(family)
    assert alias is not None
    assert alias.aliases == {"challenger": "3"}


def test_retired_alias_is_gone_and_the_champion_cannot_be_retired(
    run: Command, family: Path
) -> None:
    run("promote", "ames", "1")
    run("promote", "ames", "3", "--alias", "challenger")
    assert run("retire", "ames", "challenger") == "ames@challenger is not served any more"
    assert '"aliases"' not in (family / "alias.json").read_text(encoding="utf-8")
    for alias in ("challenger", "champion"):
        refused = run("retire", "ames", alias, status=1)
        assert refused == f"error: ames has no alias {alias} beside the champion"


@pytest.mark.parametrize("name", ["", "a b", "../1", "a@b", "é", "x" * 33])
def test_name_that_can_be_no_alias_is_refused(
    run: Command, family: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        run("promote", "ames", "2", "--alias", name)
    assert "--alias" in capsys.readouterr().err
    assert read_alias(family) is None
