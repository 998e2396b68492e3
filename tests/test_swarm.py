"""Both services on a Docker Swarm of several machines, under load all the time.

Each machine is a container with a Docker engine of its own. Runs with SWARM_NODES, the script that
makes them: `.ci/run swarm`, which also shows the table of what was done.
"""

import os
import subprocess
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.documentation.document import Block, read_document
from tests.running_lab import ROOT, find_free_port, wait_until
from tests.steady_load import Reply, SteadyLoad

VERSION = "1.0.0"
SERVICES = ["service-a", "service-b"]
PER_SECOND, CALLERS = 60, 8
RELEASES = {  # and how they differ from the image of the version
    "ml-lab-service-a:1.0.1": 'LABEL release="next"',
    "ml-lab-service-b:1.0.1": 'LABEL release="next"',
    # They end at their start, as a setting is wrong.
    "ml-lab-service-a:bad": "ENV GATEWAY_FORWARD_CALLS=many",
    "ml-lab-service-b:bad": "ENV PREDICTOR_MAX_ROWS=many",
    # They run and never get healthy: they listen where nobody asks.
    "ml-lab-service-a:deaf": "ENV HOST=127.0.0.2",
    "ml-lab-service-b:deaf": "ENV HOST=127.0.0.2",
}
# A copy has so long to get healthy; the settings' own 30 and 60 s would only be waited for.
SHORT_START = "--health-start-period=1s --health-retries=2"

if not os.environ.get("SWARM_NODES"):
    pytest.skip("makes several Docker engines: only by .ci/run swarm", allow_module_level=True)


def run(*command: str | Path, stdin: str | None = None, **environment: str) -> str:
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=os.environ | environment,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    if done.returncode:
        words = " ".join(str(word) for word in command)
        pytest.fail(f"{words} ended with {done.returncode}:\n{done.stdout}{done.stderr[-5000:]}")
    return done.stdout


class Step(NamedTuple):
    what: str
    began_at: float
    seconds: float


class Swarm:
    """Machines `1` (the manager) and `2`, made from containers, under a name of the test's own."""

    def __init__(self) -> None:
        self.name = f"swarm-test-{uuid.uuid4().hex[:8]}"
        self.first_port = find_free_port() - 1
        self.steps: list[Step] = []

    def make(self, count: int, *images: str) -> None:
        self._run_nodes("up", str(count), *images)

    def remove(self) -> None:
        self._run_nodes("down")
        run("docker", "image", "rm", "--force", f"{self.name}-node", *RELEASES)

    def _run_nodes(self, *arguments: str) -> None:
        environment = {"NAME": self.name, "BASE": str(self.first_port)}
        run("bash", os.environ["SWARM_NODES"], *arguments, **environment)

    def shell(self, script: str, node: int = 1) -> str:
        return run("docker", "exec", "-i", f"{self.name}-node{node}", "bash", "-eu", stdin=script)

    def list_containers(self, service: str) -> list[tuple[int, str]]:
        """Return the node and the id of each running container of a service."""
        found = []
        for node in self.list_nodes():
            command = f"docker ps -q -f label=com.docker.swarm.service.name=lab_{service}"
            found += [(node, each) for each in self.shell(command, node).split()]
        return found

    def list_nodes(self) -> list[int]:
        names = run("docker", "ps", "--filter", f"label={self.name}=1", "--format", "{{.Names}}")
        return sorted(int(name.rpartition("node")[2]) for name in names.split())

    def count_copies(self, service: str) -> str:
        """Return such as `2/2`: running, wanted."""
        return self.shell(
            "docker service ls --format '{{.Name}} {{.Replicas}}'"
            f" | sed -n 's/^lab_{service} \\([0-9/]*\\).*/\\1/p'"
        ).strip()

    def has_two_copies(self, service: str) -> bool:
        # Of a machine that is gone, the manager counts them until it notices.
        return self.count_copies(service) == "2/2" and len(self.list_containers(service)) == 2

    def read_update(self, service: str) -> tuple[str, str]:
        """Return what became of the latest update, and which release it left."""
        state, image = self.shell(
            f"docker service inspect lab_{service} --format"
            " '{{.UpdateStatus.State}} {{.Spec.TaskTemplate.ContainerSpec.Image}}'"
        ).split()
        return state, image.rpartition(":")[2]

    def count_predictions(self) -> list[float]:
        """Return for each copy of Service B how many it made."""
        code = (
            "import http.client as h; c = h.HTTPConnection('127.0.0.1', 8001)\n"
            "c.request('GET', '/metrics'); text = c.getresponse().read().decode()\n"
            "name = 'predictor_predictions_total'\n"
            "print(sum(float(l.split()[-1]) for l in text.splitlines() if l.startswith(name)))"
        )
        return [
            float(self.shell(f'docker exec {container} python -c "{code}"', node))
            for node, container in self.list_containers("service_b")
        ]

    def read_log(self) -> list[str]:
        """Return the request id of every row of the log."""
        ((node, container),) = self.list_containers("postgres")
        query = "psql -h 127.0.0.1 -U gateway -Atc 'SELECT request_id FROM inputs'"
        script = f"export PGPASSWORD=$(cat /run/secrets/postgres_password)\n{query}\n"
        return self.shell(f"docker exec -i {container} sh -eu <<'END'\n{script}END\n", node).split()

    @contextmanager
    def step(self, what: str) -> Iterator[None]:
        began_at = time.monotonic()
        yield
        self.steps.append(Step(what, began_at, time.monotonic() - began_at))

    def print_table(self, replies: list[Reply]) -> None:
        """Print what was done, how long it took, and what callers noticed of it."""
        lines = ["| step | seconds | requests | not answered with a price |", "|---|---:|---:|---|"]
        ends = [step.began_at for step in self.steps[1:]] + [float("inf")]
        for step, end in zip(self.steps, ends, strict=True):
            of_step = [each for each in replies if step.began_at <= each.sent_at < end]
            failed = Counter(str(each.status) for each in of_step if each.status != 200)
            noticed = ", ".join(f"{count} of {what}" for what, count in failed.items()) or "0"
            lines.append(f"| {step.what} | {step.seconds:.0f} | {len(of_step):,} | {noticed} |")
        print("\n".join(lines))  # noqa: T201 - for the page that shows it


