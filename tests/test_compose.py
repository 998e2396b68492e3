"""The lab as `docker compose` runs it, in real containers.

Runs with COMPOSE_TESTS=1 and a Docker engine, under a project name and on ports of its own,
beside whatever else runs on the machine.
"""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import time
import uuid
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from threading import Timer
from typing import Any

import pytest
import requests

from benchmarks.houses import find_version, read_card
from tests.documentation.answer import find_text_differences
from tests.documentation.document import Block, read_document
from tests.running_lab import ROOT, WAIT_SECONDS, find_free_port, wait_until
from tests.steady_load import SteadyLoad

SERVICES = ["service_a", "service_b"]
IN_PROFILES = ["mlflow", "service_b_mlflow"]
ERASE_LINE = "\x1b[2K"  # which a terminal doesn't show
# Where it isn't, it is downloaded.
AMES_DATA = (ROOT / "../shared/data/AmesHousing.txt").resolve()
UNAVAILABLE = {"detail": "Service B is unavailable"}


def find_two_free_ports() -> int:
    """Return the first of two neighbours."""
    while True:
        first = find_free_port()
        with socket.socket() as second, suppress(OSError):
            second.bind(("127.0.0.1", first + 1))
            return first


def find_reason_to_skip() -> str | None:
    if os.environ.get("COMPOSE_TESTS") != "1":
        return "compose tests build images: they run only with COMPOSE_TESTS=1"
    try:
        engine = subprocess.run(["docker", "info"], capture_output=True, timeout=WAIT_SECONDS)
    except (OSError, subprocess.TimeoutExpired):
        return "compose tests need Docker: `docker` is missing or doesn't answer"
    return None if engine.returncode == 0 else "compose tests need Docker: no engine is running"


if reason := find_reason_to_skip():
    pytest.skip(reason, allow_module_level=True)


def run(*command: str, environment: dict[str, str] | None = None) -> str:
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=1800
    )
    if done.returncode:
        pytest.fail(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr[-5000:]}")
    return done.stdout


class Stack:
    """A compose project with a name, volume and host ports of its own."""

    def __init__(self) -> None:
        self.project = f"lab-test-{uuid.uuid4().hex[:8]}"
        ports = {name: find_free_port() for name in [*SERVICES, *IN_PROFILES]}
        self.urls = {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}
        self.environment = {
            **without_own_settings(os.environ),
            **{f"{name.upper()}_PORT": str(port) for name, port in ports.items()},
        }

    def compose(self, *arguments: str) -> str:
        return compose("--project-name", self.project, *arguments, environment=self.environment)

    def up(self) -> None:
        self.compose("up", "--detach", "--wait", "--wait-timeout", "120")

    def inspect(self, service: str) -> dict[str, Any]:
        container_id = self.compose("ps", "--all", "--quiet", service).strip()
        inspected: list[dict[str, Any]] = json.loads(run("docker", "inspect", container_id))
        return inspected[0]

    def run_python(self, service: str, code: str, *arguments: str, user: str = "10001") -> str:
        options = ["-T", "--user", user]
        return self.compose("exec", *options, service, "python", "-c", code, *arguments).strip()

    def process(self, house: dict[str, Any], request_id: str) -> requests.Response:
        return requests.post(
            f"{self.urls['service_a']}/process",
            json={"data": house},
            headers={"X-Request-ID": request_id},
            timeout=WAIT_SECONDS,
        )

    def predict_version(self, house: dict[str, Any]) -> str | None:
        """The version behind a price that Service A gives now; None if it gives none."""
        answer = self.process(house, uuid.uuid4().hex)
        if answer.status_code != 200:
            return None
        version: str = answer.json()["model_prediction"]["prediction"]["model_version"]
        return version

    def read_logged(self, request_id: str) -> dict[str, Any]:
        """The one record of the request, read from the log's own file in A's volume."""
        code = (
            "import json, sqlite3, sys; log = sqlite3.connect('/data/inputs.db');"
            "log.row_factory = sqlite3.Row;"
            "rows = log.execute('SELECT * FROM inputs WHERE request_id = ?', sys.argv[1:]);"
            "print(json.dumps([dict(row) for row in rows], default=str))"
        )
        records: list[dict[str, Any]] = json.loads(self.run_python("service_a", code, request_id))
        assert len(records) == 1
        return records[0]

    def print_logs(self) -> None:
        """For the reader of a failure: pytest shows what is printed only then."""
        print(self.compose("logs", "--tail", "100"))  # noqa: T201


