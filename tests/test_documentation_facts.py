"""The documents name every setting, route and metric of the code, and none that isn't there."""

import json
import os
import re
import subprocess
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from benchmarks.houses import find_version, read_card
from tests.documentation import DOCUMENTS
from tests.documentation.document import Block, read_document
from tests.documentation.request import read_curl_requests
from tests.running_lab import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
PACKAGES = {"A": "gateway", "B": "predictor"}
PORTS = {"A": 8000, "B": 8001}
METHODS = ("GET", "POST", "PUT", "DELETE")
# The contract doesn't list itself, nor pages rather than calls, nor an answer without an end.
LAB = {("GET", "/lab"), ("GET", "/lab/events")}
PAGES = {("GET", "/docs"), ("GET", "/redoc"), ("GET", "/openapi.json"), *LAB}

READ_CODE = """
import json, re, sys
from {package}.app import create_app
from {package}.settings import SECRETS, Settings

settings = Settings()
prefix = Settings.model_config["env_prefix"]
app = create_app(settings)
print(json.dumps({{
    "settings": {{
        field.validation_alias or prefix + name.upper():
            field.default if isinstance(field.default, str)
            else json.dumps(field.default, default=str)
            if field.default or field.annotation is float
            else "null"
        for name, field in Settings.model_fields.items()
    }} | {{
        f"{{Settings.model_fields[name].validation_alias or prefix + name.upper()}}_FILE": "null"
        for name in SECRETS
    }},
    "metrics": re.findall(r"# TYPE (\\w+)", app.state.metrics.write().decode()),
    "contract": app.openapi(),
    "modules": [*sys.modules],
}}))
"""


