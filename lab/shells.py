"""How commands are typed in the shell that the lab was called from."""

from typing import NamedTuple


class Shell(NamedTuple):
    """What messages and help show; those with braces are for `format`."""

    run: str = "./run_services.sh"
    test: str = "./test_services.sh"
    terminal: str = "terminal"
    prompt: str = "$"
    with_variable: str = "{name}={value} {command}"
    get: str = "curl {url}{header}"
    post: str = "curl -X POST {url} -H 'Content-Type: application/json'{header} \\\n    -d '{body}'"
    any_key: str = " -H 'X-API-Key: ONE-OF-GATEWAY_API_KEYS'"
    gateway_key: str = ' -H "X-API-Key: ${GATEWAY_API_KEYS%%,*}"'
    predictor_key: str = ' -H "X-API-Key: $PREDICTOR_API_KEY"'
    help: str = "--help"
    faults: str = "--faults"
    prepare: str = "--prepare LOCK SERVICE..."
    prepare_example: str = "--prepare requirements-dev.txt service_a service_b"
    only: str = "--only PART"
    walkthrough: str = "--walkthrough"
    step: str = "--step"
    urls: str = "A_URL B_URL"
    check_b: str = "--check-b URL [FILE]"
    python_found: str = "the newest of 3.11 to 3.14 that is found"


POSIX = Shell()
MODULE = Shell(run="python -m lab run", test="python -m lab test")
POWERSHELL = Shell(
    run=r".\run_services.ps1",
    test=r".\test_services.ps1",
    terminal="window",
    prompt=">",
    with_variable="$env:{name} = '{value}'; {command}",
    get="Invoke-RestMethod {url}{header}",
    post="Invoke-RestMethod -Method Post {url} -ContentType application/json{header} `\n"
    "    -Body '{body}'",
    any_key=" -Headers @{ 'X-API-Key' = 'ONE-OF-GATEWAY_API_KEYS' }",
    gateway_key=" -Headers @{ 'X-API-Key' = \"$env:GATEWAY_API_KEYS\".Split(',')[0] }",
    predictor_key=" -Headers @{ 'X-API-Key' = $env:PREDICTOR_API_KEY }",
    help="-Help",
    faults="-Faults",
    prepare="-Prepare LOCK -Services SERVICE, ...",
    prepare_example="-Prepare requirements-dev.txt -Services service_a, service_b",
    only="-Only PART",
    walkthrough="-Walkthrough",
    step="-Step",
    urls="-AUrl A_URL -BUrl B_URL",
    check_b="-CheckB URL [-InputFile FILE]",
    python_found="python, or else the newest that is found",
)
