"""The estimator: scikit-learn's models on the columns that `predictor.estimators` makes.

It takes an object array of shape (rows, inputs), columns in the card's order: numbers as float,
a category exactly as in the card's `categories`, NaN for anything unknown. It gives prices in the
unit of the recipe's target.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestRegressor, VotingRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline

from predictor.card import Feature
from predictor.estimators import (
    BoundedExp,
    Clusters,
    Derived,
    Encoder,
    GaussianProcess,
    LinearDesign,
    NearbyTargets,
    ReducedBlend,
)
from training.clusters import choose, cluster, place_rows
from training.errors import TrainingError
from training.hidden_fields import Inputs, hide_fields, keep_required
from training.parameters import Parameters
from training.recipe import Recipe

Prices = npt.NDArray[np.float64]
Rises = Mapping[str, Sequence[object]]

# The smallest error that the spread learns from: below it the logarithm says nothing more.
_LEAST_LOG_ERROR = 1e-4
# Neighbours nearer than this (in weighted degrees) count alike.
_SOFTENING = 0.01


def fit_estimator(
    recipe: Recipe,
    features: Sequence[Feature],
    inputs: Inputs,
    prices: Prices,
    seed: int,
    parameters: Parameters,
) -> TransformedTargetRegressor:
    """Train on the rows and on copies with fields hidden. The same seed gives the same bits.

    No prediction lies beyond half the cheapest or twice the dearest price.
    """
    copies = [
        *[inputs] * parameters.whole_copies,
        *(
            hide_fields(features, inputs, np.random.default_rng([seed, number]))
            for number in range(parameters.partial_copies)
        ),
        *[keep_required(features, inputs)] * parameters.required_copies,
    ]
    columns = _build_columns(recipe, features, inputs, seed, parameters)
    added = sum(each.added for each in columns)
    rises = recipe.rises if parameters.rising else {}
    members: list[tuple[str, Any]] = []
    weights = []
    for name, weight in parameters.weights.items():
        times = 1 if name == "linear" else parameters.seeds
        for number in range(times if weight else 0):
            own = seed + number
            member = _build_member(name, features, added, rises, own, parameters)
            members.append((f"{name} {number + 1}", member))
            weights.append(weight / times)
    blend = VotingRegressor(members, weights=weights)
    if parameters.reduced_share:
        blend = _add_reduced(blend, recipe, features, len(copies), parameters)
    # Learning the logarithm makes an error of 10% weigh the same for a cheap and a dear house.
    estimator = TransformedTargetRegressor(
        regressor=make_pipeline(_build_encoder(features, rises), *columns, blend),
        func=np.log,
        inverse_func=BoundedExp(float(prices.min()) / 2, float(prices.max()) * 2),
        check_inverse=False,
    )
    return estimator.fit(np.concatenate(copies), np.tile(prices, len(copies)))


def fit_spread(
    recipe: Recipe,
    features: Sequence[Feature],
    inputs: Inputs,
    log_errors: Prices,
    coverage: float,
    seed: int,
    parameters: Parameters,
) -> TransformedTargetRegressor:
    """Learn how large errors are, from rows and the absolute log errors made on them.

    It gives the error that a share `coverage` of such rows stays below.
    """
    trees = HistGradientBoostingRegressor(
        loss="quantile",
        quantile=coverage,
        max_iter=parameters.spread_trees,
        max_leaf_nodes=parameters.spread_leaves_per_tree,
        min_samples_leaf=50,
        early_stopping=False,
        random_state=seed,
    )
    estimator = TransformedTargetRegressor(
        regressor=make_pipeline(
            _build_encoder(features, {}), _build_derived(recipe, features), trees
        ),
        func=np.log,
        inverse_func=np.exp,
    )
    return estimator.fit(inputs, np.maximum(log_errors, _LEAST_LOG_ERROR))


def _build_encoder(features: Sequence[Feature], rises: Rises) -> Encoder:
    return Encoder(
        tuple(
            each.categories and tuple(sorted(each.categories, key=_rank(rises.get(each.name, ()))))
            for each in features
        ),
        tuple(each.name in rises for each in features),
    )


def _rank(order: Sequence[object]) -> Callable[[object], int]:
    """Rank what isn't in the order first: the category for none."""
    return lambda each: order.index(each) if each in order else -1


