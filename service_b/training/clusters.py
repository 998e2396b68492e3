"""Geographic clusters: k-means on the coordinates, as many clusters as part the rows best."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.cluster import KMeans
from sklearn.metrics import silhouette_score

from predictor.card import Feature
from training.hidden_fields import Inputs

Points = npt.NDArray[np.float64]

COUNTS = range(5, 16)
# The silhouette compares each row with each other one. So many, drawn with the seed, say the same
# as all.
SAMPLE = 4_000
_STARTS = 4


@dataclass(frozen=True)
class Clustering:
    """The centres of clusters, and how well they part the rows.

    `inertia` is the sum of the squared distances to the centres: it falls with every cluster more,
    from some number on only slowly, at the elbow. `silhouette` says how much nearer a row is to its
    own cluster than to the next, at most 1.
    """

    centres: tuple[tuple[float, ...], ...]
    inertia: float
    silhouette: float


def place_rows(place: Mapping[str, float], features: Sequence[Feature], inputs: Inputs) -> Points:
    """Give the points at which the rows lie; `place` holds the weight of each coordinate."""
    names = [feature.name for feature in features]
    columns = [weight * inputs[:, names.index(name)] for name, weight in place.items()]
    return np.column_stack(columns).astype(np.float64)


def cluster(points: Points, seed: int) -> list[Clustering]:
    """Cluster the points into each of `COUNTS`."""
    found = []
    for count in COUNTS:
        means = KMeans(count, n_init=_STARTS, random_state=seed).fit(points)
        silhouette = silhouette_score(
            points, means.labels_, sample_size=min(SAMPLE, len(points)), random_state=seed
        )
        centres = tuple(map(tuple, means.cluster_centers_.tolist()))
        found.append(Clustering(centres, float(means.inertia_), float(silhouette)))
    return found


def choose(clusterings: Sequence[Clustering]) -> Clustering:
    """Choose the one with the greatest silhouette."""
    return max(clusterings, key=lambda each: each.silhouette)


def describe(clusterings: Sequence[Clustering]) -> list[dict[str, Any]]:
    """Give the figures by which one is chosen, as JSON."""
    return [
        {
            "clusters": len(each.centres),
            "inertia": each.inertia,
            "silhouette": each.silhouette,
            "chosen": each is choose(clusterings),
        }
        for each in clusterings
    ]