def without_own_settings(environment: os._Environ[str]) -> dict[str, str]:
    """The environment without what would change the compose file, as on a fresh machine."""
    own = (
        "COMPOSE_",
        "SERVICE_",
        "PUBLISH_ADDRESS",
        "LOG_",
        "LAB_",
        "GATEWAY_",
        "PREDICTOR_",
        "INPUT_LOG_",
        "MLFLOW_",
        "MODELS_FOLDER",
        "OTEL_",
        "WORKERS",
        "DRAIN_SECONDS",
        "TRAINING",
    )
    return {name: value for name, value in environment.items() if not name.startswith(own)}


def compose(*arguments: str, environment: dict[str, str]) -> str:
    # A `.env` in the project is its owner's: it isn't read.
    return run("docker", "compose", "--env-file", os.devnull, *arguments, environment=environment)


def write_version(family: Path, number: str) -> None:
    """Write the version that is served once more, under another number."""
    served = find_version(family)
    shutil.copytree(served, family / number)
    card = read_card(served) | {"version": number}
    (family / number / "card.json").write_text(json.dumps(card))


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of models in the place of `service_b/models`."""
    folder = tmp_path_factory.mktemp("models") / "models"
    return shutil.copytree(ROOT / "service_b/models", folder)


@pytest.fixture(scope="module")
def built_stack(models: Path) -> Iterator[Stack]:
    stack = Stack()
    stack.environment["MODELS_FOLDER"] = str(models)
    try:
        stack.compose("build")
        stack.up()
        yield stack
    finally:
        stack.print_logs()
        stack.compose("down", "--volumes", "--rmi", "local")


@pytest.fixture
def stack(built_stack: Stack) -> Iterator[Stack]:
    """The stack with both services healthy, whatever the test before has done to it."""
    built_stack.up()
    yield built_stack
    built_stack.print_logs()


@pytest.fixture(scope="module")
def house() -> dict[str, Any]:
    """The example of the model's card."""
    card = read_card(find_version(ROOT / "service_b/models/ames"))
    example: dict[str, Any] = card["example"]
    return example


def test_roots_and_health_answer_when_both_services_are_up(stack: Stack) -> None:
    answers = {
        (service, path): requests.get(stack.urls[service] + path, timeout=WAIT_SECONDS)
        for service in SERVICES
        for path in ["/", "/health"]
    }

    assert [answer.status_code for answer in answers.values()] == [200] * 4
    assert answers["service_a", "/"].json()["service"] == "Service A - Input Logger"
    assert answers["service_b", "/"].json()["service"] == "Service B - ML Prediction"
    assert answers["service_a", "/health"].json()["status"] == "healthy"
    assert answers["service_b", "/health"].json()["status"] == "healthy"


def test_house_gets_a_price_and_is_logged_when_sent_through_service_a(
    stack: Stack, house: dict[str, Any]
) -> None:
    request_id = uuid.uuid4().hex

    answer = stack.process(house, request_id)

    assert answer.status_code == 200
    assert answer.headers["X-Request-ID"] == request_id
    assert answer.json()["model_prediction"]["prediction"]["price"] > 10_000
    assert stack.read_logged(request_id)


def test_service_a_starts_only_when_service_b_is_healthy(stack: Stack) -> None:
    stack.compose("down")
    since = time.time()
    stack.up()

    lines = run(
        *("docker", "events", "--since", f"{since:.3f}", "--until", f"{time.time():.3f}"),
        *("--filter", f"label=com.docker.compose.project={stack.project}"),
        *("--filter", "type=container", "--format", "{{json .}}"),
    ).splitlines()
    events = [json.loads(line) for line in lines]
    order = [
        (event["Actor"]["Attributes"]["com.docker.compose.service"], event["Action"])
        for event in events
    ]
    assert order.index(("service_b", "health_status: healthy")) < order.index(
        ("service_a", "start")
    )


