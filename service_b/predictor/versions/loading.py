"""Loading a version of a model as its entry in models.yaml says: checks, hooks, warm-up."""

from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import Any

from predictor.errors import ManifestError, ModelRefused, SourceUnavailable
from predictor.inference.hooks import HookedModel
from predictor.inference.python_model import load_python
from predictor.inference.registered_model import load_registered
from predictor.inference.served_model import ServedModel
from predictor.version import Folder
from predictor.versions.manifest import ModelEntry

Load = Callable[[Folder | None], ServedModel]


def build_loader(entry: ModelEntry, *, fast_path: bool = True) -> Load:
    """Make the function that loads, checks and warms up a version.

    It raises `ModelRefused` when a check fails, `SourceUnavailable` when files can't be read now.

    Raises:
        ManifestError: there is no such class or hook.
    """
    load: Load
    if entry.class_path is None:
        load = partial(_load_registered, entry.name, fast_path)
    else:
        constructor = _import(entry, "class_path")
        load = partial(load_python, entry.name, constructor, entry.parameters)
    before, after = _import(entry, "before"), _import(entry, "after")

    def load_and_warm_up(folder: Folder | None) -> ServedModel:
        where = folder.path if folder else entry.name
        try:
            model = load(folder)
            if before or after:
                model = HookedModel(model, before, after)
            model.predict([model.input_type.model_validate(model.example)])
        except (ModelRefused, SourceUnavailable):
            raise
        except SystemExit as error:
            # Raised by a class or a pickle, it would silently end the thread that watches.
            raise ModelRefused(f"{where}: wants to end the process: {error!r}") from error
        except Exception as error:
            raise ModelRefused(f"{where}: fails on its example: {error!r}") from error
        return model

    return load_and_warm_up


def _load_registered(name: str, fast_path: bool, folder: Folder | None) -> ServedModel:
    if folder is None:
        raise ModelRefused(f"{name}: has no files")
    return load_registered(name, folder, fast_path=fast_path)


def _import(entry: ModelEntry, key: str) -> Any:
    """Import what a key of the entry names, such as `examples.iris.IrisModel`; None if nothing."""
    path = getattr(entry, key)
    if path is None:
        return None
    module, _, name = path.rpartition(".")
    try:
        return getattr(import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise ManifestError(f"{path} can't be imported: {error}", key) from error
