import json
from itertools import permutations

import jiter
import pytest

from gateway.web.sent_json import cut_items, cut_member, cut_objects, cut_whole

NUMBERS = [
    "0.1234567890123456789",
    "-0",
    "-0.0",
    "1.10",
    "1E5",
    "1e-07",
    "100000000000000000000000000000000000001",
    "18446744073709551616",
    "12345678901234567890.5",
    "0.10000000000000000000",
]
VALUES = [
    *NUMBERS,
    "true",
    '""',
    r'"a:b,c}d{\"e\\"',
    '"é\u2028"',
    "[]",
    "{}",
    '{"a": {"b, c": [1, {"}": ":"}]}, "model": null}',
]


@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize(
    "others",
    [
        *permutations(['"model": "ames-1.0"', '"forward_to_model" :false']),
        (r'"mod\u0065l"' + "\n:\tnull ",),
        (),
    ],
)
def test_member_is_cut_out_wherever_it_stands(value: str, others: tuple[str, ...]) -> None:
    for place in range(len(others) + 1):
        members = [*others[:place], f' "d\\u0061ta" : {value} ', *others[place:]]
        body = f" {{{','.join(members)}}}\n".encode()

        assert cut_member(body, jiter.from_json(body), "data").decode() == value


def test_text_is_in_one_line_and_means_the_same() -> None:
    value = {"a b": [1, "two \n\t three", {}], "c": None}
    text = json.dumps(value, indent="\t").replace("\n", "\r\n")

    line = cut_whole(f"\n{text}\n".encode())

    assert len(line.splitlines()) == 1
    assert json.loads(line) == value


def test_each_object_of_an_array_is_cut_out() -> None:
    objects = [b'{"id": 1.10, "a":"x,y:z"}', b"{}", b'{"id":-0 }']

    assert cut_objects(b"[ %b ]" % b" , ".join(objects)) == objects
    assert cut_objects(b"[]") == []


@pytest.mark.parametrize("frame", ["[%s]", "[ %s ]"])
@pytest.mark.parametrize("comma", [",", " , "])
def test_each_item_of_an_array_is_cut_out_whatever_it_is(frame: str, comma: str) -> None:
    array = (frame % comma.join(VALUES)).encode()

    assert [each.decode() for each in cut_items(array, len(VALUES))] == VALUES