@pytest.mark.parametrize("service", SERVICES)
def test_process_has_no_privileges(stack: Stack, service: str) -> None:
    lines = stack.run_python(service, "print(open('/proc/1/status').read())").splitlines()
    status = dict(line.split(":\t", 1) for line in lines if ":\t" in line)

    assert set(status["Uid"].split()) == {"10001"}
    assert {name: int(status[name], 16) for name in ["CapPrm", "CapEff", "CapBnd"]} == {
        "CapPrm": 0,
        "CapEff": 0,
        "CapBnd": 0,
    }
    assert status["NoNewPrivs"].strip() == "1"


@pytest.mark.parametrize("service", SERVICES)
def test_root_file_system_is_read_only_even_for_root(stack: Stack, service: str) -> None:
    code = (
        "import errno\n"
        "try:\n    open('/app/main.py', 'a')\n"
        "except OSError as error:\n    print(errno.errorcode[error.errno])\n"
        "open('/tmp/scratch', 'w').write('writable')"
    )

    assert stack.run_python(service, code, user="root") == "EROFS"


@pytest.mark.parametrize(
    ("service", "package"), [("service_a", "gateway"), ("service_b", "predictor")]
)
def test_image_says_how_healthy_it_is_and_which_version(
    stack: Stack, service: str, package: str
) -> None:
    image = json.loads(run("docker", "image", "inspect", stack.inspect(service)["Image"]))[0]
    number = stack.run_python(service, f"import {package}; print({package}.__version__)")

    assert image["Config"]["Labels"]["org.opencontainers.image.version"] == number
    assert image["Config"]["Healthcheck"]["Test"][:3] == ["CMD", "python", "-c"]


def test_new_version_is_served_by_the_same_container_when_its_folder_is_there(
    stack: Stack, house: dict[str, Any], models: Path
) -> None:
    before = stack.inspect("service_b")
    write_version(models / "ames", "9")
    champion = json.loads((models / "ames/alias.json").read_bytes()) | {"champion": "9"}
    (models / "ames/alias.json").write_text(json.dumps(champion))

    wait_until(lambda: stack.predict_version(house) == "9")

    after = stack.inspect("service_b")
    assert [after["Id"], after["State"]["StartedAt"]] == [
        before["Id"],
        before["State"]["StartedAt"],
    ]
    code = (
        "import errno\n"
        "try:\n    open('/app/models/x', 'w')\n"
        "except OSError as error:\n    print(errno.errorcode[error.errno])"
    )
    assert stack.run_python("service_b", code, user="root") == "EROFS"


@pytest.mark.parametrize("service", SERVICES)
def test_memory_is_limited_and_service_is_restarted(stack: Stack, service: str) -> None:
    host_config = stack.inspect(service)["HostConfig"]

    assert 0 < host_config["Memory"] <= 512 * 1024**2
    assert host_config["RestartPolicy"]["Name"] == "unless-stopped"


@pytest.mark.parametrize("service", SERVICES)
def test_port_is_published_only_on_loopback(stack: Stack, service: str) -> None:
    ports = stack.inspect(service)["NetworkSettings"]["Ports"]

    assert {binding["HostIp"] for bindings in ports.values() for binding in bindings} == {
        "127.0.0.1"
    }


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, [("127.0.0.1", "8000"), ("127.0.0.1", "8001")]),
        (
            {"PUBLISH_ADDRESS": "0.0.0.0", "SERVICE_A_PORT": "9000", "SERVICE_B_PORT": "9001"},  # noqa: S104
            [("0.0.0.0", "9000"), ("0.0.0.0", "9001")],  # noqa: S104
        ),
    ],
)
def test_environment_chooses_published_address_and_ports(
    settings: dict[str, str], expected: list[tuple[str, str]]
) -> None:
    environment = {**without_own_settings(os.environ), **settings}

    services = json.loads(compose("config", "--format", "json", environment=environment))[
        "services"
    ]

    published = [services[service]["ports"][0] for service in SERVICES]
    assert [(port["host_ip"], port["published"]) for port in published] == expected