def _build_derived(recipe: Recipe, features: Sequence[Feature]) -> Derived:
    place = {feature.name: index for index, feature in enumerate(features)}
    return Derived(
        sums=tuple(tuple((place[n], w) for n, w in each.items()) for each in recipe.sums),
        products=tuple((place[first], place[second]) for first, second in recipe.products),
        ratios=tuple((place[above], place[below]) for above, below in recipe.ratios),
    )


def _build_columns(
    recipe: Recipe, features: Sequence[Feature], inputs: Inputs, seed: int, parameters: Parameters
) -> list[Derived | Clusters | NearbyTargets]:
    """The columns that are appended to the encoded ones, for all members alike."""
    place = {feature.name: index for index, feature in enumerate(features)}
    steps: list[Derived | Clusters | NearbyTargets] = []
    if parameters.derived:
        steps.append(_build_derived(recipe, features))
    if parameters.clusters:
        found = choose(cluster(place_rows(recipe.place, features, inputs), seed))
        space = tuple((place[n], w) for n, w in recipe.place.items())
        steps.append(Clusters(space, found.centres))
    if parameters.nearby:
        spaces = tuple(tuple((place[n], w) for n, w in each.items()) for each in recipe.spaces)
        steps.append(NearbyTargets(spaces, recipe.neighbours, _SOFTENING))
    return steps


def _add_reduced(
    blend: VotingRegressor,
    recipe: Recipe,
    features: Sequence[Feature],
    copies: int,
    parameters: Parameters,
) -> ReducedBlend:
    kernel = recipe.kernel
    if kernel is None:
        raise TrainingError(f"a reduced share needs a kernel, which {recipe.name} doesn't have")
    required = [feature.name for feature in features if feature.required]
    scales = tuple((required.index(name), length) for name, length in kernel.scales.items())
    process = GaussianProcess(scales, kernel.place, kernel.local, kernel.shrink, kernel.noise)
    known = tuple(feature.required for feature in features)
    return ReducedBlend(blend, process, known, parameters.reduced_share, copies)


def _build_member(
    name: str,
    features: Sequence[Feature],
    added: int,
    rises: Rises,
    seed: int,
    parameters: Parameters,
) -> Any:
    """One of those that are averaged; it gets `added` columns behind those of the features."""
    rising = (*(each.name in rises for each in features), *[False] * added)
    if name != "linear":
        return make_pipeline(*_impute(parameters), _build_trees(name, seed, parameters))
    sizes = [None if f.categories is None else len(f.categories) for f in features]
    straight = tuple(np.flatnonzero(rising).tolist())
    design = LinearDesign((*sizes, *[None] * added), parameters.linear_gated, straight)
    return make_pipeline(*_impute(parameters), design, Ridge(alpha=parameters.linear_penalty))


def _impute(parameters: Parameters) -> list[SimpleImputer]:
    if parameters.imputation == "native":
        return []
    flagged = parameters.imputation == "median_flagged"
    return [SimpleImputer(strategy="median", add_indicator=flagged)]


def _build_trees(name: str, seed: int, parameters: Parameters) -> Any:
    if name == "forest":
        return RandomForestRegressor(
            n_estimators=parameters.trees,
            min_samples_leaf=parameters.rows_per_leaf,
            max_features=parameters.features_per_split,
            random_state=seed,
        )
    return HistGradientBoostingRegressor(
        loss={"boosting": "squared_error", "median_boosting": "absolute_error"}[name],
        max_iter=parameters.trees,
        learning_rate=parameters.learning_rate,
        max_leaf_nodes=parameters.leaves_per_tree,
        min_samples_leaf=parameters.rows_per_leaf,
        max_features=parameters.features_per_split,
        l2_regularization=parameters.penalty,
        early_stopping=False,
        random_state=seed,
    )


def locate_distances(estimator: TransformedTargetRegressor) -> tuple[int, int]:
    """Say in which columns, before the last step, the distances in the first space are."""
    encoder, *steps = (each for _, each in estimator.regressor_.steps[:-1])
    before = len(encoder.categories)
    for step in steps:
        if isinstance(step, NearbyTargets):
            nearest = before + len(step.counts)
            return nearest, nearest + 1
        before += step.added
    raise TrainingError("the estimator has no columns of nearby rows")
