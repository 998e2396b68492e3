"""What `kubectl apply -k` would send, for each combination of the components.

Runs with KUBECTL, in the venv of `tests/kubernetes`, which has the schemas of Kubernetes. No
cluster is needed.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
KUBERNETES = ROOT / "deploy/kubernetes"
COMPONENTS = ["autoscaling", "ingress", "postgres", "tracing"]
VERSIONS = ["1.37", "1.29"]
CHOICES = [choice for size in range(5) for choice in combinations(COMPONENTS, size)]

if not os.environ.get("KUBECTL"):
    pytest.skip("needs kubectl, whose path is KUBECTL", allow_module_level=True)


def build(folder: Path) -> str:
    # Users of kustomize keep their own files elsewhere, too.
    command = [
        os.environ["KUBECTL"],
        "kustomize",
        "--load-restrictor=LoadRestrictionsNone",
        str(folder),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""  # a warning is about something that is on its way out
    return str(done.stdout)


def combine(folder: Path, components: tuple[str, ...]) -> str:
    relative = os.path.relpath(KUBERNETES, folder.resolve())
    (folder / "kustomization.yaml").write_text(
        yaml.safe_dump(
            {
                "resources": [f"{relative}/base"],
                "components": [f"{relative}/components/{name}" for name in components],
            }
        )
    )
    return build(folder)


@pytest.fixture(scope="module", params=CHOICES, ids=lambda choice: "+".join(["base", *choice]))
def built(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    return combine(tmp_path_factory.mktemp("built"), request.param)


def find_containers(text: str) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Yield each container with the pod that it is in."""
    for resource in yaml.safe_load_all(text):
        if resource["kind"] in ("Deployment", "StatefulSet"):
            pod = resource["spec"]["template"]["spec"]
            yield from ((pod, container) for container in pod["containers"])


def test_every_resource_is_valid_in_the_current_and_an_older_version(
    built: str, tmp_path: Path
) -> None:
    file = tmp_path / "built.yaml"
    file.write_text(built)
    versions = [option for version in VERSIONS for option in ("-k", version)]

    done = subprocess.run(
        [sys.executable, "-m", "kubernetes_validate", "--strict", *versions, file],
        capture_output=True,
        text=True,
        check=False,
    )

    # A kind that it has no schema of is only a warning.
    passed = re.findall(
        r"^INFO .* passed for resource \S+ against version (\S+)$", done.stdout, re.M
    )
    resources = list(yaml.safe_load_all(built))
    assert sorted(passed) == sorted(VERSIONS * len(resources)), done.stdout


def test_a_mistake_is_found_by_the_same_check(tmp_path: Path) -> None:
    file = tmp_path / "wrong.yaml"
    file.write_text(
        combine(tmp_path, ()).replace("readOnlyRootFilesystem", "readOnlyRootFileSystem")
    )

    command = [
        sys.executable,
        "-m",
        "kubernetes_validate",
        "--strict",
        "-k",
        VERSIONS[0],
        str(file),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.returncode != 0
    assert "'readOnlyRootFileSystem' was unexpected" in done.stdout


def test_names_that_resources_have_of_each_other_are_those_of_others(built: str) -> None:
    resources = list(yaml.safe_load_all(built))
    names = {(each["kind"], each["metadata"]["name"]) for each in resources}
    pods = [
        each["spec"]["template"]["metadata"]["labels"].items()
        for each in resources
        if each["kind"] in ("Deployment", "StatefulSet")
    ]
    assert {each["metadata"].get("namespace", "ml-lab") for each in resources} == {"ml-lab"}
    for each in resources:
        spec = each.get("spec", {})
        if each["kind"] in ("Service", "PodDisruptionBudget"):
            selector = spec["selector"].get("matchLabels", spec["selector"])
            assert sum(selector.items() <= labels for labels in pods) == 1
        if each["kind"] == "HorizontalPodAutoscaler":
            target = spec["scaleTargetRef"]
            assert (target["kind"], target["name"]) in names
        if each["kind"] == "Ingress":
            (path,) = spec["rules"][0]["http"]["paths"]
            assert ("Service", path["backend"]["service"]["name"]) in names
    has_autoscalers = any(kind == "HorizontalPodAutoscaler" for kind, _ in names)
    for each in resources:
        if each["kind"] == "Deployment":
            assert ("replicas" in each["spec"]) is not has_autoscalers
    # The secret of the database has its contents in its name, and the pods ask for that name.
    secrets = {name for kind, name in names if kind == "Secret"}
    asked = set(re.findall(r"(?:secretName|name): (input-log\S*-\S+)", built))
    assert asked == secrets


def test_no_container_may_do_more_than_it_needs(built: str) -> None:
    for pod, container in find_containers(built):
        assert container["securityContext"] == {
            "readOnlyRootFilesystem": True,
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
        }
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["automountServiceAccountToken"] is False
        assert "memory" in container["resources"]["limits"]


def test_probes_call_by_a_name_that_does_not_change_as_addresses_do() -> None:
    containers = [container for _, container in find_containers(build(KUBERNETES))]
    probes = {
        (container["name"], name): probe["httpGet"]
        for container in containers
        for name, probe in container.items()
        if name.endswith("Probe") and "httpGet" in probe
    }

    assert len(probes) == 6
    for (_, name), asked in probes.items():
        assert asked["path"] == ("/health" if name == "readinessProbe" else "/livez")
        assert asked["httpHeaders"] == [{"name": "Host", "value": "127.0.0.1"}]


def test_what_is_applied_as_it_is_has_both_services_and_a_database() -> None:
    images = {
        container["image"].partition(":")[0] for _, container in find_containers(build(KUBERNETES))
    }

    assert images == {"ml-lab-service-a", "ml-lab-service-b", "ml-lab-postgres"}


def test_example_of_the_page_brings_its_components_images_and_the_address_of_spans(
    tmp_path: Path,
) -> None:
    (example,) = re.findall(
        r"^```yaml\n(.*?)^```", (KUBERNETES / "README.md").read_text("utf-8"), re.M | re.S
    )
    relative = os.path.relpath(KUBERNETES, tmp_path.resolve())
    (tmp_path / "kustomization.yaml").write_text(
        example.replace("github.com/you/lab/deploy/kubernetes", relative)
    )

    text = build(tmp_path)

    kinds = {each["kind"]: each for each in yaml.safe_load_all(text)}
    assert "HorizontalPodAutoscaler" in kinds
    assert kinds["ConfigMap"]["data"]["OTEL_EXPORTER_OTLP_ENDPOINT"] in example
    for _, container in find_containers(text):
        assert container["image"].startswith("registry.example/")
        (source,) = container["envFrom"]
        assert source["configMapRef"]["name"] == kinds["ConfigMap"]["metadata"]["name"]
