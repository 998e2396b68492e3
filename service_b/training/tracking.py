"""Logging a version to an MLflow server. MLflow is optional, see `requirements-mlflow.txt`."""

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from predictor.card import Feature, ModelCard, read_card
from predictor.version import CHAMPION
from training.errors import TrainingError

# What the logged model runs, and the package of which it needs `predictor.estimators`.
_MODEL_CODE = Path(__file__).with_name("mlflow_model.py")
_PREDICTOR = Path(__file__).resolve().parents[1] / "predictor"


def check_installed() -> None:
    """Find out before minutes are spent on training.

    Raises:
        TrainingError: MLflow isn't installed.
    """
    if find_spec("mlflow") is None:
        raise TrainingError("--mlflow needs MLflow: pip install -r requirements-mlflow.txt")


def log_version(uri: str, version: Path, evaluation: Path | None = None) -> None:
    """Log a version's parameters, metrics, plots and model; register it and give it the alias.

    A version that is registered there already only gets the alias. The registered model holds the
    version folder as it is, under `artifacts/`, from which the predictor loads it, and can be
    served by MLflow itself: it takes the training columns.

    Raises:
        TrainingError: MLflow isn't installed, or the server doesn't take it.
    """
    check_installed()
    import mlflow

    card = read_card(version)
    try:
        mlflow.set_tracking_uri(uri)
        client = mlflow.MlflowClient()
        number = _find(client, card) or _register(client, card, version, evaluation)
        client.set_registered_model_alias(card.name, CHAMPION, number)
    except (mlflow.exceptions.MlflowException, OSError) as error:
        raise TrainingError(
            f"{version} is registered, but {uri} didn't take it: {error}"
        ) from error
    print(f"    {uri}: {card.name} version {number}, alias {CHAMPION}")


def _find(client: Any, card: ModelCard) -> str | None:
    """Find the number that a version has in the registry, if it is there."""
    tags = _tags(card).items()
    versions = client.search_model_versions(f"name = '{card.name}'")
    return next((str(each.version) for each in versions if tags <= each.tags.items()), None)


def _register(client: Any, card: ModelCard, version: Path, evaluation: Path | None) -> str:
    """Log a version as a run, register its model, and return the registry's number for it."""
    import mlflow

    mlflow.set_experiment(card.name)
    with mlflow.start_run(run_name=f"{card.name} version {card.version}", tags=_tags(card)):
        mlflow.log_params({**card.training.parameters, "seed": card.training.seed})
        mlflow.log_metrics(flatten(card.metrics))
        if evaluation:
            mlflow.log_artifacts(str(evaluation), "evaluation")
        logged = mlflow.pyfunc.log_model(
            name=card.name,
            python_model=str(_MODEL_CODE),
            artifacts={"version": str(version)},
            code_paths=[str(_PREDICTOR)],
            signature=_sign(card),
            pip_requirements=[f"{name}=={each}" for name, each in card.libraries.items()]
            + [f"mlflow=={mlflow.__version__}", "fsspec", "pandas", "pydantic"],
            registered_model_name=card.name,
        )
    number = str(logged.registered_model_version)
    for key, value in _tags(card).items():
        client.set_model_version_tag(card.name, number, key, value)
    return number


def flatten(metrics: Mapping[str, Any], prefix: str = "") -> dict[str, float]:
    """Give nested measures as `outer.inner` names; what isn't a number is left out."""
    flat: dict[str, float] = {}
    for name, value in metrics.items():
        if isinstance(value, Mapping):
            flat |= flatten(value, f"{prefix}{name}.")
        elif isinstance(value, int | float):
            flat[prefix + name] = value
    return flat


def _tags(card: ModelCard) -> dict[str, str]:
    return {
        "data_sha256": card.training.data_sha256,
        "code_revision": card.training.code_revision,
        "version": card.version,
        "artifact_sha256": card.artifact.sha256,
    }


def _sign(card: ModelCard) -> Any:
    from mlflow.models import ModelSignature
    from mlflow.types.schema import ColSpec, Schema

    columns = [ColSpec(_type(each), each.column, required=each.required) for each in card.inputs]
    return ModelSignature(Schema(columns), Schema([ColSpec("double", card.target.name)]))


def _type(feature: Feature) -> str:
    if feature.categories is None:
        return "double"
    return "string" if isinstance(feature.categories[0], str) else "long"
