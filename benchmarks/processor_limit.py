"""Part of a processor for a process, and no more: by a control group, as engines do it."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

# Short, so that a process that has used up its part is more like a slow one than a halting one.
_PERIOD_US = 20_000
_V1, _V2 = Path("/sys/fs/cgroup/cpu"), Path("/sys/fs/cgroup")


class LimitRefused(Exception):
    """The system doesn't let this user limit a processor."""


@contextmanager
def limited(processes: Iterable[int], share: float) -> Iterator[None]:
    """Give each of these processes at most a share of one processor.

    Raises:
        LimitRefused: only root may do this, and in a container often nobody.
    """
    root = _V1 if (_V1 / "cgroup.procs").exists() else _V2
    groups = []
    try:
        if root == _V2:
            (root / "cgroup.subtree_control").write_text("+cpu")
        for process in processes:
            group = root / f"ml-lab-benchmark-{process}"
            group.mkdir()
            groups.append(group)
            _limit(group, round(share * _PERIOD_US))
            (group / "cgroup.procs").write_text(str(process))
    except OSError as error:
        _remove(groups)
        message = f"a processor can't be limited ({error.strerror}); this part needs root"
        raise LimitRefused(message) from error
    try:
        yield
    finally:
        _remove(groups)


def _limit(group: Path, quota_us: int) -> None:
    if group.parent == _V2:
        (group / "cpu.max").write_text(f"{quota_us} {_PERIOD_US}")
    else:
        (group / "cpu.cfs_period_us").write_text(str(_PERIOD_US))
        (group / "cpu.cfs_quota_us").write_text(str(quota_us))


def _remove(groups: Iterable[Path]) -> None:
    for group in groups:
        for process in (group / "cgroup.procs").read_text().split():
            (group.parent / "cgroup.procs").write_text(process)
        group.rmdir()
