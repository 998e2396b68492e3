import gc
import json
import logging
import shutil
import weakref
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from predictor.errors import ModelUnavailable, SourceUnavailable
from predictor.telemetry.log_lines import LineFormatter
from predictor.version import Folder, Version
from predictor.versions.deployment import Deployment
from predictor.versions.loading import build_loader
from predictor.versions.manifest import ModelEntry
from predictor.versions.registry import ModelRegistry
from predictor.versions.repository import ModelRepository

WriteVersion = Callable[..., Path]


class FakeSource:
    """Has the versions of a folder, unless it is down."""

    def __init__(self, location: str, folder: Path) -> None:
        self.location = location
        self.down = False
        self.finds = 0
        self.opens = 0
        self._repository = ModelRepository(str(folder / "tiny"))

    def list_aliases(self) -> list[str]:
        if self.down:
            raise SourceUnavailable(f"{self.location} is down")
        return self._repository.list_aliases()

    def find(self, alias: str | None = None) -> Version:
        self.finds += 1
        if self.down:
            raise SourceUnavailable(f"{self.location} is down")
        version = self._repository.find(alias)

        def open_counted() -> Any:
            self.opens += 1
            return version.open()

        return replace(version, open=open_counted)


@pytest.fixture
def registry() -> ModelRegistry:
    return ModelRegistry(["tiny"], "tiny")


@pytest.fixture
def first(models_folder: Path) -> FakeSource:
    return FakeSource("first", models_folder)


@pytest.fixture
def second(models_folder: Path) -> FakeSource:
    return FakeSource("second", models_folder)


@pytest.fixture
def deployment(first: FakeSource, second: FakeSource, registry: ModelRegistry) -> Deployment:
    load = build_loader(ModelEntry(name="tiny", sources=["models"]))
    return Deployment("tiny", [first, second], load, registry)


@pytest.fixture
def name(models_folder: Path) -> Callable[..., None]:
    """Write what the aliases name."""

    def write(champion: str, **aliases: str) -> None:
        content = {"champion": champion, "aliases": aliases}
        (models_folder / "tiny" / "alias.json").write_text(json.dumps(content))

    return write


def find_served(registry: ModelRegistry) -> dict[str, str]:
    return {name: model.version for name, model in registry.loaded.items()}


