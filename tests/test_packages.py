"""The services as packages: their wheels are built, and their commands started from them."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from zipfile import ZipFile

import pytest
import requests

from tests.running_lab import ROOT, WAIT_SECONDS, Service
from tests.running_script import HOUSE

PACKAGES = {"service_a": "gateway", "service_b": "predictor"}
# Then they are installed with all that they need, which is downloaded.
IN_CI = bool(os.environ.get("CI"))
BUILD = "import sys; from setuptools import build_meta; build_meta.build_wheel(sys.argv[1])"


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The folder of each service, copied, because building leaves files in it."""
    folder, ignore = tmp_path_factory.mktemp("sources"), shutil.ignore_patterns
    return [
        shutil.copytree(ROOT / service, folder / service, ignore=ignore(".*", "tests", "data"))
        for service in PACKAGES
    ]


@pytest.fixture(scope="module")
def wheels(sources: list[Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The wheel of each service, built by the tools that are installed: nothing is downloaded."""
    folder = tmp_path_factory.mktemp("wheels")
    building = []
    for source in sources:
        command = [sys.executable, "-c", BUILD, str(folder)]
        building.append(subprocess.Popen(command, cwd=source, stdout=subprocess.DEVNULL))
    assert [each.wait() for each in building] == [0, 0]
    return {service: next(folder.glob(f"{package}-*.whl")) for service, package in PACKAGES.items()}


@pytest.fixture(scope="module")
def programs(
    sources: list[Path], wheels: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The folder of both commands in a fresh venv.

    In CI it gets the packages that they need, as a user's does; elsewhere it borrows them.
    """
    venv = tmp_path_factory.mktemp("fresh") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", venv], check=True)
    if IN_CI:
        run_pip(venv, "install", "--quiet", *sources)
        run_pip(venv, "check")
        return venv / "bin"
    run_pip(venv, "install", "--quiet", "--no-deps", "--no-index", *wheels.values())
    site = next(venv.glob("lib/*/site-packages"))
    borrowed = [next((ROOT / each).glob(".venv/lib/*/site-packages")) for each in PACKAGES]
    (site / "borrowed.pth").write_text("".join(f"{path}\n" for path in borrowed))
    return venv / "bin"


def run_pip(venv: Path, verb: str, *arguments: str | Path) -> None:
    """Run pip, or uv, which makes venvs without pip, on a venv that has neither."""
    command = ["uv", "pip"] if shutil.which("uv") else [sys.executable, "-m", "pip"]
    options: list[str | Path] = ["--python", venv / "bin/python"]
    order = [verb, *options] if command[0] == "uv" else [*options, verb]
    subprocess.run([*command, *order, *arguments], check=True, timeout=600)


@pytest.fixture
def services(programs: Path, tmp_path: Path) -> Iterator[dict[str, Service]]:
    """Each command as a service, to be started in one folder that is nobody's source."""
    services = {
        service: Service(str(tmp_path), tmp_path / f"{package}.log", {})
        for service, package in PACKAGES.items()
    }
    for service, package in PACKAGES.items():
        services[service].command = [programs / package]
    yield services
    for each in services.values():
        if each.runs:
            each.kill()


@pytest.mark.parametrize("service", PACKAGES)
def test_wheel_holds_every_file_of_the_package_and_nothing_else(
    wheels: dict[str, Path], service: str
) -> None:
    package = PACKAGES[service]
    files = (path for path in (ROOT / service / package).rglob("*") if path.is_file())
    in_source = {
        path.relative_to(ROOT / service).as_posix()
        for path in files
        if "__pycache__" not in path.parts
    }

    with ZipFile(wheels[service]) as wheel:
        names = {name for name in wheel.namelist() if ".dist-info/" not in name}

    assert names == in_source


def test_commands_bring_a_price_from_the_folder_in_which_they_are_started(
    services: dict[str, Service], wheels: dict[str, Path], tmp_path: Path
) -> None:
    gateway, predictor = services["service_a"], services["service_b"]
    (tmp_path / "models.yaml").write_text(
        f"models: [{{name: ames, default: true, sources: [{ROOT}/service_b/models/ames]}}]"
    )
    predictor.command += ["--models", "models.yaml"]
    (tmp_path / ".env").write_text(f"SERVICE_B_URL={predictor.url}/predict\nROOT_PATH=/lab\n")
    for service in (predictor, gateway):
        service.environment = {"LAB_ENV_FILE": ""}
        service.start()

    answer = requests.post(f"{gateway.url}/process", json={"data": HOUSE}, timeout=WAIT_SECONDS)

    assert answer.json()["model_prediction"]["prediction"]["price"] > 10_000
    assert (tmp_path / "data/inputs.db").is_file()
    for name, service in services.items():
        document = requests.get(f"{service.url}/openapi.json", timeout=WAIT_SECONDS).json()
        assert document["servers"] == [{"url": "/lab"}]  # from .env
        assert document["info"]["version"] == read_version(wheels[name])
    assert [service.stop() for service in (gateway, predictor)] == [0, 0]


@pytest.mark.parametrize("service", PACKAGES)
def test_image_has_the_version_of_the_package(wheels: dict[str, Path], service: str) -> None:
    labels = re.findall(
        r'^LABEL org\.opencontainers\.image\.version="(.*)"$',
        (ROOT / service / "Dockerfile").read_text(encoding="utf-8"),
        re.MULTILINE,
    )

    assert labels == [read_version(wheels[service])]


@pytest.mark.skipif(not IN_CI, reason="starts each command twice: runs only in CI")
@pytest.mark.parametrize(
    ("package", "options", "path"),
    [
        ("gateway", [], "/process"),
        ("predictor", ["--models", ROOT / "service_b/models.yaml"], "/models/ames/predict"),
    ],
)
def test_command_shows_its_help_and_writes_its_document_from_any_folder(
    programs: Path, tmp_path: Path, package: str, options: list[str | Path], path: str
) -> None:
    def run(*arguments: str | Path) -> str:
        command = [programs / package, *arguments]
        environment = {"LAB_ENV_FILE": os.devnull}
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
        )
        return done.stdout

    assert run("--help").startswith(f"usage: {package} [-h]")

    run("openapi", "--output", "openapi.json", *options)

    assert path in json.loads((tmp_path / "openapi.json").read_bytes())["paths"]


def read_version(wheel: Path) -> str:
    return wheel.name.split("-")[1]
