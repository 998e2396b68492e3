"""Makes `gateway/ames_columns.json` from the model's card in Service B.

    python generate_columns.py

An MLflow model server takes the columns of the training data. This file says which field of an
input goes into which column, and what a field may hold. It is committed, so that Service A needs
nothing of Service B to build and run. A test makes it again and compares.

    python generate_columns.py CARD FILE

does the same for another model, whose card is as Service B has it.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent
SOURCE = FOLDER.parent / "service_b" / "models" / "ames"
TARGET = FOLDER / "gateway" / "ames_columns.json"

# What says nothing of columns.
_LEFT_OUT = {"meaning", "unit", "distribution"}


def read_source() -> dict[str, Any]:
    """Return the card of the version that Service B serves."""
    champion = json.loads((SOURCE / "alias.json").read_text("utf-8"))["champion"]
    return read_card(SOURCE / champion / "card.json")


def read_card(path: Path) -> dict[str, Any]:
    card: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return card


def describe_columns(card: dict[str, Any]) -> str:
    """Return the text of the file: a line for each feature."""
    features = [
        {
            key: value
            for key, value in feature.items()
            if key not in _LEFT_OUT and value is not False
        }
        for feature in card["features"]
    ]
    lines = ",\n    ".join(json.dumps(feature, ensure_ascii=False) for feature in features)
    return f'{{\n  "name": {json.dumps(card["name"])},\n  "features": [\n    {lines}\n  ]\n}}\n'


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description="Makes the file of a model's fields and columns from its card.",
        epilog="Without arguments: gateway/ames_columns.json from the card in service_b.",
    )
    parser.add_argument("card", type=Path, nargs="?", metavar="CARD")
    parser.add_argument("file", type=Path, nargs="?", default=TARGET, metavar="FILE")
    paths = parser.parse_args()
    card = read_card(paths.card) if paths.card else read_source()
    paths.file.write_text(describe_columns(card), "utf-8")
    sys.stdout.write(f"wrote {paths.file}\n")
