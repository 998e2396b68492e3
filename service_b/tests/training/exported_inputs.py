"""Lines of an export, as Service A writes them."""

import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

STARTED_AT = datetime(2026, 11, 2, tzinfo=UTC)


def make_record(number: int, **changes: Any) -> dict[str, Any]:
    """Give an input that was predicted, an hour after the one before."""
    received_at = STARTED_AT + timedelta(hours=number)
    return {
        "number": number,
        "request_id": f"request-{number}",
        "received_at": received_at.isoformat().replace("+00:00", "Z"),
        "model": None,
        "outcome": "predicted",
        "price": 200_000.0,
        "model_version": "1",
        "duration_ms": 3.2,
        "outcome_at": received_at.isoformat().replace("+00:00", "Z"),
        "interval_lower": 180_000.0,
        "interval_upper": 220_000.0,
        "actual_price": None,
        "actual_at": None,
        "data": {"neighborhood": "NAmes", "overall_qual": 5, "year_built": 1961, "grLivArea": 896},
    } | changes


def write_export(file: Path, records: Iterable[dict[str, Any]]) -> Path:
    file.write_text("".join(json.dumps(each) + "\n" for each in records), encoding="utf-8")
    return file
