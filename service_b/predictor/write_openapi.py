"""`python -m predictor.write_openapi --output FILE`: the OpenAPI document without a server."""

import argparse
import json
import sys
from pathlib import Path

from predictor.app import create_app
from predictor.errors import ManifestError
from predictor.settings import SettingsError, load_settings
from predictor.versions.deployment import Deployment


def main(arguments: list[str] | None = None) -> int:
    """Load the models and write the OpenAPI document; 0 when it has all of them."""
    parser = argparse.ArgumentParser(
        prog="python -m predictor.write_openapi",
        description="Write the OpenAPI document of the service with the models it hosts.",
    )
    parser.add_argument("--output", type=Path, required=True, metavar="FILE")
    output: Path = parser.parse_args(arguments).output
    try:
        app = create_app(load_settings())
    except (SettingsError, ManifestError) as error:
        sys.exit(str(error))
    deployments: list[Deployment] = app.state.deployments
    for deployment in deployments:
        deployment.check()
    missing = [each for each in deployments if each.source is None]
    if missing:
        sys.exit("; ".join(f"{each.name}: {each.last_error}" for each in missing))
    output.write_text(json.dumps(app.openapi(), indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
