"""The field that a caller most likely meant by an unknown name."""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Any

from pydantic import AliasChoices, BaseModel
from pydantic.fields import FieldInfo

# No field has a longer name, but a hostile caller's may be a megabyte.
_MAX_CHARS = 64
_MIN_LIKENESS = 0.5

Pairs = frozenset[tuple[str, str]]


def suggest_field(model: type[BaseModel], value: Any, place: Sequence[str | int]) -> str | None:
    """Return the field most like the last name of `place`, in camelCase if the name is.

    None if no field is like it, if the caller has given that field already, or if the place is
    deeper than the value's own fields. Letter pairs find what difflib finds, in less time.
    """
    name = str(place[-1])
    if len(place) > 1 or len(name) > _MAX_CHARS:
        return None
    pairs = _pair(name)
    likeness = {names: _compare(pairs, theirs) for names, theirs in _index(model).items()}
    nearest = max(likeness, key=likeness.__getitem__, default=())
    if likeness.get(nearest, 0) < _MIN_LIKENESS or any(each in value for each in nearest):
        return None
    return next((each for each in nearest if _is_camel(each) == _is_camel(name)), nearest[0])


def suggest_name(name: str, names: Iterable[str]) -> str | None:
    """Return the one of `names` that is most like a name, if any is like it."""
    if len(name) > _MAX_CHARS:
        return None
    pairs = _pair(name)
    likeness = {each: _compare(pairs, _pair(each)) for each in names}
    nearest = max(likeness, key=likeness.__getitem__, default="")
    return nearest if likeness.get(nearest, 0) >= _MIN_LIKENESS else None


# Types come and go with the versions of a model.
@lru_cache(maxsize=32)
def _index(model: type[BaseModel]) -> dict[tuple[str, ...], Pairs]:
    """Return the names that each field goes by, and the letter pairs of the first."""
    all_names = [_list_names(*each) for each in model.model_fields.items()]
    return {names: _pair(names[0]) for names in all_names}


def _list_names(name: str, field: FieldInfo) -> tuple[str, ...]:
    alias = field.validation_alias
    choices = alias.choices if isinstance(alias, AliasChoices) else [alias]
    return tuple(each for each in choices if isinstance(each, str)) or (name,)


def _is_camel(name: str) -> bool:
    return "_" not in name and name != name.lower()


def _pair(name: str) -> Pairs:
    """Return the letter pairs of a name, whichever way its words are set apart."""
    marked = f"^{''.join(filter(str.isalnum, name)).lower()}$"
    return frozenset(pairwise(marked))


def _compare(ours: Pairs, theirs: Pairs) -> float:
    """Return the share of pairs that both have: 0 is none, 1 is all."""
    return 2 * len(ours & theirs) / (len(ours) + len(theirs))