def list_reasons(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    return [
        (record.getMessage(), vars(record)["fields"]["reason"])
        for record in caplog.records
        if record.levelno >= logging.WARNING
    ]


def test_first_source_is_used_and_the_others_are_not_asked(
    deployment: Deployment, second: FakeSource, registry: ModelRegistry, write_version: WriteVersion
) -> None:
    write_version()
    deployment.check()
    assert (registry.default.version, deployment.source, second.finds) == ("1", "first", 0)
    assert (deployment.candidate, deployment.last_error) == (None, None)
    assert deployment.last_check is not None


def test_next_source_is_used_and_the_reason_logged_when_the_first_fails(
    deployment: Deployment,
    first: FakeSource,
    registry: ModelRegistry,
    write_version: WriteVersion,
    caplog: pytest.LogCaptureFixture,
) -> None:
    write_version()
    first.down = True
    deployment.check()
    assert (registry.default.version, deployment.source) == ("1", "second")
    assert deployment.last_error == "first is down"
    assert list_reasons(caplog) == [("source failed", "first is down")]


def test_model_is_not_available_when_no_source_works(
    deployment: Deployment, registry: ModelRegistry, caplog: pytest.LogCaptureFixture
) -> None:
    deployment.check()
    deployment.check()
    assert dict(registry.loaded) == {}
    *_, (event, reason) = list_reasons(caplog)
    assert len(list_reasons(caplog)) == 3  # once each, however often it is checked
    assert event == "model is not available"
    assert reason.count("no version is there") == 2


def test_version_serves_on_when_its_source_fails(
    deployment: Deployment,
    first: FakeSource,
    second: FakeSource,
    registry: ModelRegistry,
    write_version: WriteVersion,
) -> None:
    write_version()
    deployment.check()
    first.down = True
    deployment.check()
    assert (registry.default.version, deployment.source) == ("1", "first")
    assert (deployment.last_error, second.finds) == ("first is down", 0)


def test_preferred_source_takes_over_when_it_is_back(
    deployment: Deployment, first: FakeSource, write_version: WriteVersion
) -> None:
    write_version()
    first.down = True
    deployment.check()
    first.down = False
    deployment.check()
    assert (deployment.source, deployment.last_error) == ("first", None)


def test_version_is_loaded_once(
    deployment: Deployment, first: FakeSource, write_version: WriteVersion
) -> None:
    write_version()
    for _ in range(3):
        deployment.check()
    assert (first.finds, first.opens) == (3, 1)


def test_refused_version_is_not_tried_again_until_it_changes(
    deployment: Deployment,
    first: FakeSource,
    registry: ModelRegistry,
    write_version: WriteVersion,
    artifact: bytes,
    caplog: pytest.LogCaptureFixture,
) -> None:
    write_version("1")
    deployment.check()
    bad = write_version("2") / "model.joblib"
    bad.write_bytes(b"damaged")
    for _ in range(3):
        deployment.check()
    assert (registry.default.version, deployment.candidate, first.opens) == ("1", "2", 2)
    assert "sha256 is" in (deployment.last_error or "")
    assert len(list_reasons(caplog)) == 1
    bad.write_bytes(artifact)
    deployment.check()
    assert (registry.default.version, deployment.candidate, deployment.last_error) == (
        "2",
        None,
        None,
    )


@pytest.mark.parametrize("harm", ["empty", "no_artifact", "cut_card", "cut_artifact"])
def test_incomplete_version_is_passed_over_for_the_next_lower_one_that_is_complete(
    deployment: Deployment,
    registry: ModelRegistry,
    write_version: WriteVersion,
    models_folder: Path,
    caplog: pytest.LogCaptureFixture,
    harm: str,
) -> None:
    write_version("2")
    (models_folder / "tiny" / "3").mkdir()
    folder = write_version("4")
    if harm in ("empty", "no_artifact"):
        (folder / "model.joblib").unlink()
    if harm == "empty":
        (folder / "card.json").unlink()
    if harm.startswith("cut"):
        file = folder / ("card.json" if harm == "cut_card" else "model.joblib")
        file.write_bytes(file.read_bytes()[:100])
    for _ in range(3):
        deployment.check()
    assert (registry.default.version, deployment.candidate) == ("2", "4")
    reasons = list_reasons(caplog)  # once each, however often it is checked
    assert [event for event, _ in reasons] == ["version is passed over"] * 2
    assert [f"tiny/{number}/" in reason for number, (_, reason) in zip("43", reasons, strict=True)]
    assert deployment.public_error is not None
    assert "/" not in deployment.public_error


def test_version_may_come_by_itself_only_from_a_server_that_can_not_be_reached(
    registry: ModelRegistry, models_folder: Path, write_version: WriteVersion
) -> None:
    load = build_loader(ModelEntry(name="tiny", sources=["models"]))
    local = ModelRepository(f"file://{models_folder}/tiny")
    server = FakeSource("s3://models", models_folder)
    server.down = True
    here = Deployment("tiny", [local], load, registry)
    anywhere = Deployment("tiny", [local, server], load, registry)
    assert here.may_come

    here.check()
    anywhere.check()

    assert (here.may_come, anywhere.may_come) == (False, True)
    server.down = False
    (write_version("1") / "model.joblib").write_bytes(b"")
    anywhere.check()
    assert not anywhere.may_come


def test_no_version_older_than_the_one_that_serves_takes_its_place(
    deployment: Deployment, registry: ModelRegistry, write_version: WriteVersion
) -> None:
    write_version("1")
    served = write_version("2")
    deployment.check()
    shutil.rmtree(served)
    served.mkdir()
    deployment.check()
    assert (registry.default.version, deployment.swaps) == ("2", 1)


def test_version_that_the_alias_names_is_not_passed_over(
    deployment: Deployment,
    registry: ModelRegistry,
    write_version: WriteVersion,
    models_folder: Path,
) -> None:
    write_version("1")
    (models_folder / "tiny" / "2").mkdir()
    (models_folder / "tiny" / "alias.json").write_text('{"champion": "2"}')
    deployment.check()
    assert dict(registry.loaded) == {}


def test_password_of_a_source_is_not_logged(
    registry: ModelRegistry, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.handler.setFormatter(LineFormatter())
    source = ModelRepository("http://reader:secret@127.0.0.1:9/tiny")
    load = build_loader(ModelEntry(name="tiny", sources=["models"]))
    deployment = Deployment("tiny", [source], load, registry)
    deployment.check()
    assert "source=http://***@127.0.0.1:9/tiny" in caplog.text
    for text in (caplog.text, deployment.last_error, deployment.public_error):
        assert text is not None
        assert "secret" not in text


def test_error_that_nobody_expected_is_logged_and_the_version_serves_on(
    registry: ModelRegistry, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_: Folder | None) -> Any:
        raise ZeroDivisionError

    source = FakeSource("odd", Path())
    found = Version("1", "x", nullcontext)
    source.find = lambda _=None: found  # type: ignore[assignment, method-assign]
    deployment = Deployment("tiny", [source], fail, registry)
    deployment.check()
    assert deployment.last_error == "ZeroDivisionError()"
    assert "ZeroDivisionError" in caplog.text


# Aliases beside the champion


def test_version_of_an_alias_is_served_beside_the_champion_and_followed(
    deployment: Deployment,
    registry: ModelRegistry,
    write_version: WriteVersion,
    name: Callable[..., None],
) -> None:
    for number in ("1", "2", "3"):
        write_version(number)
    name("1", challenger="2")
    deployment.check()
    assert find_served(registry) == {"tiny": "1", "tiny@challenger": "2"}
    name("1", challenger="3", shadow="2")
    deployment.check()
    assert find_served(registry) == {"tiny": "1", "tiny@challenger": "3", "tiny@shadow": "2"}
    name("1", shadow="2")
    deployment.check()
    assert find_served(registry) == {"tiny": "1", "tiny@shadow": "2"}
    assert registry.all_names == ("tiny", "tiny@shadow")


def test_version_that_several_aliases_name_is_loaded_once(
    deployment: Deployment,
    first: FakeSource,
    registry: ModelRegistry,
    write_version: WriteVersion,
    name: Callable[..., None],
) -> None:
    write_version("1")
    write_version("2")
    name("1", challenger="2", shadow="2", stable="1")
    deployment.check()
    assert first.opens == 2
    assert registry.get("tiny@challenger") is registry.get("tiny@shadow")
    assert registry.get("tiny@stable") is registry.get("tiny")
    name("2", challenger="2")
    deployment.check()
    assert first.opens == 2
    assert find_served(registry) == {"tiny": "2", "tiny@challenger": "2"}


def test_version_is_freed_when_nothing_names_it_any_more(
    deployment: Deployment,
    registry: ModelRegistry,
    write_version: WriteVersion,
    name: Callable[..., None],
) -> None:
    write_version("1")
    write_version("2")
    name("1", challenger="2")
    deployment.check()
    challenger = weakref.ref(registry.get("tiny@challenger"))
    name("1")
    deployment.check()
    gc.collect()
    assert challenger() is None


def test_bad_version_of_an_alias_is_refused_and_the_champion_is_not_affected(
    deployment: Deployment,
    registry: ModelRegistry,
    write_version: WriteVersion,
    name: Callable[..., None],
) -> None:
    for number in ("1", "2", "3"):
        write_version(number)
    (write_version("4") / "model.joblib").write_bytes(b"damaged")
    name("1", challenger="4")
    deployment.check()
    with pytest.raises(ModelUnavailable):
        registry.get("tiny@challenger")
    challenger = deployment.aliases["challenger"]
    assert (challenger.candidate, challenger.refused) == ("4", 1)
    assert "sha256 is" in (challenger.last_error or "")
    assert (deployment.candidate, deployment.last_error) == (None, None)
    name("2", challenger="3")
    deployment.check()
    name("2", challenger="99")
    deployment.check()
    assert find_served(registry) == {"tiny": "2", "tiny@challenger": "3"}


def test_versions_of_aliases_serve_on_when_their_source_fails(
    deployment: Deployment,
    first: FakeSource,
    registry: ModelRegistry,
    write_version: WriteVersion,
    name: Callable[..., None],
) -> None:
    write_version("1")
    write_version("2")
    name("1", challenger="2")
    deployment.check()
    first.down = True
    deployment.check()
    assert find_served(registry) == {"tiny": "1", "tiny@challenger": "2"}


def test_aliases_are_those_of_the_source_that_serves_the_champion(
    first: FakeSource,
    registry: ModelRegistry,
    write_version: WriteVersion,
    name: Callable[..., None],
    models_folder: Path,
    tmp_path: Path,
) -> None:
    write_version("1")
    write_version("2")
    name("1", old="2", challenger="1")
    shutil.copytree(models_folder, tmp_path / "other")
    other = FakeSource("other", tmp_path / "other")
    name("1", challenger="2")
    load = build_loader(ModelEntry(name="tiny", sources=["models"]))
    deployment = Deployment("tiny", [first, other], load, registry)
    first.down = True
    deployment.check()
    assert find_served(registry) == {"tiny": "1", "tiny@challenger": "1", "tiny@old": "2"}
    first.down = False
    deployment.check()
    assert deployment.aliases["challenger"].source == "first"
    assert find_served(registry) == {"tiny": "1", "tiny@challenger": "2"}
