"""The parts of the benchmark; each starts what it needs, and can be run alone."""

from collections.abc import Callable

from benchmarks.behaviour import measure_health, measure_memory, measure_start
from benchmarks.bench import Bench
from benchmarks.comparison import compare, compare_peers
from benchmarks.input_sizes import measure_batches, measure_fields
from benchmarks.model_speed import measure_model
from benchmarks.quality import measure_quality
from benchmarks.report import Result
from benchmarks.revisions import compare_revisions
from benchmarks.scale import measure_scale
from benchmarks.shadow import measure_shadow
from benchmarks.sizes import measure_log_sizes, measure_replicas, measure_workers
from benchmarks.traces import measure_traces
from benchmarks.tricks import measure_tricks
from benchmarks.watchers import measure_watchers

PARTS: dict[str, Callable[[Bench], Result]] = {
    "compare": compare,
    "peers": compare_peers,
    "tricks": measure_tricks,
    "revisions": compare_revisions,
    "watchers": measure_watchers,
    "traces": measure_traces,
    "shadow": measure_shadow,
    "scale": measure_scale,
    "fields": measure_fields,
    "batches": measure_batches,
    "model": measure_model,
    "quality": measure_quality,
    "log-size": measure_log_sizes,
    "workers": measure_workers,
    "replicas": measure_replicas,
    "health": measure_health,
    "memory": measure_memory,
    "start": measure_start,
}
