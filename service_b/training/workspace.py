"""The work folder: what each step made, and whether it still fits.

A step's artifact is a folder with its files and `step.json`, which says from what it was made:
the files of the steps it needs, the code, the libraries, the options. An artifact is written
elsewhere and appears whole, by a rename.
"""

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from training.errors import TrainingError

_MANIFEST = "step.json"

# What an artifact was made from; each part by name.
Dependencies = Mapping[str, str]


@dataclass(frozen=True)
class Workspace:
    """The artifacts of one model's steps, each in `folder/<step>/`."""

    folder: Path

    def locate(self, step: str, file: str) -> Path:
        """Give the path of a step's file."""
        return self.folder / step / file

    def digest(self, step: str) -> str:
        """Say in one word what a step made; `missing` if nothing."""
        manifest = self._read_manifest(step)
        return "missing" if manifest is None else _hash(json.dumps(manifest["files"]).encode())

    def find_fault(self, step: str, dependencies: Dependencies) -> str | None:
        """Say why a step's artifact can't be used, None if it can.

        It has to be there, whole, and made from `dependencies`; it may have others beside them.
        """
        manifest = self._read_manifest(step)
        if manifest is None:
            return "missing"
        for name, sha256 in manifest["files"].items():
            path = self.locate(step, name)
            if not path.is_file() or _hash(path.read_bytes()) != sha256:
                return f"damaged: {path}"
        changed = [
            name
            for name, value in dependencies.items()
            if manifest["dependencies"].get(name) != value
        ]
        return f"stale: {', '.join(changed)} changed" if changed else None

    def write(self, step: str, dependencies: Dependencies, make: Callable[[Path], None]) -> None:
        """Let `make` write the files of a step into a folder, then put it in place.

        Whatever interrupts it, the former artifact or none is there, never half a one.
        """
        unfinished = self.folder / f".{step}-{uuid4().hex}"
        try:
            unfinished.mkdir(parents=True)
            make(unfinished)
            files = {
                str(path.relative_to(unfinished)): _hash(path.read_bytes())
                for path in sorted(unfinished.rglob("*"))
                if path.is_file()
            }
            text = json.dumps({"dependencies": dict(dependencies), "files": files}, indent=2)
            (unfinished / _MANIFEST).write_text(text + "\n", encoding="utf-8")
            shutil.rmtree(self.folder / step, ignore_errors=True)
            unfinished.rename(self.folder / step)
        except OSError as error:
            reason = error.strerror or error
            raise TrainingError(f"cannot write the artifact of {step}: {reason}") from error
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)

    def _read_manifest(self, step: str) -> dict[str, Any] | None:
        try:
            manifest = json.loads(self.locate(step, _MANIFEST).read_bytes())
        except (OSError, ValueError):
            return None
        parts = {"dependencies", "files"}
        return manifest if isinstance(manifest, dict) and parts <= manifest.keys() else None


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
