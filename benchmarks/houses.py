"""Many distinct houses, the same in every run, and the forms in which servers take them."""

import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

House = dict[str, Any]
Card = dict[str, Any]

# A number moves from the example's by up to this share of what the card allows.
_REACH = 0.1


def find_version(repository: Path) -> Path:
    """Find the version that Service B serves: the champion, or else the highest."""
    try:
        alias = json.loads((repository / "alias.json").read_text(encoding="utf-8"))
        return repository / str(alias["champion"])
    except FileNotFoundError:
        numbers = [int(each.name) for each in repository.iterdir() if each.name.isdecimal()]
        return repository / str(max(numbers))


def read_card(version_folder: Path) -> Card:
    """Read the card of a registered model version."""
    card: Card = json.loads((version_folder / "card.json").read_text(encoding="utf-8"))
    return card


def make_houses(card: Card, count: int) -> list[House]:
    """Vary the card's example within its bounds and categories; every field is known.

    Field names are the card's, `None` stands for "none of it".
    """
    chance = random.Random(0)
    features = [feature for feature in card["features"] if feature["kind"] != "identifier"]
    return [
        {each["name"]: _vary(each, card["example"], chance) for each in features}
        for _ in range(count)
    ]


def _vary(feature: dict[str, Any], example: House, chance: random.Random) -> Any:
    value = example.get(feature["name"])
    if feature["kind"] == "category":
        choices = feature["categories"]
        if "none" in feature:
            choices = [None if each == feature["none"] else each for each in choices]
        return value if chance.random() < 0.5 else chance.choice(choices)
    low, high = feature["minimum"], feature["maximum"]
    if value is None:
        value = (low + high) / 2
    value = min(high, max(low, value + chance.uniform(-_REACH, _REACH) * (high - low)))
    return round(value)


def keep_fields(card: Card, house: House, count: int) -> House:
    """Leave only the required fields, and as many others as make `count`."""
    names = [each["name"] for each in card["features"] if each["name"] in house]
    required = [each["name"] for each in card["features"] if each.get("required")]
    others = [name for name in names if name not in required]
    return {name: house[name] for name in [*required, *others][:count]}


def to_training_row(card: Card, house: House) -> House:
    """Write a house as the training data has it: a code, not null, for "none of it"."""
    codes = {each["name"]: each.get("none") for each in card["features"]}
    return {name: codes[name] if value is None else value for name, value in house.items()}


def to_public(house: House, id_: int) -> House:
    """Write a house with the names of the public contract, which also wants an id."""
    return {"id": id_} | {_to_camel(name): value for name, value in house.items()}


def _to_camel(name: str) -> str:
    """As pydantic does it: `exterior1st` becomes `exterior1St`."""
    camel = "".join(part.title() for part in name.split("_"))
    return camel[0].lower() + camel[1:]


def write_bodies(file: Path, bodies: Sequence[object]) -> None:
    """Write bodies of requests, one a line, as JSON."""
    lines = (json.dumps(body, separators=(",", ":")) for body in bodies)
    file.write_text("\n".join(lines), encoding="utf-8")
