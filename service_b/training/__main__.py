"""`python -m training ames`: from the raw data to a registered version."""

import argparse
import sys
from pathlib import Path

from training.ames import AMES
from training.errors import TrainingError
from training.pipeline import train

RECIPES = {recipe.name: recipe for recipe in (AMES,)}
SERVICE_FOLDER = Path(__file__).resolve().parents[1]


def parse_arguments(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m training",
        description="Train a model on its published data, measure it on rows held out, "
        "and register it as the next version. Existing versions are never changed.",
    )
    parser.add_argument("model", choices=RECIPES, help="the model to train")
    parser.add_argument(
        "--data",
        type=Path,
        metavar="FILE",
        help="local copy of the data, where the internet can't be reached; its sha256 is checked",
    )
    parser.add_argument(
        "--output",
        type=Path,
        metavar="DIR",
        default=SERVICE_FOLDER / "models",
        help="folder of models; the version goes to DIR/MODEL/N (default: %(default)s)",
    )
    parser.add_argument(
        "--cache",
        type=Path,
        metavar="DIR",
        default=SERVICE_FOLDER / ".training",
        help="where downloaded data is kept (default: %(default)s)",
    )
    parser.add_argument(
        "--seed",
        type=parse_seed,
        default=0,
        metavar="N",
        help="seed of everything random but the hold-out split (default: %(default)s)",
    )
    return parser.parse_args(arguments)


def parse_seed(text: str) -> int:
    """Read what numpy and scikit-learn take as a seed."""
    if not text.isdecimal() or int(text) >= 2**32:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0 to {2**32 - 1}")
    return int(text)


def main(arguments: list[str] | None = None) -> int:
    """Run one training; 0 when a version was registered."""
    options = parse_arguments(arguments)
    try:
        train(RECIPES[options.model], options.data, options.output, options.cache, options.seed)
    except TrainingError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nerror: interrupted", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