def read_commands() -> list[str]:
    """Return the commands of the page, in order."""
    return [
        step.text
        for step in read_document(ROOT / "deploy/swarm/README.md")
        if isinstance(step, Block) and step.language == "bash"
    ]


@pytest.fixture
def swarm() -> Iterator[Swarm]:
    swarm = Swarm()
    try:
        yield swarm
    finally:
        swarm.remove()


def build_images() -> list[str]:
    """Build all images by the page's command, and releases of both services that follow."""
    run("bash", "-ec", read_commands()[0])
    for image, change in RELEASES.items():
        base = f"{image.partition(':')[0]}:{VERSION}"
        run("docker", "build", "-t", image, "-", stdin=f"FROM {base}\n{change}\n")
    return [*RELEASES, *(f"ml-lab-{each}:{VERSION}" for each in [*SERVICES, "haproxy", "postgres"])]


def test_no_acknowledged_input_is_lost_when_releases_copies_and_a_machine_come_and_go(
    swarm: Swarm,
) -> None:
    _build, init, secrets, deploy, replace = read_commands()
    images = build_images()
    with swarm.step("two machines with the images"):
        swarm.make(2, *images)
        run("docker", "cp", ROOT / "deploy", f"{swarm.name}-node1:/")
        label = init.splitlines()[1]
        swarm.shell(f"{label}\n{secrets}")
    with swarm.step("the stack deployed, all copies healthy"):
        swarm.shell(deploy)
        for service in ("haproxy", "service_a", "service_b"):
            wait_until(partial(swarm.has_two_copies, service))

    with SteadyLoad(swarm.first_port + 1, per_second=PER_SECOND, callers=CALLERS) as load:
        update_a, scale_b = replace.splitlines()
        update_a = update_a.replace("update", "update --detach=false --no-resolve-image")
        update_b = update_a.replace("service-a", "service-b").replace("service_a", "service_b")
        with swarm.step("Service A replaced by the next release"):
            swarm.shell(update_a)
            assert swarm.read_update("service_a") == ("completed", "1.0.1")
        with swarm.step("Service B replaced by the next release"):
            swarm.shell(update_b)
            assert swarm.read_update("service_b") == ("completed", "1.0.1")
        for update, letter in ((update_a, "A"), (update_b, "B")):
            for release, what in (("bad", "that ends"), ("deaf", "that never gets healthy")):
                with swarm.step(f"a release of Service {letter} {what} rolled back"):
                    flags = SHORT_START if release == "deaf" else ""
                    command = update.replace("update", f"update {flags}", 1)
                    swarm.shell(f"{command.replace('1.0.1', release)} || true")
                    service = f"service_{letter.lower()}"
                    assert swarm.read_update(service) == ("rollback_completed", "1.0.1")
        with swarm.step("Service B scaled to 1"):
            swarm.shell(scale_b.replace("=3", "=1"))
        with swarm.step("Service B scaled to 3, each copy called"):
            swarm.shell(scale_b)
            wait_until(lambda: len(swarm.count_predictions()) == 3)
            wait_until(lambda: min(swarm.count_predictions()) > 0)
        with swarm.step("Service B scaled to 1 again"):
            swarm.shell(scale_b.replace("=3", "=1"))
        with swarm.step("Service B scaled to 2"):
            swarm.shell(scale_b.replace("=3", "=2"))
        before_kills = list(load.failures)
        for service in ("service_b", "service_a"):
            with swarm.step(f"a copy of {service} killed, and replaced"):
                node, container = swarm.list_containers(service)[-1]
                swarm.shell(f"docker kill {container}", node)
                wait_until(partial(swarm.has_two_copies, service))
        with swarm.step("a machine killed, its copies running elsewhere"):
            killed_at = time.monotonic()
            run("docker", "kill", f"{swarm.name}-node2")
            for service in ("service_a", "service_b"):
                wait_until(partial(swarm.has_two_copies, service))
        time.sleep(2)
        with swarm.step("the log compared"):
            pass
        quiet_at = time.monotonic() - 2

    swarm.print_table(load.replies)
    logged = Counter(swarm.read_log())
    acknowledged = load.acknowledged
    lost = acknowledged - logged.keys()
    twice = {request_id for request_id, rows in logged.items() if rows > 1}
    print(  # noqa: T201
        f"{len(load.replies):,} requests, {len(acknowledged):,} acknowledged:"
        f" {len(lost)} lost, {len(twice)} twice, {len(load.failures)} without an answer"
    )
    assert len(load.replies) > 1000
    assert before_kills == []
    assert lost == set()
    assert twice == set()
    # What was under way where something was killed.
    around_kills = [each for each in load.failures if each.sent_at < killed_at]
    assert len(around_kills) <= 2 * CALLERS
    assert len(load.failures) <= 4 * CALLERS
    assert [each for each in load.failures if each.sent_at > quiet_at] == []
