from pathlib import Path

import pytest

from predictor.app import create_app
from predictor.errors import ManifestError
from predictor.settings import SERVICE_FOLDER, Settings
from predictor.versions.manifest import read_manifest

GOOD = """
title: Prices
models:
  - name: ames
    default: true
    sources: [models/ames]
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "models.yaml"


def find_error(file: Path, text: str) -> str:
    """What is wrong with the text, without the name of the file."""
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ManifestError) as caught:
        create_app(Settings(models=file))
    return str(caught.value).removeprefix(str(file))


def test_manifest_is_read(file: Path) -> None:
    file.write_text(GOOD)
    manifest = read_manifest(file)
    (model,) = manifest.models
    assert (manifest.title, manifest.default_name, model.sources) == (
        "Prices",
        "ames",
        ["models/ames"],
    )


def test_shipped_manifest_serves_ames_by_default() -> None:
    assert read_manifest(SERVICE_FOLDER / "models.yaml").default_name == "ames"


def test_title_is_the_title_of_the_documentation(file: Path) -> None:
    file.write_text(GOOD)
    assert create_app(Settings(models=file)).title == "Prices"


def test_missing_file_is_named_with_its_setting(file: Path) -> None:
    with pytest.raises(ManifestError, match=r"models\.yaml: No such file .*PREDICTOR_MODELS"):
        read_manifest(file)


def test_file_that_is_no_text_is_refused(file: Path) -> None:
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ManifestError, match=r"is not UTF-8 \(PREDICTOR_MODELS\)"):
        read_manifest(file)


@pytest.mark.parametrize(
    ("old", "new", "error"),
    [
        (GOOD, "", ": Input should be a valid dictionary"),
        (GOOD, "- a", ": Input should be a valid dictionary"),
        (GOOD, "a: [", " line 1: expected the node content"),
        ("title: Prices", "title: 5", " line 2: title: Input should be a valid string"),
        ("title: Prices", "titel: Prices", " line 2: titel: Extra inputs are not permitted"),
        ("title: Prices", "models: []", " line 3: models: the key appears twice"),
        ("name: ames", "name: Ames", " line 4: models[0].name: String should match pattern"),
        ("  - name: ames", "  - nam: ames", " line 4: models[0].name: Field required"),
        ("default: true", "default: yes please", " line 5: models[0].default: Input should be"),
        ("default: true", "default: false", " line 3: models: exactly one model must have"),
        ("default: true", "create_endpoint: 1", " line 5: models[0].create_endpoint: Input"),
        ("sources: [models/ames]", "sources: []", " line 4: models[0]: a model needs sources"),
        ("sources: [models/ames]", "sources: [1]", " line 6: models[0].sources[0]: Input should"),
        (
            "sources:",
            "parameters: {a: 1}\n    sources:",
            " line 4: models[0]: parameters are for a class_path",
        ),
        (
            "sources:",
            "class_path: no_such_module.Model\n    sources:",
            " line 6: models[0].class_path: no_such_module.Model can't be imported: No module",
        ),
        (
            "sources:",
            "class_path: Model\n    sources:",
            " line 6: models[0].class_path: Model can't be imported",
        ),
        (
            "sources:",
            "before: predictor.card.no_such_hook\n    sources:",
            " line 6: models[0].before: predictor.card.no_such_hook can't be imported: module",
        ),
        (
            "sources:",
            "challenger: {share: 1.5}\n    sources:",
            " line 6: models[0].challenger.share: Input should be less than or equal to 1",
        ),
        (
            "sources:",
            "challenger: {share: 0}\n    sources:",
            " line 6: models[0].challenger.share: Input should be greater than 0",
        ),
        (
            "sources:",
            "challenger: {share: .nan}\n    sources:",
            " line 6: models[0].challenger.share: Input should be",
        ),
        (
            "sources:",
            "challenger: {alias: next}\n    sources:",
            " line 6: models[0].challenger.share: Field required",
        ),
        (
            "sources:",
            "challenger: {shares: 0.2, share: 1}\n    sources:",
            " line 6: models[0].challenger.shares: Extra inputs are not permitted",
        ),
        (
            "sources:",
            "challenger: {share: 1, alias: champion}\n    sources:",
            " line 6: models[0].challenger.alias: the champion is what it is compared with",
        ),
        (
            "[models/ames]",
            "[models/ames, ftps://h/x]",
            " line 6: models[0].sources[1]: ftps://h/x: begins with none of file:, https:",
        ),
    ],
)
def test_error_names_the_line_and_the_key(file: Path, old: str, new: str, error: str) -> None:
    assert old in GOOD
    assert find_error(file, GOOD.replace(old, new)).startswith(error)


def test_two_models_must_not_share_a_name_in_the_documentation(file: Path) -> None:
    second = GOOD + "  - {name: a_mes, sources: [models/other]}\n"
    assert find_error(file, second.replace("name: ames", "name: a-mes")).startswith(
        " line 3: models: two models have the same name"
    )