@cache
def read_code(service: str) -> dict[str, Any]:
    """Return the settings, metrics and contract of a service with faults, as its code has them."""
    folder = ROOT / f"service_{service.lower()}"
    facts: dict[str, Any] = json.loads(
        subprocess.run(
            [folder / ".venv/bin/python", "-c", READ_CODE.format(package=PACKAGES[service])],
            cwd=folder,
            env={"LAB_FAULTS": "1"},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
    )
    return facts


@pytest.mark.parametrize("service", PORTS)
def test_what_exports_spans_is_imported_only_where_they_are_exported(service: str) -> None:
    modules = read_code(service)["modules"]
    assert f"{PACKAGES[service]}.app" in modules
    assert not [name for name in modules if re.match(r"opentelemetry\.(sdk|exporter)\b", name)]


def read_routes(service: str) -> set[tuple[str, str]]:
    """Return the method and path of every call."""
    if service == "B":  # with the models, which only a running service has
        contract = json.loads((ROOT / "service_b/openapi.json").read_text())
    else:
        contract = read_code("A")["contract"]
    return {
        (method.upper(), re.sub(r"/models/\w+/", "/models/{name}/", path))
        for path, methods in contract["paths"].items()
        for method in methods
        if not path.startswith("/faults")
    }


def read_all_routes(service: str) -> set[tuple[str, str]]:
    """Return those for faults and for the lab's page as well."""
    paths = read_code(service)["contract"]["paths"]
    faults = {
        (method.upper(), path)
        for path, methods in paths.items()
        if path.startswith("/faults")
        for method in methods
    }
    return read_routes(service) | faults | (LAB if service == "A" else set())


def find_route(service: str, method: str, path: str) -> tuple[str, str] | None:
    """Return the route that takes a call; one without a parameter comes first."""
    for route in sorted(read_all_routes(service) | PAGES, key=lambda route: route[1].count("{")):
        pattern = re.sub(r"\{\w+\}", "[^/]+", route[1])
        if route[0] == method and re.fullmatch(pattern, path):
            return route
    return None


def read_calls(path: str) -> set[tuple[str, str, str]]:
    """Return service, method and path of what a document has its reader call with curl."""
    services = {f"localhost:{port}": service for service, port in PORTS.items()}
    return {
        (services[urlsplit(request.url).netloc], request.method, urlsplit(request.url).path)
        for step in read_document(ROOT / path)
        if isinstance(step, Block) and step.language == "bash"
        for request in read_curl_requests(step.text)
    }


@pytest.mark.parametrize("service", PORTS)
def test_the_contract_table_names_every_route(service: str) -> None:
    table = README.partition(f"Service {service}, port {PORTS[service]}:\n\n")[2].partition("\n\n")[
        0
    ]
    cells = [row.split(" | ")[0] for row in table.splitlines()]
    documented = {
        (method, path) for cell in cells for method, path in re.findall(r"`([A-Z]+) (/.*?)`", cell)
    }
    assert documented == read_all_routes(service)


def test_the_walkthrough_calls_every_route() -> None:
    called = {
        (service, *route)
        for service, *call in read_calls("docs/walkthrough.md")
        if (route := find_route(service, *call))
    }
    routes = {(service, *route) for service in PORTS for route in read_routes(service)}
    assert called - {("A", *route) for route in LAB} == routes


WRITTEN_BY_THE_READER = ["/api/v1/parcels/predict"]


def test_every_route_that_a_document_names_exists() -> None:
    texts = [(document.name, document.read_text(encoding="utf-8")) for document in DOCUMENTS]
    named = [
        (name, method, path)
        for name, text in texts
        for method, path in re.findall(r"`(GET|POST|PUT|DELETE) (/[^`?\s]*)", text)
    ]
    assert [
        each
        for each in named
        if not any(
            find_route(service, *each[1:]) or each[1:] in read_all_routes(service)
            for service in PORTS
        )
    ] == []
    for name, text in texts:
        for port, path in re.findall(r"http://localhost:(800[01])(/[^\s'\"`>?#)]*)", text):
            service = "A" if port == "8000" else "B"
            known = path in WRITTEN_BY_THE_READER or any(
                find_route(service, method, path) for method in METHODS
            )
            assert known, (name, path)


@pytest.mark.parametrize("service", PORTS)
def test_the_settings_table_names_every_setting_with_its_default(service: str) -> None:
    rows = re.findall(r"^\| `([A-Z_]+)` \| (A|B|both) \| (.*?) \|", README, re.MULTILINE)
    documented = {name: default for name, where, default in rows if where in (service, "both")}
    settings: dict[str, str] = read_code(service)["settings"]
    assert documented.keys() == settings.keys()
    for name, default in settings.items():
        if default == "null":
            assert documented[name] == "unset"
        elif str(ROOT) not in default:  # a path of this machine
            assert f"`{default.removesuffix('.0')}`" in documented[name], name


def test_every_setting_that_a_document_names_exists() -> None:
    names = re.compile(r"\b(?:GATEWAY|PREDICTOR|SERVICE_[AB]|INPUT_LOG|LOG|LAB|POSTGRES)_[A-Z_]+\b")
    known = {name for service in PORTS for name in read_code(service)["settings"]}
    for file in ("lab/help.py", "docker-compose.yml"):
        known |= set(names.findall((ROOT / file).read_text()))
    for document in DOCUMENTS:
        assert set(names.findall(document.read_text(encoding="utf-8"))) <= known, document.name


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_page_begins_with_how_long_it_takes_and_what_for(document: Path) -> None:
    beginning = document.read_text(encoding="utf-8")[:1200]
    promise = r"takes\s(?:.|\n){0,80}?(?:minutes|hours?|evening)\b(?:.|\n){0,160}?\bafterwards\b"
    assert re.search(promise, beginning)


def test_the_metrics_table_names_every_metric() -> None:
    text = (ROOT / "docs/operations.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([a-z_0-9]+)` \| (A|B|both) \|", text, re.MULTILINE)
    assert len(rows) == len({name for name, _ in rows})
    for service in PORTS:
        documented = {name for name, where in rows if where in (service, "both")}
        metrics = {
            name
            for name in read_code(service)["metrics"]
            if not name.startswith("process_") and not name.endswith("_created")
        }
        assert documented == metrics


def test_every_message_that_the_readme_explains_is_one_of_the_code() -> None:
    code = (ROOT / "lab/find_python.sh").read_text() + "".join(
        file.read_text(encoding="utf-8")
        for package in ("service_a/gateway", "service_b/predictor")
        for file in (ROOT / package).rglob("*.py")
    )
    found = re.findall(r"503 `(.*?)`|`(no Python .*?)`", README)
    messages = [either or other for either, other in found]
    assert len(messages) >= 4
    assert [message for message in messages if message not in code] == []


FIGURES = {  # title of the row: name in the card, factor, format, unit
    "R²": ("r2", 1, ".3f", ""),
    "MAPE": ("mape_percent", 1, ".2f", "%"),
    "RMSLE": ("rmsle", 1, ".3f", ""),
    "share within 10%": ("within_10_percent_share", 100, ".1f", "%"),
    "interval coverage": ("interval_coverage_share", 100, ".1f", "%"),
    "interval width / price": ("interval_relative_width", 1, ".3f", ""),
}
SHARES = ("none", "a quarter", "half", "three quarters", "all")
FEW = {"ames": "only the 4 required", "california": "without `total_bedrooms`"}


@pytest.mark.parametrize("model", FEW)
def test_the_figures_of_training_are_those_of_the_served_version(model: str) -> None:
    path = ROOT / "docs/training.md"
    text = path.read_text(encoding="utf-8")
    before, title, rest = text.partition(f"\n### {model}\n")
    section, end, after = rest.partition("\n#")
    version = find_version(ROOT / "service_b/models" / model)
    metrics = read_card(version)["metrics"]
    columns = read_columns(metrics, FEW[model])
    written, shown, compared = [], [], 0
    for line in section.split("\n"):
        first, *cells = [cell.strip() for cell in line.strip("|").split("|")]
        if first in (f"version {version.name}", "optional fields known"):
            shown = [columns[cell] for cell in cells]
        if first in FIGURES:
            cells = [write_figure(first, *column) for column in shown]
            compared += len(cells)
            line = f"| {first} |" + "".join(f" {cell} |" if cell else " |" for cell in cells)
        written.append(line)
    actual = before + title + "\n".join(written) + end + after
    if os.environ.get("UPDATE_DOCUMENTATION"):
        path.write_text(actual, encoding="utf-8")
    assert actual == text
    assert compared >= 40
    words = " ".join(section.split())
    assert [each for each in write_sentences(metrics) if each not in words] == []


def read_columns(metrics: dict[str, Any], few: str) -> dict[str, tuple[dict[str, float], ...]]:
    """Give for each title of a column its figures, and how much they differ, if that is shown."""
    whole, draws = metrics["five_fold"], metrics["other_splits"]
    columns: dict[str, tuple[dict[str, float], ...]] = {
        "new neighbourhoods": (metrics["new_places"],),
        "new places": (metrics["new_places"],),
        "sold from 2010 on": (metrics["later"] or {},),
        "seed 42, RandomForest(100)": (metrics["random_forest_baseline"],),
    }
    for title, key in ("all fields", "all_fields"), (few, "required_fields_only"):
        statistics = {
            name: ({each: values[name] for each, values in draws[key].items()})
            for name in ("mean", "deviation")
        }
        deviations = {each: values["deviation"] for each, values in whole["spread"][key].items()}
        columns |= {
            title: (whole.get(key, whole), deviations),
            f"20 draws, {title}": (statistics["mean"], statistics["deviation"]),
            f"seed 42, {title}": (metrics.get(key, metrics),),
        }
    known = whole["by_share_of_optional_fields_known"].values()
    return columns | {title: (each,) for title, each in zip(SHARES, known, strict=True)}


def write_figure(title: str, *columns: dict[str, float]) -> str:
    name, factor, form, unit = FIGURES[title]
    if name not in columns[0]:
        return ""
    return " ± ".join(format(each[name] * factor, form) for each in columns) + unit


def write_sentences(metrics: dict[str, Any]) -> list[str]:
    """Write what the text beside the tables says in figures."""
    draws = metrics["other_splits"]
    share = draws["share_of_splits_better_than_the_fixed_one"]["mape_percent"]
    better = round(share * draws["splits"])
    sentences = [
        f"{better} of the {draws['splits']} others have a smaller MAPE"
        if better
        else f"none of the {draws['splits']} others has a smaller MAPE"
    ]
    sentences += [
        f"from {each['from']:g} to {each['to']:g} they fall by {-change:.1f}% on average"
        for each in metrics["steps"]
        if (change := each["mean_change_percent"]) < 0
    ]
    if metrics["later"]:
        dominant = metrics["five_fold"]["dominant_rows"]
        sentences += [
            f"make {dominant['share_of_squared_error']:.0%} of all squared error",
            *(f"{each['price']:,.0f} USD" for each in dominant["rows"]),
            *(f"priced at {each['predicted']:,}" for each in dominant["rows"]),
            f"Without these two R² is {dominant['r2_without_them']:.3f}",
            f"hold {metrics['later']['interval_coverage_share']:.0%} of the prices",
        ]
    return sentences


def test_the_versions_that_training_lists_have_the_figures_of_their_cards() -> None:
    text = (ROOT / "docs/training.md").read_text(encoding="utf-8")
    family = ROOT / "service_b/models/ames"
    words, lines, held_out = " ".join(text.split()), [], []
    for version in sorted(each.name for each in family.iterdir() if each.is_dir()):
        card = read_card(family / version)
        metrics, made = card["metrics"], card["training"]
        figures = metrics.get("five_fold", metrics)
        lines.append(
            f"{'*' if version == find_version(family).name else ' '} ames   {version}"
            f"  trained {made['trained_at'][:16].replace('T', ' ')} UTC"
            f"  R² {figures['r2']:.4f}  MAPE {figures['mape_percent']:.2f}%"
            f" on {figures['rows']:,} rows  code {made['code_revision'][:12]}"
        )
        held_out += [metrics, metrics["required_fields_only"]]
    assert "```text\n" + "\n".join(lines) + "\n```" in text
    one, few, two, few_of_two = [f"{each['mape_percent']:.2f}%" for each in held_out]
    assert (
        f"the MAPE of version 1 is {one}, that of version 2 {two}; with only the required fields "
        f"it is {few} and {few_of_two}" in words
    )
    for name in ("ames", "california"):
        auc = read_card(find_version(family.parent / name))["metrics"]["unusual"]["auc"]
        assert f"{auc:.4f} (`{name}`)" in words


def test_the_scores_of_candidates_in_training_are_those_of_the_report() -> None:
    text = (ROOT / "docs/training.md").read_text(encoding="utf-8")
    table = text.partition("| candidate | score with neither |")[2].partition("\n\n")[0]
    shown = set(re.findall(r"\d+\.\d{3}", table))
    version = find_version(ROOT / "service_b/models/california")
    assert len(shown) == 9
    assert shown <= set(re.findall(r"\| (\d+\.\d{3}) \|", (version / "report.md").read_text()))
    assert text.count(f"models/california/{version.name}/") == 2
