import pytest
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.testclient import TestClient

from predictor.web.middleware.json_errors import JsonErrors


def call(response: Response) -> tuple[int, str, dict[str, str]]:
    reply = TestClient(JsonErrors(response)).get("/")
    return reply.status_code, reply.text, dict(reply.headers)


@pytest.mark.parametrize(
    ("response", "detail"),
    [
        (PlainTextResponse("Malformed range header.", 400), "Malformed range header."),
        (PlainTextResponse("", 416), "{phrase}"),
        (Response(status_code=404), "Not Found"),
        (StreamingResponse(["a", 'b"', "é"], 500), 'ab\\"é'),
    ],
)
def test_error_without_json_gets_a_detail(response: Response, detail: str) -> None:
    response.headers["Content-Range"] = "bytes */7"

    status, text, headers = call(response)

    # Its phrase is another one in later versions of Python.
    detail = detail.format(phrase=text.split('"')[3])
    assert (status, text) == (response.status_code, f'{{"detail":"{detail}"}}')
    assert headers["content-type"] == "application/json"
    assert headers["content-length"] == str(len(text.encode()))
    assert headers["content-range"] == "bytes */7"


@pytest.mark.parametrize(
    ("response", "text"),
    [
        (PlainTextResponse("fine"), "fine"),
        (StreamingResponse(["a", "b"]), "ab"),
        (JSONResponse({"detail": "own"}, 422), '{"detail":"own"}'),
        (Response("{}", 500, media_type="application/problem+json"), "{}"),
        (Response(status_code=304), ""),
    ],
)
def test_other_answers_stay_as_they_are(response: Response, text: str) -> None:
    assert call(response) == (response.status_code, text, dict(response.headers))
