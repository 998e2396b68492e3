"""The files for several machines: what can be seen without an engine or a cluster."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.running_lab import ROOT

DEPLOY = ROOT / "deploy"
FILES = sorted(
    path for path in DEPLOY.rglob("*.y*ml") if "Kustomization" not in path.read_text("utf-8")
)


class Loader(yaml.SafeLoader):  # type: ignore[misc] # yaml has no types
    """Takes Compose's `!reset` as what stands behind it."""


Loader.add_constructor("!reset", lambda *_: None)


def read_version(service: str, package: str) -> str:
    text = (ROOT / service / package / "__init__.py").read_text(encoding="utf-8")
    version: str
    (version,) = re.findall(r'^__version__ = "(.*)"$', text, re.MULTILINE)
    return version


def find_variables(node: Any) -> set[str]:
    """Return the names of the environment's variables in a file, wherever they stand."""
    if isinstance(node, list):
        return set().union(*map(find_variables, node))
    if not isinstance(node, dict):
        return set()
    names = set(node["environment"]) if isinstance(node.get("environment"), dict) else set()
    if isinstance(node.get("env"), list):
        names |= {each["name"] for each in node["env"]}
    return names.union(*map(find_variables, node.values()))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(DEPLOY)))
def test_every_variable_is_a_setting(path: Path) -> None:
    settings = set(re.findall(r"^\| `([A-Z_]+)` \|", (ROOT / "README.md").read_text("utf-8"), re.M))
    own = {"POSTGRES_PASSWORD", "POSTGRES_PASSWORD_FILE"}  # of postgres/start.sh
    own |= {"OTEL_TRACES_SAMPLER", "OTEL_TRACES_SAMPLER_ARG"}  # of OpenTelemetry's packages
    named: set[str] = set()
    for document in yaml.load_all(path.read_text("utf-8"), Loader):
        named |= find_variables(document)

    assert named - settings - own == set()


def test_spans_are_exported_when_the_shell_says_where_to() -> None:
    def read_services(file: str) -> Any:
        return yaml.load((ROOT / file).read_text("utf-8"), Loader)["services"]  # noqa: S506

    stack, alone = read_services("deploy/swarm/stack.yml"), read_services("docker-compose.yml")
    scaled = read_services("deploy/compose.scale.yml")

    for service in ("service_a", "service_b"):
        passed_on = {name for name in alone[service]["environment"] if name.startswith("OTEL_")}
        assert "OTEL_EXPORTER_OTLP_ENDPOINT" in passed_on
        # Without a value: what the shell doesn't set isn't set.
        assert dict.fromkeys(passed_on).items() <= stack[service]["environment"].items()
        requirements = scaled[service]["build"]["args"]["REQUIREMENTS"]
        assert requirements.endswith(":-requirements-tracing.txt}")


def test_every_image_has_the_version_of_the_services() -> None:
    versions = {read_version("service_a", "gateway"), read_version("service_b", "predictor")}
    texts = {path: path.read_text("utf-8") for path in DEPLOY.rglob("*") if path.is_file()}
    named = {
        version
        for text in texts.values()
        for version in re.findall(
            r"\$\{VERSION:-(.*?)\}|newTag: ([\d.]+)|image\.version=\"(.*)\"", text
        )
    }
    found = {version for each in named for version in each if version}

    assert len(versions) == 1
    assert found == versions


def test_pages_are_at_most_one_screen() -> None:
    lengths = {path: len(path.read_text("utf-8").splitlines()) for path in DEPLOY.rglob("*.md")}

    assert len(lengths) == 3
    assert max(lengths.values()) <= 50, json.dumps({str(k): v for k, v in lengths.items()})
