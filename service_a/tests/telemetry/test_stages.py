import re
import time

from gateway.telemetry.stages import Stages


def test_each_stage_begins_where_the_one_before_it_ends() -> None:
    stages = Stages()
    now = time.perf_counter()

    stages.end("read", now + 1)
    stages.end("log", now + 3)

    assert list(stages.milliseconds) == ["read", "log"]
    assert 1000 <= stages.milliseconds["read"] < 1100
    assert round(stages.milliseconds["log"], 3) == 2000


def test_stage_that_comes_again_took_as_long_as_all_of_them() -> None:
    stages = Stages()
    now = time.perf_counter()

    for name, seconds in (("check", 1), ("predict", 2), ("check", 4), ("predict", 7)):
        stages.end(name, now + seconds)

    assert round(stages.milliseconds["predict"], 3) == 4000


def test_stage_never_takes_less_than_no_time() -> None:
    stages = Stages()
    stages.end("read")

    stages.end("log", time.perf_counter() - 5)

    assert stages.milliseconds["log"] == 0


def test_header_names_the_stages_in_order_and_the_total_last() -> None:
    stages = Stages()
    stages.end("read")
    stages.end("log")

    written = stages.write().decode()

    assert re.fullmatch(r"read;dur=\d+\.\d\d, log;dur=\d+\.\d\d, total;dur=\d+\.\d\d", written)
    assert re.fullmatch(r"total;dur=\d+\.\d\d", Stages().write().decode())
