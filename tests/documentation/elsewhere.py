"""The commands of the documents that the reader leaves to other tests, in one place."""

import re

RUN_ELSEWHERE = {
    # what a block begins with, after `cd`: the test that runs it
    "./run_services.sh": "tests/test_scripts.py",
    "./test_services.sh\n": ".ci/run",
    "./benchmarks/run.sh": "tests/test_benchmarks.py",
    "docker compose ": "tests/test_compose.py",
    "lab() { docker compose": "tests/test_compose.py",
    "export SERVICE_B_PORT=8001-8002": "tests/test_compose.py",
    "docker swarm init": "tests/test_swarm.py",
    "make_key() {": "tests/test_swarm.py",
    "docker stack deploy": "tests/test_swarm.py",
    "docker service update": "tests/test_swarm.py",
    "kubectl apply -k": "tests/test_kubernetes.py",
    "promtool ": "tests/test_alerts.py",
    "npx reveal-md@6.1.4 docs/slides.md": "tests/test_pages.py",
    "mkdir -p class/wheels": "tests/test_teaching.py",
    "python3 -m http.server --directory class": "tests/test_teaching.py",
    "export PIP_NO_INDEX=1": "tests/test_teaching.py",
    "curl http://ADDRESS:8009/images.tar.gz": "tests/test_compose.py",
    "npx newman run docs/postman_collection.json": ".ci/run",
    "export INPUT_LOG_URL=postgresql": "tests/test_compose.py",
    "python3 -m venv viewer": "tests/test_mlflow.py",
    "service_a/.venv/bin/pip install -r service_a/requirements-tracing.txt": "tests/test_traces.py",
    "export TRAINING=": "tests/test_compose.py",
    "pip install ./service_a ./service_b": "tests/test_packages.py",
    "predictor --models": "tests/test_packages.py",
    "python3 -m venv .venv": "tests/test_documentation.py",
    ".venv/bin/pip install -r requirements-training": "service_b/tests/training/test_pipeline.py",
    ".venv/bin/pip install mlflow": "service_b/tests/training/test_tracking.py",
    ".venv/bin/python -m training ames\n": "service_b/tests/training/test_pipeline.py",
    ".venv/bin/python -m training ames --labelled": "service_b/tests/training/test_pipeline.py",
    ".venv/bin/python -m training ames --mlflow": "service_b/tests/training/test_tracking.py",
    ".venv/bin/python -m training market --to http://localhost:8000 --rows 300": (
        "service_b/tests/training/test_sending.py"
    ),
    ".venv/bin/python -m training publish": "tests/test_compose.py",
    ".venv/bin/python -m training list": "service_b/tests/training/test_versions.py",
    ".venv/bin/python -m training compare california 2 3": (
        "service_b/tests/training/test_versions.py"
    ),
    ".venv/bin/python -m training compare ames 1 2 --labelled": (
        "service_b/tests/training/test_comparison.py"
    ),
    ".venv/bin/python -m training watch ames --inputs http://localhost:8000\n": (
        "service_b/tests/training/test_watch.py"
    ),
    ".venv/bin/python -m training reproduce": "service_b/tests/training/test_pipeline.py",
}


def find_test(command: str) -> str | None:
    """Return the test that runs a command, if it isn't the reader who does."""
    command = re.sub(r"^(cd \S+\n)+", "", command)
    for beginning, test in RUN_ELSEWHERE.items():
        if command.startswith(beginning):
            return test
    return None
