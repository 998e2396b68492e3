"""Whether a server can stand in Service B's place: the calls that Service A makes, one by one."""

import json
import os
from collections.abc import Callable, Generator, Iterator
from itertools import count
from pathlib import Path
from typing import Any, NoReturn

from lab.calls import Answer, NoAnswer, call
from lab.errors import LabFailure
from lab.json_schema import find_problem
from lab.walkthrough import HOUSE

_CONTRACT = Path("service_a/service_b_contract.json")
# As long as Service A waits, unless GATEWAY_FORWARD_TIMEOUT_SECONDS says otherwise.
_TIMEOUT_SECONDS = 3
_MAX_CONTAINERS = 150_000
_TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
# Hardly any model takes this.
_WRONG = "no input"
_UNKNOWN = "no-such-model"

Notes = Iterator[str]


class _Missing(Exception):
    """What Service A needs and doesn't get."""


def check_service_b(url: str, input_file: str | None = None) -> bool:
    """Make the calls, say what is missing, and return whether nothing is."""
    try:
        sample = json.loads(Path(input_file).read_text("utf-8") if input_file else HOUSE)
    except (OSError, ValueError) as error:
        raise LabFailure(f"{input_file}: {error}") from None
    base_url = url.removesuffix("/").removesuffix("/predict")
    try:
        call(base_url, timeout_seconds=_TIMEOUT_SECONDS)
    except NoAnswer as error:
        raise LabFailure(f"nothing answers at {url}: {error}") from None
    check = _Check(base_url, sample)
    passed = [_show(title, run) for title, run in check.list_calls()]
    print(f"\n{len(passed)} calls, {passed.count(False)} not as Service A needs them")
    return all(passed)


def _show(title: str, run: Callable[[], Notes]) -> bool:
    """Make a call and show what came of it; return whether nothing is missing."""
    notes: list[str] = []
    problem = None
    try:
        notes.extend(run())
    except _Missing as error:
        problem = str(error)
    print(f"POST {title}: {'ok' if problem is None else f'MISSING: {problem}'}")
    for note in notes:
        print(f"    {note}")
    return problem is None


class _Check:
    """The calls. Each yields what may be better, and raises `_Missing`."""

    def __init__(self, base_url: str, sample: Any) -> None:
        self._base_url = base_url
        self._sample = sample
        self._schemas = json.loads(_CONTRACT.read_text("utf-8"))
        self._numbers = count(1)
        self._echoes = True
        self._takes_any = False
        self._model: str | None = None

    def list_calls(self) -> Iterator[tuple[str, Callable[[], Notes]]]:
        yield "/predict", lambda: self._predict("/predict")
        yield "/predict, a wrong input", self._predict_wrong
        yield "/predict/batch", lambda: self._predict_many("/predict/batch")
        yield f"/models/{_UNKNOWN}/predict", self._predict_unknown
        if self._model is not None:
            path = f"/models/{self._model}/predict"
            yield path, lambda: self._predict(path)
            yield f"{path}/batch", lambda: self._predict_many(f"{path}/batch")

    def _predict(self, path: str) -> Notes:
        answer = yield from self._post(path, {"input": self._sample})
        if answer.status == 422:
            raise _Missing(f"the input is refused; name one that it takes: {answer.text[:500]}")
        if answer.status != 200:
            _refuse(answer)
        prediction = self._read("Answer", answer)["prediction"]
        if prediction.get("price") is None:
            yield "the prediction has no price: /process passes it on, the price routes answer 503"
        if isinstance(prediction.get("model"), str):
            self._model = prediction["model"]

    def _predict_wrong(self) -> Notes:
        answer = yield from self._post("/predict", {"input": _WRONG})
        if answer.status == 200:
            self._read("Answer", answer)
            self._takes_any = True
            yield f"{json.dumps(_WRONG)} is predicted, too; what is wrong should get a 422"
        elif answer.status == 422:
            _check_places(self._read("InputProblems", answer), ["body", "input"])
        else:
            _refuse(answer)

    def _predict_many(self, path: str) -> Notes:
        """The middle one is wrong, which shows whether each result has its place."""
        inputs = [self._sample, _WRONG, self._sample]
        answer = yield from self._post(path, {"inputs": inputs}, requests=3)
        if answer.status in (404, 405):
            yield "takes no batches: Service A makes single calls, which is slower"
        elif answer.status in (413, 422, 500):
            yield f"status {answer.status} for all: Service A sends the halves, which is slower"
        elif answer.status != 200:
            _refuse(answer)
        else:
            results = self._read("Results", answer)["results"]
            if len(results) != len(inputs):
                raise _Missing(f"{len(results)} results for {len(inputs)} inputs")
            for index, result in enumerate(results):
                if ("error" in result) != (index == 1 and not self._takes_any):
                    raise _Missing(f"results[{index}] is not what /predict says of this input")
                if "error" in result:
                    _check_places(result["error"], ["body", "inputs", index])

    def _predict_unknown(self) -> Notes:
        answer = yield from self._post(f"/models/{_UNKNOWN}/predict", {"input": self._sample})
        if answer.status != 404:
            raise _Missing(f"status {answer.status}; a name that it doesn't have should get a 404")
        self._read("NotFound", answer)

    def _post(self, path: str, content: object, requests: int = 1) -> Generator[str, None, Answer]:
        request_id = ",".join(f"check-{next(self._numbers)}" for _ in range(requests))
        headers = {"X-Request-ID": request_id, "traceparent": _TRACEPARENT}
        try:
            answer = call(
                self._base_url + path,
                json.dumps(content),
                key=os.environ.get("PREDICTOR_API_KEY", ""),
                headers=headers,
                timeout_seconds=_TIMEOUT_SECONDS,
            )
        except NoAnswer as error:
            raise _Missing(f"no answer within {_TIMEOUT_SECONDS} s: {error}") from None
        if answer.request_id not in (None, request_id):
            raise _Missing("X-Request-ID is another than the request's, so the answer isn't taken")
        if answer.request_id is None and self._echoes:
            self._echoes = False
            yield "answers have no X-Request-ID: each call needs a connection, which is slower"
        if answer.status == 401:
            raise _Missing("status 401; set PREDICTOR_API_KEY to the key")
        return answer

    def _read(self, schema: str, answer: Answer) -> Any:
        mebibytes = 8 if schema == "Results" else 1
        if len(answer.text.encode()) > mebibytes * 1024**2:
            raise _Missing(f"the answer has over {mebibytes} MiB")
        if answer.text.count("{") + answer.text.count("[") > _MAX_CONTAINERS:
            raise _Missing(f"the answer has over {_MAX_CONTAINERS:,} objects and arrays")
        try:
            content = json.loads(answer.text, parse_constant=_refuse_constant)
        except ValueError as error:
            raise _Missing(f"status {answer.status}, and not JSON: {error}") from None
        reference = {"$ref": f"#/components/schemas/{schema}"}
        if problem := find_problem(reference, content, self._schemas):
            raise _Missing(f"status {answer.status}, but {problem}")
        return content


def _refuse(answer: Answer) -> NoReturn:
    raise _Missing(f"status {answer.status}, which is a failure: callers get a 503")


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number of JSON")


def _check_places(problems: Any, prefix: list[str | int]) -> None:
    for problem in problems["detail"]:
        if problem["loc"][: len(prefix)] != prefix:
            raise _Missing(f"`loc` is {problem['loc']}; it should begin with {prefix}")
