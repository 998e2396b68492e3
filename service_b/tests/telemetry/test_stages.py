import re
import time

from predictor.telemetry.stages import Stages


def read(header: bytes) -> dict[str, float]:
    assert re.fullmatch(rb"\w+;dur=\d+\.\d\d(, \w+;dur=\d+\.\d\d)*", header)
    parts = (part.split(";dur=") for part in header.decode().split(", "))
    return {name: float(milliseconds) for name, milliseconds in parts}


def test_each_stage_begins_where_the_one_before_it_ends() -> None:
    stages = Stages()
    time.sleep(0.02)
    stages.end("check")
    stages.end("predict")

    header = read(stages.write_header())

    assert list(header) == ["check", "predict", "total"]
    assert 20 <= header["check"] <= header["total"]
    assert header["predict"] < header["check"]


def test_stage_that_comes_again_took_as_long_as_all_of_them() -> None:
    stages = Stages()
    for _ in range(2):
        stages.end("check")
        time.sleep(0.02)
        stages.end("predict")

    header = read(stages.write_header())

    assert list(header) == ["check", "predict", "total"]
    assert 40 <= header["predict"] <= header["total"]


def test_there_is_a_total_without_any_stage() -> None:
    assert list(read(Stages().write_header())) == ["total"]


def test_stages_are_listed_as_they_followed_each_other() -> None:
    stages = Stages()
    for name in ("check", "predict", "check"):
        stages.end(name)

    first, second, third = stages.list_stages()

    assert [name for name, _, _ in (first, second, third)] == ["check", "predict", "check"]
    assert first[1] <= first[2] == second[1] <= second[2] == third[1]
