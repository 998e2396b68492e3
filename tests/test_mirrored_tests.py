"""The tests mirror the packages: every module has the test file of its name."""

from pathlib import Path

from tests.running_lab import ROOT

# Where the tests of each package's modules are.
TESTS = {
    "service_a/gateway": "service_a/tests",
    "service_b/predictor": "service_b/tests",
    "service_b/training": "service_b/tests/training",
    "lab": "tests/lab",
}

# What has no test file of its name, and the file that covers it.
COVERED = {
    "lab/checks.py": "tests/test_scripts.py",
    "lab/errors.py": "tests/lab/test_main.py",
    "lab/help.py": "tests/lab/test_main.py",
    "service_a/gateway/errors.py": "service_a/tests/web/routes/test_process.py",
    "service_a/gateway/forwarding/joined_sends.py": "service_a/tests/forwarding/test_deadline.py",
    "service_a/gateway/forwarding/model_server.py": "service_a/tests/test_mlflow.py",
    "service_a/gateway/input_log/server_process.py": "service_a/tests/input_log/test_postgresql.py",
    "service_a/gateway/input_log/sqlite_writer.py": "service_a/tests/input_log/test_writer.py",
    "service_a/gateway/input_log/upgrade.py": "service_a/tests/input_log/test_tables.py",
    "service_a/gateway/intake/entries.py": "service_a/tests/intake/test_intake.py",
    "service_a/gateway/intake/forward_queue.py": "service_a/tests/intake/test_intake.py",
    "service_a/gateway/intake/groups.py": "service_a/tests/intake/test_batcher.py",
    "service_a/gateway/intake/ports.py": "service_a/tests/intake/test_intake.py",
    "service_a/gateway/intake/waiting_items.py": "service_a/tests/intake/test_batcher.py",
    "service_a/gateway/serving/h11_protocol.py": "service_a/tests/serving/test_http_protocol.py",
    "service_a/gateway/web/actuals_schemas.py": "service_a/tests/web/routes/test_actuals.py",
    "service_a/gateway/web/price_schemas.py": "service_a/tests/web/routes/test_price.py",
    "service_a/gateway/web/quality_schemas.py": "service_a/tests/web/routes/test_quality.py",
    "service_a/gateway/web/routes/failures.py": "service_a/tests/web/routes/test_process.py",
    "service_a/gateway/web/schemas.py": "service_a/tests/web/test_validation.py",
    "service_b/predictor/errors.py": "service_b/tests/web/routes/test_failures.py",
    "service_b/predictor/fast_path/leaf_tables.py": "service_b/tests/fast_path/test_forest.py",
    "service_b/predictor/fast_path/trees.py": "service_b/tests/fast_path/test_forest.py",
    "service_b/predictor/inference/served_model.py": "service_b/tests/inference/test_card_model.py",
    "service_b/predictor/serving/h11_protocol.py": "service_b/tests/serving/test_http_protocol.py",
    "service_b/predictor/web/schemas.py": "service_b/tests/web/routes/test_predict.py",
    "service_b/training/alias.py": "service_b/tests/training/test_registration.py",
    "service_b/training/ames.py": "service_b/tests/training/test_pipeline.py",
    "service_b/training/arguments.py": "service_b/tests/training/test_main.py",
    "service_b/training/california.py": "service_b/tests/training/test_shipped.py",
    "service_b/training/command_line.py": "service_b/tests/training/test_main.py",
    "service_b/training/command_options.py": "service_b/tests/training/test_main.py",
    "service_b/training/commands.py": "service_b/tests/training/test_main.py",
    "service_b/training/comparison_report.py": "service_b/tests/training/test_comparison.py",
    "service_b/training/errors.py": "service_b/tests/training/test_main.py",
    "service_b/training/evaluation.py": "service_b/tests/training/test_pipeline.py",
    "service_b/training/golden.py": "service_b/tests/training/test_pipeline.py",
    "service_b/training/hidden_fields.py": "service_b/tests/training/test_interval.py",
    "service_b/training/journal.py": "service_b/tests/training/test_tuning.py",
    "service_b/training/mlflow_model.py": "service_b/tests/training/test_tracking.py",
    "service_b/training/parameters.py": "service_b/tests/training/test_tuning.py",
    "service_b/training/plots.py": "service_b/tests/training/test_pipeline.py",
    "service_b/training/recipe.py": "service_b/tests/training/test_pipeline.py",
    "service_b/training/register_step.py": "service_b/tests/training/test_pipeline.py",
    "service_b/training/report.py": "service_b/tests/training/test_pipeline.py",
    "service_b/training/reproduction.py": "service_b/tests/training/test_pipeline.py",
    "service_b/training/run.py": "service_b/tests/training/test_pipeline.py",
    "service_b/training/selection.py": "service_b/tests/training/test_pipeline.py",
    "service_b/training/steps.py": "service_b/tests/training/test_pipeline.py",
    "service_b/training/watch_plots.py": "service_b/tests/training/test_watch.py",
    "service_b/training/watch_report.py": "service_b/tests/training/test_watch.py",
}


def list_modules() -> list[str]:
    paths = (path for package in TESTS for path in (ROOT / package).rglob("*.py"))
    return sorted(str(path.relative_to(ROOT)) for path in paths if path.name != "__init__.py")


def find_own_test(module: str) -> Path:
    package = next(package for package in TESTS if module.startswith(f"{package}/"))
    path = ROOT / TESTS[package] / Path(module).relative_to(package)
    return path.with_name(f"test_{path.name.strip('_').replace('__.', '.')}")


def test_every_module_has_the_test_file_of_its_name_or_is_listed() -> None:
    untested = {module for module in list_modules() if not find_own_test(module).exists()}
    assert untested == COVERED.keys()


def test_every_file_that_covers_another_module_exists() -> None:
    assert [test for test in COVERED.values() if not (ROOT / test).is_file()] == []
