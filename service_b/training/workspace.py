"""The work folder: what each step made, and whether it still fits.

A step's artifact is a folder with its files and `step.json`, which says from what it was made:
the files of the steps it needs, the code, the libraries, the options. An artifact is written
elsewhere and appears whole, by a rename.
"""

import errno
import hashlib
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from training.errors import TrainingError

if sys.platform == "win32":
    import msvcrt

    def _open_lock(folder: Path) -> int:
        return os.open(folder / ".lock", os.O_RDWR | os.O_CREAT)

    def _take(lock: int) -> None:
        msvcrt.locking(lock, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _open_lock(folder: Path) -> int:
        return os.open(folder, os.O_RDONLY)

    def _take(lock: int) -> None:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)


_MANIFEST = "step.json"

# What an artifact was made from; each part by name.
Dependencies = Mapping[str, str]


@dataclass(frozen=True)
class Workspace:
    """The artifacts of one model's steps, each in `folder/<step>/`."""

    folder: Path

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Keep other trainings out of the folder, and clear away what a killed one left.

        The system gives the lock up when the process ends, however it ends.

        Raises:
            TrainingError: another training has it, or the folder can't be used.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            lock = _open_lock(self.folder)
        except OSError as error:
            raise TrainingError(f"cannot use {self.folder}: {error.strerror}") from error
        try:
            _take(lock)
        except OSError as error:
            # With another number it's a file system without locks, which keeps nobody out.
            if error.errno in (errno.EAGAIN, errno.EACCES):
                os.close(lock)
                raise TrainingError(
                    f"another training works in {self.folder}; wait for its end, or give --work DIR"
                ) from error
        try:
            for unfinished in self.folder.glob(f".*-{'[0-9a-f]' * 32}"):
                shutil.rmtree(unfinished, ignore_errors=True)
            yield
        finally:
            os.close(lock)

    def locate(self, step: str, file: str) -> Path:
        """Give the path of a step's file."""
        return self.folder / step / file

    def digest(self, step: str) -> str:
        """Say in one word what a step made; `missing` if nothing."""
        manifest = self._read_manifest(step)
        return "missing" if manifest is None else _hash(json.dumps(manifest["files"]).encode())

    def digest_whole(self, step: str) -> str:
        """Say in one word what a step made and from what; `missing` if nothing."""
        manifest = self._read_manifest(step)
        return "missing" if manifest is None else _hash(json.dumps(manifest).encode())

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
        except BrokenPipeError:
            raise  # nobody reads what is printed any more
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
        is_whole = isinstance(manifest, dict) and all(
            isinstance(manifest.get(part), dict) for part in ("dependencies", "files")
        )
        return manifest if is_whole else None


def write_json(path: Path, content: Any) -> None:
    try:
        path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise TrainingError(f"cannot write {path}: {error.strerror}") from error


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
