from gateway.telemetry.passage import Call, Passage


def test_call_is_divided_into_the_wait_for_it_and_the_prediction() -> None:
    passage = Passage()
    passage.take_in(2, "m")
    call = passage.call = Call(7, inputs=2, callers=1)
    call.began_at += 1
    call.ended_at = call.began_at + 2
    call.stages = {"b_total": 1.5}

    passage.end_call()

    assert (passage.inputs, passage.model) == (2, "m")
    assert list(passage.milliseconds) == ["read", "wait", "predict", "b_total"]
    assert 1000 <= passage.milliseconds["wait"] < 1100
    assert round(passage.milliseconds["predict"], 3) == 2000


def test_all_is_a_wait_when_there_was_no_call() -> None:
    passage = Passage()
    passage.take_in(1, None)

    passage.end_call()

    assert list(passage.milliseconds) == ["read", "wait"]


def test_call_under_way_counts_up_to_now_when_it_is_given_up() -> None:
    passage = Passage()
    passage.call = Call(1, inputs=1, callers=1)

    passage.end_call()

    assert passage.milliseconds["predict"] > 0
