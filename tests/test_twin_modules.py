"""What stands in both services on purpose stays equal, apart from the service's name.

The services share no code: each is built, tested and deployed alone. What both need is in both.
"""

import ast
import difflib
from pathlib import Path

import pytest

from tests.running_lab import ROOT

GATEWAY = ROOT / "service_a" / "gateway"
PREDICTOR = ROOT / "service_b" / "predictor"
NAMES = {
    "gateway": "predictor",
    "Gateway": "Predictor",
    "GATEWAY": "PREDICTOR",
    "Service A": "Service B",
}

# Equal from the first line to the last. Their tests are too.
EQUAL = [
    "env_file.py",
    "faults.py",
    "serving/bounded_protocol.py",
    "serving/byte_budget.py",
    "serving/direct_routes.py",
    "serving/head_check.py",
    "serving/h11_protocol.py",
    "serving/http_protocol.py",
    "serving/httptools_protocol.py",
    "serving/limits.py",
    "serving/server.py",
    "serving/standard_streams.py",
    "serving/stopping.py",
    "serving/waits.py",
    "serving/workers.py",
    "spelling.py",
    "telemetry/line_writer.py",
    "telemetry/log_lines.py",
    "telemetry/redaction.py",
    "telemetry/span_export.py",
    "telemetry/tracing_variables.py",
    "web/foreign_pages.py",
    "web/json_body.py",
    "web/middleware/allowed_hosts.py",
    "web/middleware/allowed_methods.py",
    "web/middleware/byte_ranges.py",
    "web/middleware/head_requests.py",
    "web/middleware/json_errors.py",
    "web/middleware/request_line.py",
    "web/middleware/request_spans.py",
    "web/middleware/root_path.py",
    "web/query_parameters.py",
    "web/routes/faults.py",
    "web/suggestion.py",
]
# Tested with `serving/http_protocol.py`, which is one of them.
NO_TESTS = {"serving/h11_protocol.py"}
# What equal tests have in common.
FOR_TESTS = ["serving/conftest.py", "serving/running_server.py"]
# These start a process of their own service, look into its own log lines, or have its faults.
OWN_TESTS = {
    "web/routes/faults.py",
    "serving/server.py",
    "serving/workers.py",
    "telemetry/log_lines.py",
    "web/middleware/request_line.py",
}
# In other modules of the same name, what has the same name is equal as well, except for these.
OWN = {
    "app.py": {"Predictor", "_describe_telemetry", "_make_span_export", "create_app"},
    "command.py": {"_parse", "_write_openapi", "make_app"},  # Service B has models
    "errors.py": {"InputRejected"},  # by a hook of Service B; by Service B itself
    "settings.py": {
        "SECRETS",
        "Settings",
        "_describe",  # a URL of Service A's may hold a password without an @
        "_describe_default",  # a setting of Service B's is a list
    },
    "telemetry/metrics.py": {"Metrics", "_DURATIONS_SECONDS"},
    "telemetry/spans.py": {"add_stages", "read_span"},
    "telemetry/trace.py": {"Trace", "_SANE_ID", "_TRACEPARENT", "read_trace"},
    "web/routes/failures.py": {"add_failure_handlers"},
    "web/routes/status.py": {"read_metrics", "read_health"},
    "web/schemas.py": {"HealthAnswer", "RootAnswer"},
}


def read_as_predictor(module: Path) -> str:
    text = module.read_text(encoding="utf-8")
    for ours, theirs in NAMES.items():
        text = text.replace(ours, theirs)
    return text


def read_definitions(text: str) -> dict[str, str]:
    """Return the text of each function, class and constant, by its name."""
    lines = text.splitlines()
    definitions = {}
    for node in ast.parse(text).body:
        start = node.lineno
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                name = node.name
                start = min([start, *(each.lineno for each in node.decorator_list)])
            case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
                pass
            case _:
                continue
        definitions[name] = "\n".join(lines[start - 1 : node.end_lineno])
    return definitions


def find_differing(module: str) -> dict[str, str]:
    """Return how the definitions of the same name differ, by name."""
    gateway, predictor = (
        read_definitions(read_as_predictor(package / module)) for package in (GATEWAY, PREDICTOR)
    )
    return {
        name: compare(module, gateway[name], predictor[name])
        for name in gateway.keys() & predictor.keys()
        if gateway[name] != predictor[name]
    }


def compare(name: str, gateway: str, predictor: str) -> str:
    return "\n".join(
        difflib.unified_diff(
            gateway.splitlines(),
            predictor.splitlines(),
            f"service_a: {name} (with the names of Service B)",
            f"service_b: {name}",
            lineterm="",
        )
    )


def list_twins() -> list[str]:
    """Return the modules that are in both services."""
    modules = (str(path.relative_to(GATEWAY)) for path in GATEWAY.rglob("*.py"))
    return sorted(module for module in modules if (PREDICTOR / module).exists())


def list_equal_files() -> list[tuple[Path, Path]]:
    modules = [(GATEWAY / module, PREDICTOR / module) for module in EQUAL]
    tests = [
        str(Path(module).with_name(f"test_{Path(module).name}"))
        for module in EQUAL
        if module not in OWN_TESTS | NO_TESTS
    ]
    ours, theirs = ROOT / "service_a" / "tests", ROOT / "service_b" / "tests"
    return [*modules, *((ours / file, theirs / file) for file in [*tests, *FOR_TESTS])]


@pytest.mark.parametrize(("ours", "theirs"), list_equal_files(), ids=lambda path: path.name)
def test_files_are_equal_from_the_first_line_to_the_last(ours: Path, theirs: Path) -> None:
    gateway, predictor = read_as_predictor(ours), read_as_predictor(theirs)
    if gateway != predictor:
        pytest.fail(compare(ours.name, gateway, predictor), pytrace=False)


@pytest.mark.parametrize("module", list_twins())
def test_definitions_of_the_same_name_are_equal(module: str) -> None:
    differing = find_differing(module)
    drifted = [differing[name] for name in sorted(differing.keys() - OWN.get(module, set()))]
    if drifted:
        pytest.fail("\n\n".join(drifted), pytrace=False)


def test_what_is_listed_as_its_service_s_own_is_different() -> None:
    equal = {module: names - find_differing(module).keys() for module, names in OWN.items()}
    assert not any(equal.values()), equal
