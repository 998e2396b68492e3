from gateway.forwarding.echo import CallIds


def test_call_has_the_ids_of_its_requests_each_once() -> None:
    assert CallIds().make(["a", "b", "a"]) == "a,b"


def test_no_two_calls_have_the_same_id_when_their_requests_do() -> None:
    call_ids = CallIds()
    made = [call_ids.make(request_ids) for request_ids in [["a"], ["a", "b"]] * 50]

    assert len(set(made)) == 100
    assert {each.split(",")[0] for each in made} == {"a"}


def test_id_is_no_longer_than_service_b_keeps_when_something_is_added() -> None:
    call_ids = CallIds()
    request_ids = [f"{number:0128}" for number in range(128)]

    first, second = call_ids.make(request_ids), call_ids.make(request_ids)

    assert first == ",".join(request_ids[:127])
    assert second.startswith(",".join(request_ids[:126]) + ",")
    assert len(second) <= 16_384


def test_so_many_are_remembered_and_no_more() -> None:
    call_ids = CallIds()
    for number in range(10_001):
        call_ids.make([str(number)])

    assert call_ids.make(["1"]) != "1"
    assert call_ids.make(["0"]) == "0"
