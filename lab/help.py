"""What `--help` says, for `format` with the shell that it is asked in."""

RUN = """\
Usage: {shell.run}

Starts Service B, waits until it is healthy, starts Service A, and shows both logs.
Ctrl-C stops both. Both listen on 127.0.0.1 only.

The first start makes service_a/.venv and service_b/.venv and installs what each service's
requirements.txt lists. Later starts do so only when that list changed or the folder was moved.

       {shell.run} {shell.faults}

The same, with faults for teaching that can be switched on while both run: docs/break-it.md.

       {shell.run} {shell.prepare}

Only installs, for example: {shell.prepare_example}

Each service also reads variables from the file .env in its folder, service_a or service_b, or from
the one that LAB_ENV_FILE names; HOST, PORT and SERVICE_B_URL come from here.

Environment:
  SERVICE_A_PORT         port of Service A (8000)
  SERVICE_B_PORT         port of Service B (8001)
  SERVICE_B_URL          where Service A sends its requests (http://127.0.0.1:8001/predict,
                         with the port of Service B)
  START_TIMEOUT_SECONDS  how long each service may take until it is healthy (60)
  PYTHON                 the Python for the venvs ({shell.python_found})
  NO_COLOR               if set, the logs have no colour
"""

TEST = """\
Usage: {shell.test}
       {shell.test} {shell.only}
       {shell.test} {shell.walkthrough} [{shell.step}] [{shell.urls}]
       {shell.test} {shell.check_b}

Without arguments it runs every part, goes on after a failure, and ends with a summary;
the exit status is 0 if everything passed.

Parts:
  service_a    tests, ruff and mypy of Service A, in its own venv
  service_b    the same of Service B
  system       tests of both services as real processes, and of the scripts (tests/, lab/)
  walkthrough  the walkthrough, against both services started on free ports

{shell.walkthrough} shows each call as a command to copy and its answer, and checks the answer.
With {shell.step} it says after each call what it teaches, and waits until you press Enter.
Both services must be running: at http://localhost:8000 and http://localhost:8001, or where you
say. If they ask for keys, set the same variables here, also where they have them from .env: the
first key of GATEWAY_API_KEYS goes to Service A, PREDICTOR_API_KEY to Service B.

{shell.check_b} makes the calls that Service A makes, to any server that
is to stand in Service B's place, and says what is missing. FILE has an input that the server's
model takes, as JSON; without it, a house is sent. docs/your-own-service-b.md says what it needs.
"""
