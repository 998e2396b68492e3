"""Both services beside others."""

from collections.abc import Sequence

from benchmarks.answers import check_answers
from benchmarks.bench import Bench
from benchmarks.measurement import MOST_CONNECTIONS, running, spread
from benchmarks.model_servers import ModelServers
from benchmarks.report import Result
from benchmarks.subject import Subject, make_predict, make_process, make_process_log_only
from benchmarks.summary import summarise

_CHECKED_HOUSES = 20


def compare(bench: Bench) -> Result:
    """Both services, the original way, and the limits."""
    return _compare(bench, "compare", [])


def compare_peers(bench: Bench) -> Result:
    """The same, and MLflow, MLServer, BentoML and LitServe."""
    return _compare(bench, "peers", ModelServers(bench.lineup).make_subjects())


def _compare(bench: Bench, part: str, peers: Sequence[Subject]) -> Result:
    lineup = bench.lineup
    a, b = lineup.make_services()
    subjects = [make_process(a, b), make_process_log_only(a), make_predict(b)]
    subjects += [lineup.make_original(), *peers, *lineup.make_limits()]
    # What is in front of another server is listed before it, and started after it.
    servers = {server.name: server for each in subjects for server in reversed(each.servers)}
    with running(servers.values(), bench.plan.say):
        bench.plan.say("checking that all give the same prices")
        prices = check_answers(subjects, bench.houses[:_CHECKED_HOUSES])
        cases = [bench.make_case(each) for each in subjects]
        cases = spread(cases, (1, 16, MOST_CONNECTIONS))
        samples = bench.measure(cases)
    predicting = sum(each.read_price is not None for each in subjects)
    return Result(
        part,
        "Two hops and a log, beside others" if peers else "Two hops and a log",
        summarise(cases, samples),
        [
            f"Before the load, {predicting} ways to the same model gave the same prices for "
            f"{len(prices)} houses. The load is {len(bench.houses)} distinct houses with all "
            "fields, in turn.",
        ],
        samples,
        {each.name: each.settings for each in subjects},
    )
