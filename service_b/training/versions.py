"""The versions of a model: which there are, which is served, how they differ."""

from collections.abc import Iterator
from pathlib import Path

from predictor.card import ModelCard, Training, read_card
from predictor.errors import ModelRefused
from predictor.version import CHAMPION
from training import alias
from training.errors import TrainingError
from training.measures import format_table, lead

_UNKNOWN = "not in the card"


def find_versions(family: Path) -> list[str]:
    """Give the versions in a model's folder, the lowest first.

    Raises:
        TrainingError: there is none.
    """
    try:
        names = [each.name for each in family.iterdir() if each.is_dir() and each.name.isdecimal()]
    except OSError:
        names = []
    if not names:
        raise TrainingError(f"no version of {family.name} in {family.parent}")
    return sorted(names, key=int)


def find_champion(family: Path) -> str:
    """Give the version that is served: the alias, or the highest without one."""
    chosen = alias.read_alias(family)
    return chosen.champion if chosen else find_versions(family)[-1]


def read_version(family: Path, version: str | None) -> ModelCard:
    """Read the card of a version, of the one that is served if None.

    Raises:
        TrainingError: there is no such version, or its card can't be used.
    """
    version = version or find_champion(family)
    if version not in find_versions(family):
        raise TrainingError(
            f"{family.name} has no version {version}; it has {', '.join(find_versions(family))}"
        )
    try:
        return read_card(family / version)
    except ModelRefused as error:
        raise TrainingError(str(error)) from error


def promote(family: Path, version: str, name: str = CHAMPION) -> str:
    """Serve a version from now on, or let another alias name it, so that it can be tried."""
    read_version(family, version)
    chosen = alias.read_alias(family)
    words = "served" if name == CHAMPION else f"served as {family.name}@{name}"
    if chosen and chosen.versions.get(name) == version:
        return f"{family.name} version {version} is {words} already"
    if chosen is None and name != CHAMPION:
        alias.choose(family, find_champion(family), "promote")
    alias.choose(family, version, "promote", name)
    return f"{family.name} version {version} is {words} from now on"


def retire(family: Path, name: str) -> str:
    """Take an alias away.

    Raises:
        TrainingError: there is none of that name beside the champion.
    """
    chosen = alias.read_alias(family)
    if chosen is None or name not in chosen.aliases:
        raise TrainingError(f"{family.name} has no alias {name} beside the champion")
    alias.retire(family, chosen, name)
    return f"{family.name}@{name} is not served any more"


def roll_back(family: Path) -> str:
    """Serve again what was served before the present version.

    Raises:
        TrainingError: nothing else was served before.
    """
    chosen = alias.read_alias(family)
    # A version that was rolled back from isn't gone back to: follow promotions only.
    served: list[str] = []
    for entry in chosen.history if chosen else ():
        if entry.alias != CHAMPION:
            continue
        if entry.action == "rollback":
            served = served[:-1]
        if not served or served[-1] != entry.version:
            served.append(entry.version)
    if len(served) < 2:
        raise TrainingError(f"{family.name} has no version that was served before")
    read_version(family, served[-2])
    alias.choose(family, served[-2], "rollback")
    return f"{family.name} version {served[-2]} is served again, instead of {served[-1]}"


def list_versions(family: Path) -> str:
    """Say in one line each which versions there are; a star marks the one that is served.

    The names of other aliases stand at the end.
    """
    champion = find_champion(family)
    chosen = alias.read_alias(family)
    aliases = chosen.aliases if chosen else {}
    lines = []
    for version in find_versions(family):
        card = read_version(family, version)
        mark = "*" if version == champion else " "
        metrics = lead(card.metrics)
        lines.append(
            f"{mark} {family.name} {version:>3}"
            f"  trained {card.training.trained_at:%Y-%m-%d %H:%M} UTC"
            f"  R² {metrics['r2']:.4f}  MAPE {metrics['mape_percent']:.2f}%"
            f" on {metrics['rows']:,} rows"
            f"  code {card.training.code_revision[:12]}"
            + "".join(f"  {name}" for name, number in aliases.items() if number == version)
        )
    return "\n".join(lines)


def show(family: Path, version: str | None) -> str:
    """Say what a version is, how good and from what it was made; and how it came to be served."""
    card = read_version(family, version)
    training = card.training
    lines = [
        f"{card.title}: {card.name} version {card.version}",
        card.description,
        "",
        f"trained   {training.trained_at:%Y-%m-%d %H:%M:%S} UTC on {training.rows:,} rows of "
        f"{training.data_file} (sha256 {training.data_sha256[:12]}…)",
        *_say_rows(training),
        f"code      {training.code_revision}",
        f"Python    {training.python or _UNKNOWN}",
        "libraries " + ", ".join(f"{name} {each}" for name, each in card.libraries.items()),
        f"seed      {training.seed}",
        f"study     {_say_study(training)}",
        "",
        *(f"{name:<24}{value}" for name, value in training.parameters.items()),
        "",
        format_table(
            {
                "all fields": lead(card.metrics),
                "required only": lead(card.metrics)["required_fields_only"],
            },
            card.target.unit,
        ),
    ]
    chosen = alias.read_alias(family)
    lines += [
        f"{entry.promoted_at:%Y-%m-%d %H:%M} UTC  {entry.action} version {entry.version}"
        + ("" if entry.alias == CHAMPION else f" as {entry.alias}")
        for entry in (chosen.history if chosen else ())
    ]
    return "\n".join(lines)


def compare(family: Path, first: str, second: str) -> str:
    """Lay two versions side by side: their metrics, and the parameters in which they differ."""
    cards = [read_version(family, version) for version in (first, second)]
    # Like with like: an older card has nothing but the figures of the rows held out.
    both = all("five_fold" in card.metrics for card in cards)
    figures = [lead(card.metrics) if both else card.metrics for card in cards]
    columns = {
        f"version {card.version}, {found['rows']:,} rows": found
        for card, found in zip(cards, figures, strict=True)
    }
    lines = [format_table(columns, cards[0].target.unit), ""]
    one, two = (
        {**card.training.parameters, "seed": card.training.seed, **card.libraries}
        | {"data": card.training.data_sha256[:12], "code": card.training.code_revision[:12]}
        | {"Python": card.training.python or _UNKNOWN, "study": _say_study(card.training)}
        for card in cards
    )
    names = [name for name in one | two if one.get(name) != two.get(name)]
    lines += [f"{name}: {one.get(name)} / {two.get(name)}" for name in names]
    return "\n".join(lines if names else [*lines, "same parameters, data, code and libraries"])


def _say_rows(training: Training) -> Iterator[str]:
    if training.kept_rows is not None:
        yield f"not seen  {training.kept_rows:,} rows of the data"
    if made := training.labelled:
        yield (
            f"log       {made.rows:,} rows received {made.received_from:%Y-%m-%d %H:%M:%S} to "
            f"{made.held_out_from:%Y-%m-%d %H:%M:%S} UTC, the next {made.held_out_rows:,} held "
            f"out (sha256 {made.artifact.sha256[:12]}…); {made.replaced:,} rows of the data left "
            f"out for them; prices of the others times {made.price_level:.3f}"
        )


def _say_study(training: Training) -> str:
    if training.study is None:
        return _UNKNOWN
    return f"{training.study}, best was trial {training.best_trial}"