@pytest.mark.parametrize(
    ("service", "content", "limit_mb"),
    [
        (
            "service_a",
            {
                *("main.py", "requirements.txt", "requirements-postgres.txt"),
                *("requirements-tracing.txt", "gateway"),
            },
            350,
        ),
        (
            "service_b",
            {
                *("main.py", "requirements.txt", "models.yaml", "models-mlflow.yaml"),
                *("predictor", "models"),
            },
            550,
        ),
    ],
)
def test_image_is_small_and_holds_only_what_runs(
    stack: Stack, service: str, content: set[str], limit_mb: int
) -> None:
    names = stack.run_python(service, "import os; print(*os.listdir('/app'))").split()
    size = run("docker", "image", "inspect", "-f", "{{.Size}}", stack.inspect(service)["Image"])

    assert set(names) - {"__pycache__"} == content
    assert int(size) < limit_mb * 10**6


def test_caller_gets_503_and_input_is_logged_when_service_b_is_stopped(
    stack: Stack, house: dict[str, Any]
) -> None:
    request_id = uuid.uuid4().hex
    stack.compose("stop", "service_b")

    answer = stack.process(house, request_id)

    assert (answer.status_code, answer.json()) == (503, UNAVAILABLE)
    assert int(answer.headers["Retry-After"]) > 0
    assert stack.read_logged(request_id)
    assert (
        requests.get(f"{stack.urls['service_a']}/health", timeout=WAIT_SECONDS).status_code == 200
    )

    stack.compose("start", "service_b")
    stack.up()
    assert stack.process(house, uuid.uuid4().hex).status_code == 200


def test_the_docker_commands_of_the_readme_work(stack: Stack, house: dict[str, Any]) -> None:
    readme = (ROOT / "README.md").read_text()
    commands = re.findall(r"^```bash\n(docker compose .*?)\n```", readme, re.MULTILINE | re.DOTALL)
    assert [command.split()[2] for command in commands] == ["stop", "start"]
    environment = {**stack.environment, "COMPOSE_PROJECT_NAME": stack.project}

    run("bash", "-c", commands[0], environment=environment)
    assert stack.process(house, uuid.uuid4().hex).status_code == 503

    run("bash", "-c", commands[1], environment=environment)
    stack.up()
    assert stack.process(house, uuid.uuid4().hex).status_code == 200


def test_the_docker_commands_of_the_walkthrough_work(stack: Stack, house: dict[str, Any]) -> None:
    ps, logs, restart = [
        step
        for step in read_document(ROOT / "docs/walkthrough.md")
        if isinstance(step, Block) and step.text.startswith("docker compose ")
    ]
    assert ps.answer
    assert logs.answer
    environment = {**stack.environment, "COMPOSE_PROJECT_NAME": stack.project}

    listed = run("bash", "-c", ps.text, environment=environment)
    assert [*find_text_differences(ps.answer.text, listed)] == []

    with subprocess.Popen(
        ["bash", "-c", f"exec {logs.text}"],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    ) as following:
        assert following.stdout
        timer = Timer(30, following.kill)
        timer.start()
        stack.process(house, "followed")
        lines: list[str] = []
        while not (lines and " id=followed" in lines[-1]):
            lines.append(following.stdout.readline())
            assert lines[-1], "ended before the line came"
        following.send_signal(signal.SIGINT)  # Ctrl-C
        lines += following.stdout.readlines()
        timer.cancel()
    assert following.returncode == 130
    printed = "".join(lines).replace(ERASE_LINE, "")
    assert [*find_text_differences(logs.answer.text, printed)] == []
    assert stack.process(house, uuid.uuid4().hex).status_code == 200

    started = stack.inspect("service_b")["State"]["StartedAt"]
    run("bash", "-c", restart.text, environment=environment)
    assert stack.inspect("service_b")["State"]["StartedAt"] > started
    stack.up()
    assert stack.process(house, uuid.uuid4().hex).status_code == 200


def test_saved_images_start_without_a_build_when_they_are_loaded(
    stack: Stack, house: dict[str, Any], tmp_path: Path
) -> None:
    save, load = [
        step.text.replace("class/", f"{tmp_path}/").replace(
            "http://ADDRESS:8009/", tmp_path.as_uri() + "/"
        )
        for step in read_document(ROOT / "docs/teaching.md")
        if isinstance(step, Block) and "docker" in step.text
    ]
    environment = {**stack.environment, "COMPOSE_PROJECT_NAME": stack.project}
    run("bash", "-ec", save, environment=environment)
    images = stack.compose("config", "--images").split()
    stack.compose("down")
    run("docker", "image", "rm", *images)

    run("bash", "-ec", f"{load.rstrip()} --detach --wait", environment=environment)

    assert stack.process(house, uuid.uuid4().hex).status_code == 200


