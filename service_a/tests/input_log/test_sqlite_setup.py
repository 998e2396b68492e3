import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

from gateway.input_log.sqlite_setup import prepare


def test_no_gateway_fails_when_several_open_a_new_file_in_the_same_moment(tmp_path: Path) -> None:
    def open_file(path: Path, start: threading.Barrier) -> None:
        with closing(sqlite3.connect(path)) as connection:
            start.wait()
            prepare(connection, lambda: False)

    with ThreadPoolExecutor(4) as gateways:
        for number in range(100):
            start = threading.Barrier(4)
            path = tmp_path / f"{number}.db"
            list(gateways.map(open_file, [path] * 4, [start] * 4))
