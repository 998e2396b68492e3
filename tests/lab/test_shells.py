"""How commands are typed."""

from lab.shells import POSIX, POWERSHELL
from tests.documentation.request import read_curl_requests

URL = "http://localhost:8000/process"
BODY = '{"data": 1}'


def test_curl_commands_are_read_as_the_calls_that_they_show() -> None:
    get = POSIX.get.format(url=URL, header=POSIX.gateway_key)
    post = POSIX.post.format(url=URL, body=BODY, header="")

    [got], [posted] = read_curl_requests(get), read_curl_requests(post)
    assert got == ("GET", URL, {"x-api-key": "${GATEWAY_API_KEYS%%,*}"}, None)
    assert posted == ("POST", URL, {"content-type": "application/json"}, {"data": 1})


def test_powershell_commands_go_on_in_the_next_line() -> None:
    assert POWERSHELL.post.format(url=URL, body=BODY, header=POWERSHELL.predictor_key) == (
        f"Invoke-RestMethod -Method Post {URL} -ContentType application/json"
        " -Headers @{ 'X-API-Key' = $env:PREDICTOR_API_KEY } `\n"
        f"    -Body '{BODY}'"
    )