def test_log_is_in_postgresql_when_the_commands_of_the_handbook_are_followed(
    house: dict[str, Any],
) -> None:
    text = (ROOT / "docs/operations.md").read_text(encoding="utf-8")
    (block,) = re.findall(
        r"^```bash\n(export INPUT_LOG_URL.*?)\n```", text, re.MULTILINE | re.DOTALL
    )
    stack = Stack()
    environment = {**stack.environment, "COMPOSE_PROJECT_NAME": stack.project}
    try:
        run("bash", "-ec", f"{block} --detach --wait", environment=environment)
        assert stack.process(house, "kept-elsewhere").status_code == 200
        count = "psql -h 127.0.0.1 -U gateway -Atc 'SELECT count(*) FROM inputs'"
        command = f"PGPASSWORD=gateway {count}"
        assert stack.compose("exec", "-T", "postgres", "sh", "-c", command).strip() == "1"
        stack.compose("stop", "postgres")  # while Service A is connected
        assert (
            stack.inspect("postgres")["State"]["ExitCode"] == 0
        )  # 137 would mean that it was killed
    finally:
        stack.compose("--profile", "postgres", "down", "--volumes", "--rmi", "local")


@pytest.mark.skipif(
    not os.environ.get("SWARM_NODES"),
    reason="asks for a machine that does nothing else: only by .ci/run swarm",
)
def test_callers_lose_nothing_when_copies_behind_haproxy_come_and_go_and_one_is_killed(
    house: dict[str, Any],
) -> None:
    """The commands of `deploy/README.md`, with images and a port of the test's own."""
    start, scale, release = [
        step.text
        for step in read_document(ROOT / "deploy/README.md")
        if isinstance(step, Block) and step.language == "bash"
    ]
    stack = Stack()
    files = f"{ROOT}/docker-compose.yml:{ROOT}/deploy/compose.scale.yml"
    stack.environment |= {"COMPOSE_FILE": files, "REGISTRY": f"{stack.project}/"}
    environment = {**stack.environment, "COMPOSE_PROJECT_NAME": stack.project}

    def are_called(service: str, metric: str, *, copies: int) -> bool:
        code = (
            "import http.client, os; c = http.client.HTTPConnection('127.0.0.1',"
            f" {8000 if service == 'service_a' else 8001}); c.request('GET', '/metrics');"
            f" print(sum(float(line.split()[-1]) for line in c.getresponse().read().decode()"
            f".splitlines() if line.startswith('{metric}')))"
        )
        containers = stack.compose("ps", "--quiet", service).split()
        counts = [float(run("docker", "exec", each, "python", "-c", code)) for each in containers]
        return len(counts) == copies and min(counts) > 0

    try:
        run("bash", "-ec", start, environment=environment)
        assert stack.process(house, uuid.uuid4().hex).status_code == 200
        with SteadyLoad(int(environment["SERVICE_A_PORT"]), per_second=60) as load:
            run("bash", "-ec", scale, environment=environment)
            for service, metric in (
                ("service_a", "gateway_inputs_logged_total"),
                ("service_b", "predictor_predictions_total"),
            ):
                all_are_called = partial(are_called, service, metric, copies=3)
                wait_until(all_are_called)
            fewer = scale.replace("service_a=3", "service_a=2").replace(
                "service_b=3", "service_b=1"
            )
            run("bash", "-ec", fewer, environment=environment)
            run("bash", "-ec", release, environment=environment | {"LOG_LEVEL": "WARNING"})
            assert load.failures == []
            run("docker", "kill", stack.compose("ps", "--quiet", "service_a").split()[0])
            killed_at = time.monotonic()
            wait_until(lambda: time.monotonic() > killed_at + 5)
        query = "psql -h 127.0.0.1 -U gateway -Atc 'SELECT request_id FROM inputs'"
        command = f"PGPASSWORD=gateway {query}"
        logged = stack.compose("exec", "-T", "postgres", "sh", "-c", command).split()
    except BaseException:
        stack.print_logs()
        raise
    finally:
        stack.compose("down", "--volumes", "--rmi", "all")
    # What was under way in the one that was killed, of eight callers.
    assert len(load.failures) <= 8
    assert [each for each in load.failures if each.sent_at > killed_at + 1] == []
    assert load.acknowledged <= set(logged)
    assert len(logged) == len(set(logged))


