"""The steps in order, what each needs, and which of them have to run."""

import hashlib
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from training import register_step, steps
from training.errors import TrainingError
from training.provenance import CODE, ESTIMATORS, describe_libraries
from training.run import Run
from training.workspace import Dependencies

_MODEL_CODE = ("estimator", "clusters", "hidden_fields", "parameters", "rarity", "typicality")
# Beside those on which a version depends: they read the rows and choose the parameters.
_LIBRARIES = ("pandas", "optuna")
_MODEL_RECIPE = (
    "sums", "products", "ratios", "spaces", "neighbours", "place", "places", "rises", "kernel",
)  # fmt: skip


@dataclass(frozen=True)
class Step:
    """One step: `run` writes its files into a folder.

    If any of the rest changes, the artifact is stale: the artifacts of `needs`, the modules
    `code`, the fields `recipe` of the recipe; and with a change of `options`, or when what it made
    outside the work folder `is_there` no more, the step runs again.
    """

    name: str
    run: Callable[[Run, Path], None]
    needs: tuple[str, ...] = ()
    code: tuple[str, ...] = ()
    recipe: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    is_there: Callable[[Run], bool] = lambda _: True


STEPS = {
    step.name: step
    for step in (
        Step("download", steps.download, (), (), ("dataset",), ("labelled",)),
        Step(
            "prepare",
            steps.prepare_rows,
            ("download",),
            ("preparation", "features", "labelled"),
            ("separator", "repairs", "features"),
        ),
        Step(
            "split",
            steps.split,
            ("prepare",),
            ("parts", "price_level", *_MODEL_CODE),
            _MODEL_RECIPE,
            ("seed", "keep_hold_out"),
        ),
        Step(
            "relate",
            steps.relate,
            ("prepare", "split"),
            ("relations",),
            ("relations",),
        ),
        Step(
            "select",
            steps.select,
            ("prepare", "split"),
            ("selection", *_MODEL_CODE),
            (*_MODEL_RECIPE, "candidates"),
            ("seed", "parameters"),
        ),
        Step(
            "tune",
            steps.tune,
            ("prepare", "split", "select"),
            ("tuning", "journal", "selection", *_MODEL_CODE),
            (*_MODEL_RECIPE, "search"),
            ("seed", "trials", "parameters"),
        ),
        Step(
            "evaluate",
            steps.evaluate,
            ("prepare", "split", "relate", "select", "tune"),
            ("evaluation", "resampling", "measures", "interval", "plots", "report", *_MODEL_CODE),
            (*_MODEL_RECIPE, "slices", "price_edges", "places", "later"),
            ("seed", "splits"),
        ),
        Step(
            "register",
            register_step.register_version,
            ("download", "prepare", "split", "relate", "tune", "evaluate"),
            ("registration", "distribution", "golden", "interval", *_MODEL_CODE),
            (*_MODEL_RECIPE, "title", "description", "target", "example_row"),
            ("seed", "models", "mlflow"),
            register_step.has_version,
        ),
    )
}


def run_pipeline(run: Run, chosen: Sequence[str]) -> None:
    """Run the `chosen` steps in order; without any, all those whose artifact doesn't fit.

    Raises:
        TrainingError: a step failed, or one that it needs has no artifact that fits.
    """
    for number, step in enumerate(STEPS.values(), start=1):
        if chosen and step.name not in chosen:
            continue
        title = f"{number}/{len(STEPS)} {step.name}"
        dependencies = _list_dependencies(run, step)
        asked_for = _describe_options(run, step)
        if not chosen:
            fault = run.workspace.find_fault(step.name, {**dependencies, **asked_for})
            if fault is None and step.is_there(run):
                print(f"{title}: up to date")
                continue
        else:
            _check_needs(run, step)
        print(title)
        started = time.monotonic()
        run.workspace.write(
            step.name,
            {**dependencies, **asked_for},
            lambda folder, step=step: step.run(run, folder),  # type: ignore[misc]
        )
        print(f"    took {math.ceil(time.monotonic() - started)} s")


def _check_needs(run: Run, step: Step) -> None:
    for name in step.needs:
        _check_needs(run, STEPS[name])
        fault = run.workspace.find_fault(name, _list_dependencies(run, STEPS[name]))
        if fault:
            raise TrainingError(
                f"{step.name} needs the artifact of {name}, which is {fault}; "
                f"run --steps {name} first, or all steps"
            )


def _list_dependencies(run: Run, step: Step) -> Dependencies:
    dependencies = {f"step {name}": run.workspace.digest(name) for name in step.needs}
    for name in step.code:
        dependencies[f"{name}.py"] = _hash_file(CODE / f"{name}.py")
    if step.code:
        dependencies |= describe_libraries() | {name: version(name) for name in _LIBRARIES}
    if set(_MODEL_CODE) <= set(step.code):
        dependencies["estimators.py"] = _hash_file(ESTIMATORS)
    for name in step.recipe:
        if name == "features":
            dependencies["features"] = _hash_file(run.recipe.features_file)
        else:
            value = repr(getattr(run.recipe, name)).encode()
            dependencies[f"recipe {name}"] = hashlib.sha256(value).hexdigest()
    return dependencies


def _describe_options(run: Run, step: Step) -> Dependencies:
    values = {name: repr(getattr(run.options, name)) for name in step.options}
    return {name: hashlib.sha256(value.encode()).hexdigest() for name, value in values.items()}


def _hash_file(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