def test_registry_is_followed_from_empty_to_a_new_version_with_no_container_restarted(
    house: dict[str, Any], tmp_path: Path
) -> None:
    """The commands of `docs/training.md`; one new version is trained, another one ships later."""
    text = (ROOT / "docs/training.md").read_text(encoding="utf-8")
    start, publish, bring = re.findall(
        r"^```bash\n((?:export TRAINING|docker compose )[^`]*?)\n```", text, re.MULTILINE
    )
    shipped = find_version(ROOT / "service_b/models/ames").name
    trained = str(int(shipped) + 1)
    assert f"ames {shipped}" in start
    assert f"ames {shipped}" in publish
    stack = Stack()
    stack.environment["COMPOSE_PROFILES"] = "mlflow,training"
    environment = {**stack.environment, "COMPOSE_PROJECT_NAME": stack.project}
    services = [*SERVICES, *IN_PROFILES]

    def describe_runs() -> list[tuple[str, str, int]]:
        states = [stack.inspect(service) for service in services]
        return [(each["Id"], each["State"]["StartedAt"], each["RestartCount"]) for each in states]

    try:
        run("bash", "-ec", start, environment=environment)
        before = describe_runs()
        assert run("docker", "wait", stack.inspect("training")["Id"]).strip() == "0"
        wait_until(lambda: stack.predict_version(house) == shipped)

        volume = ["--volume", f"{AMES_DATA}:/data.txt:ro"] if AMES_DATA.is_file() else []
        options = ["--trials", "1", "--splits", "0", *(["--data", "/data.txt"] if volume else [])]
        training = [*volume, "training", "ames", *options, "--mlflow", "http://mlflow:5000"]
        stack.compose("run", "--rm", *training)
        wait_until(lambda: stack.predict_version(house) == trained)
        # Back again: the registry has that version, and only its alias moves.
        run("bash", "-ec", publish, environment=environment)
        wait_until(lambda: stack.predict_version(house) == shipped)
        forth = publish.replace(f"ames {shipped}", f"ames {trained}")
        run("bash", "-ec", forth, environment=environment)
        wait_until(lambda: stack.predict_version(house) == trained)

        shutil.copytree(ROOT / "service_b/models", tmp_path / "models")
        for number in (trained, "9"):
            write_version(tmp_path / "models/ames", number)
        bring = bring.replace("$PWD/service_b/models", f"{tmp_path}/models")
        run("bash", "-ec", bring, environment=environment)
        later = publish.replace(f"ames {shipped}", "ames 9")
        run("bash", "-ec", later, environment=environment)
        wait_until(lambda: stack.predict_version(house) == "9")
        read = ["--entrypoint", "cat", "training", f"models/ames/{trained}/card.json"]
        card = json.loads(stack.compose("run", "--rm", "--no-deps", *read))
        assert card["training"]["best_trial"] == 0

        assert describe_runs() == before
        registry = f"{stack.urls['mlflow']}/api/2.0/mlflow/model-versions/search"
        versions = requests.get(registry, timeout=WAIT_SECONDS).json()["model_versions"]
        assert sorted(each["version"] for each in versions) == ["1", "2", "3"]
        for service in [*services, "training"]:
            container = stack.inspect(service)
            assert container["HostConfig"]["ReadonlyRootfs"]
            assert container["Config"]["User"] == "10001:10001"
            assert container["HostConfig"]["CapDrop"] == ["ALL"]
    except BaseException:
        stack.print_logs()
        raise
    finally:
        stack.compose("down", "--volumes", "--rmi", "local")


def test_callers_notice_nothing_when_one_of_two_copies_of_service_b_is_killed(
    stack: Stack, house: dict[str, Any]
) -> None:
    """The commands of `docs/break-it.md`, with ports of the test's own."""
    document = (ROOT / "docs/break-it.md").read_text()
    blocks = re.findall(r"^```bash\n([^`]*?docker [^`]*?)\n```", document, re.MULTILINE)
    scale, count, kill = [block for block in blocks if not block.startswith("rm ")]
    first = find_two_free_ports()
    scale = scale.replace("8001-8002", f"{first}-{first + 1}").replace(" --build", "")
    environment = {**stack.environment, "COMPOSE_PROJECT_NAME": stack.project}
    try:
        run("bash", "-c", scale, environment=environment)
        statuses = [stack.process(house, uuid.uuid4().hex).status_code for _ in range(20)]
        assert statuses == [200] * 20
        assert len(run("bash", "-c", count, environment=environment).splitlines()) == 1

        run("bash", "-c", kill, environment=environment)

        statuses = [stack.process(house, uuid.uuid4().hex).status_code for _ in range(20)]
        assert statuses == [200] * 20
        answered = run("bash", "-c", count, environment=environment)
        assert sorted(line.split()[0] for line in answered.splitlines()) == ["20", "20"]
    finally:
        (ROOT / "busy.txt").unlink(missing_ok=True)
        stack.compose("rm", "--stop", "--force", "service_b")
        stack.up()


def test_caller_gets_503_in_time_when_service_b_is_paused(
    stack: Stack, house: dict[str, Any]
) -> None:
    stack.compose("pause", "service_b")
    try:
        assert stack.process(house, uuid.uuid4().hex).status_code == 503
    finally:
        stack.compose("unpause", "service_b")
    # Its health checks hung, too.
    wait_until(lambda: stack.inspect("service_b")["State"]["Health"]["Status"] == "healthy")
    assert stack.process(house, uuid.uuid4().hex).status_code == 200


def test_log_survives_when_containers_are_removed(stack: Stack, house: dict[str, Any]) -> None:
    request_id = uuid.uuid4().hex
    assert stack.process(house, request_id).status_code == 200
    record = stack.read_logged(request_id)

    stack.compose("down")
    stack.up()

    assert stack.read_logged(request_id) == record


def test_faults_and_the_page_are_there_as_the_settings_say(stack: Stack) -> None:
    urls = [f"{stack.urls[service]}/faults" for service in SERVICES]
    urls.append(f"{stack.urls['service_a']}/lab")
    assert [requests.get(url, timeout=WAIT_SECONDS).status_code for url in urls] == [404, 404, 200]

    changes = {"LAB_FAULTS": "1", "GATEWAY_LAB_PAGE": "0"}
    stack.environment.update(changes)
    try:
        stack.up()
        answers = [requests.get(url, timeout=WAIT_SECONDS) for url in urls]
        assert [answer.status_code for answer in answers] == [200, 200, 404]
    finally:
        for name in changes:
            del stack.environment[name]


def test_price_comes_by_mlflow_s_protocol_when_another_model_s_columns_are_named(
    stack: Stack,
) -> None:
    version = find_version(ROOT / "service_b/models/california")
    example = read_card(version)["example"]
    settings = {
        "SERVICE_B_PROTOCOL": "mlflow",
        "GATEWAY_MLFLOW_COLUMNS": str(version / "card.json"),
        "PREDICTOR_MODELS": "models/california.yaml",
    }
    models = Path(stack.environment["MODELS_FOLDER"])
    entry = "{name: california, default: true, sources: [california]}"
    (models / "california.yaml").write_text(f"models: [{entry}]")
    stack.environment |= settings
    try:
        stack.up()
        url = f"{stack.urls['service_a']}/api/v1/predict"
        answer = requests.post(url, json={"instances": [example]}, timeout=WAIT_SECONDS)
    finally:
        for name in settings:
            del stack.environment[name]
        stack.up()
    assert answer.json()["predictions"][0]["predicted_price"] > 10_000


@pytest.mark.parametrize("service", SERVICES)
def test_service_exits_cleanly_in_its_time_of_grace_when_stopped(
    stack: Stack, service: str
) -> None:
    stack.compose("stop", service)

    assert stack.inspect(service)["State"]["ExitCode"] == 0  # 137 would mean that it was killed
