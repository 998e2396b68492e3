#!/usr/bin/env bash
# Starts Service B, then Service A, each in a venv of its own, and shows both logs. Ctrl-C stops both.
# Written for bash 3.2, which macOS has; needs nothing but Python 3.11 to 3.14.
set -u

usage() {
    cat <<'TEXT'
Usage: ./run_services.sh

Starts Service B, waits until it is healthy, starts Service A, and shows both logs.
Ctrl-C stops both. Both listen on 127.0.0.1 only.

The first start makes service_a/.venv and service_b/.venv and installs what each service's
requirements.txt lists. Later starts do so only when that list changed.

       ./run_services.sh --prepare LOCK SERVICE...

Only installs, for example: --prepare requirements-dev.txt service_a service_b

Environment:
  SERVICE_A_PORT         port of Service A (8000)
  SERVICE_B_PORT         port of Service B (8001)
  SERVICE_B_URL          where Service A sends its requests (http://127.0.0.1:8001/predict,
                         with the port of Service B)
  START_TIMEOUT_SECONDS  how long each service may take until it is healthy (60)
  PYTHON                 the Python for the venvs (the newest of 3.11 to 3.14 that is found)
  NO_COLOR               if set, the logs have no colour
TEXT
}

fail() {
    printf 'run_services.sh: %s\n' "$*" >&2
    exit 1
}

refuse_arguments() {
    printf 'run_services.sh: %s\nUsage: ./run_services.sh (--help says more)\n' "$*" >&2
    exit 2
}

# ---- Python and the venvs

# Prints the full path of a Python if it runs and has a version that the locked packages support.
suitable_python() { # COMMAND
    "$1" -c 'import sys; print(sys.executable) if (3, 11) <= sys.version_info[:2] <= (3, 14) else sys.exit(1)' 2>/dev/null
}

find_python() {
    if [ -n "${PYTHON:-}" ]; then
        python=$(suitable_python "$PYTHON") || fail "PYTHON=$PYTHON is not a Python 3.11 to 3.14."
        return
    fi
    local command
    for command in python3.14 python3.13 python3.12 python3.11 python3; do
        python=$(suitable_python "$command") && return
    done
    local found
    found=$(python3 --version 2>/dev/null) || found="not there"
    fail "no Python 3.11 to 3.14 was found (python3 is $found). Install one (https://www.python.org/downloads/), or name yours: PYTHON=/path/to/python3 ./run_services.sh"
}

python_version() { # PYTHON
    "$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])'
}

has_uv() {
    uv --version >/dev/null 2>&1
}

# A venv is kept while its Python runs, is the one asked for, and something can install into it.
venv_fits() { # VENV
    suitable_python "$1/bin/python" >/dev/null || return 1
    if [ -n "${PYTHON:-}" ] && [ "$(python_version "$1/bin/python")" != "$(python_version "$python")" ]; then
        return 1
    fi
    has_uv || "$1/bin/python" -m pip --version >/dev/null 2>&1
}

make_venv() { # VENV
    echo "Making $1 with Python $(python_version "$python")"
    if has_uv; then
        rm -rf "$1"
        uv venv --quiet --python "$python" "$1" || fail "uv could not make $1."
        return
    fi
    "$python" -c 'import ensurepip, venv' 2>/dev/null ||
        fail "$python has no venv module, so it can't keep the packages apart. On Debian and Ubuntu: sudo apt install python$(python_version "$python")-venv"
    "$python" -m venv --clear "$1" || fail "$python could not make $1."
}

install() { # VENV LOCK
    if has_uv; then
        uv pip install --quiet --compile-bytecode --python "$1/bin/python" --requirement "$2"
    else
        "$1/bin/python" -m pip install --quiet --disable-pip-version-check --requirement "$2"
    fi
}

# pip says at last that there is no such package when it could not ask for any.
explain_failed_install() { # LOCK LOG
    local reason
    reason=$(grep -E 'connection broken|network was disabled|Failed to fetch|timed out' "$2" | tail -n 1)
    if [ -n "$reason" ]; then
        printf '%s\n' "$reason" >&2
        fail "the packages of $1 could not be installed: their index can't be reached. Check the internet connection (and HTTPS_PROXY, where there is a proxy), then start again. More is in $2."
    fi
    tail -n 10 "$2" >&2
    fail "the packages of $1 could not be installed; why stands above, and more in $2."
}

# Makes or refreshes the venv of a service, if its lock or its Python changed since the last time.
prepare() { # SERVICE LOCK
    local venv=$1/.venv lock=$1/$2 stamp=$1/.venv/$2.stamp log=$1/.venv/install.log wanted
    [ -f "$lock" ] || fail "$lock does not exist."
    venv_fits "$venv" || make_venv "$venv"
    wanted=$("$venv/bin/python" -c 'import hashlib, sys; print(hashlib.sha256(open(sys.argv[1], "rb").read()).hexdigest(), sys.version.split()[0])' "$lock")
    [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ] && return
    echo "Installing the packages of $lock"
    rm -f "$stamp"
    install "$venv" "$lock" >"$log" 2>&1 || explain_failed_install "$lock" "$log"
    echo "$wanted" >"$stamp"
}

# ---- Ports

check_port_value() { # VARIABLE VALUE
    if ! [[ $2 =~ ^[1-9][0-9]{0,4}$ ]] || [ "$2" -gt 65535 ]; then
        fail "$1=$2 is not a port; it must be a number from 1 to 65535."
    fi
}

# Asks before it binds: macOS lets a second process bind a port that is taken on another address.
check_port_is_free() { # NAME VARIABLE PORT
    local reason
    reason=$("$python" -c '
import errno, os, socket, sys
port = int(sys.argv[1])
try:
    socket.create_connection(("localhost", port), 1).close()
    sys.exit(os.strerror(errno.EADDRINUSE))
except OSError:
    pass
with socket.socket() as probe:
    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        probe.bind(("127.0.0.1", port))
    except OSError as error:
        sys.exit(error.strerror)
' "$3" 2>&1) || fail "port $3, for $1, cannot be used: $reason. Stop what uses it, such as an earlier start of the lab, or choose another: $2=$(($3 > 60000 ? $3 - 1000 : $3 + 1000)) ./run_services.sh"
}

# ---- The services

# Runs main.py in the current folder, copies its output with a prefix, and ends with its status.
# The service gets a process group of its own, so that Ctrl-C reaches only the script, which then
# stops A before B: what A has under way still gets B's answer. It is also stopped when the script
# is gone without a word, and killed when it doesn't stop.
# shellcheck disable=SC2016 # no shell variables in it
supervise='
import os, signal, subprocess, sys, threading, time

prefix = sys.argv[1].encode()
script = os.getppid()
service = subprocess.Popen(
    [sys.executable, "main.py"],
    stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, process_group=0,
)
stopping = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: stopping.set())
signal.signal(signal.SIGINT, signal.SIG_IGN)
signal.signal(signal.SIGHUP, signal.SIG_IGN)

def stop_in_time():
    while not stopping.wait(0.5) and os.getppid() == script:
        pass
    service.terminate()
    time.sleep(12)
    service.kill()

threading.Thread(target=stop_in_time, daemon=True).start()
for line in service.stdout:
    try:
        os.write(1, prefix + line.rstrip(b"\r\n") + b"\n")
    except OSError:
        pass  # nobody reads any more; the service must not block
status = service.wait()
sys.exit(status if status >= 0 else 128 - status)
'

start() { # FOLDER PORT PREFIX COLOUR
    local prefix="$3 | "
    if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then
        prefix=$'\033['"$4m$prefix"$'\033[0m'
    fi
    (cd "$1" && exec env HOST=127.0.0.1 PORT="$2" PYTHONUNBUFFERED=1 .venv/bin/python -c "$supervise" "$prefix") &
}

http_status() { # PORT PATH
    "$python" -c '
import http.client, sys
connection = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]), timeout=2)
try:
    connection.request("GET", sys.argv[2])
    print(connection.getresponse().status)
except (OSError, http.client.HTTPException):
    print("none")
' "$1" "$2"
}

check_runs() { # NAME PID
    kill -0 "$2" 2>/dev/null && return
    wait "$2"
    local status=$? signal=''
    [ "$status" -gt 128 ] && signal=" (signal $((status - 128)))"
    fail "$1 ended with status $status$signal; its log is above."
}

wait_until_healthy() { # NAME PID PORT
    local deadline=$((SECONDS + timeout_seconds))
    until [ "$(http_status "$3" /health)" = 200 ]; do
        check_runs "$1" "$2"
        if [ "$SECONDS" -ge "$deadline" ]; then
            [ "$(http_status "$3" /livez)" = 200 ] &&
                fail "$1 runs but has no model after $timeout_seconds s: its /health is not 200; its log above says why."
            fail "$1 is not healthy after $timeout_seconds s (START_TIMEOUT_SECONDS)."
        fi
        sleep 0.2
    done
}

stop_services() {
    trap '' INT TERM HUP
    local pid
    for pid in $a_pid $b_pid; do
        kill -TERM "$pid" 2>/dev/null && wait "$pid"
    done
}

# ---- Main

case "${1:-}" in
    --help | -h)
        usage
        exit
        ;;
    --prepare) [ $# -ge 3 ] || refuse_arguments "--prepare needs a lock and a service" ;;
    ?*) refuse_arguments "unknown argument: $1" ;;
esac

find_python
CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")" || exit 1

if [ "${1:-}" = --prepare ]; then
    for service in "${@:3}"; do
        prepare "$service" "$2"
    done
    exit
fi

a_port=${SERVICE_A_PORT:-8000}
b_port=${SERVICE_B_PORT:-8001}
timeout_seconds=${START_TIMEOUT_SECONDS:-60}
check_port_value SERVICE_A_PORT "$a_port"
check_port_value SERVICE_B_PORT "$b_port"
[ "$a_port" -ne "$b_port" ] || fail "SERVICE_A_PORT and SERVICE_B_PORT are both $a_port; they must differ."
[[ $timeout_seconds =~ ^[1-9][0-9]{0,4}$ ]] || fail "START_TIMEOUT_SECONDS=$timeout_seconds is not a whole number of seconds."

check_port_is_free "Service A" SERVICE_A_PORT "$a_port"
check_port_is_free "Service B" SERVICE_B_PORT "$b_port"
prepare service_b requirements.txt
prepare service_a requirements.txt

a_pid='' b_pid=''
trap stop_services EXIT
trap 'echo "Stopping both services"; exit 130' INT
trap 'exit 143' TERM
trap 'exit 129' HUP

start service_b "$b_port" B 35
b_pid=$!
wait_until_healthy "Service B" "$b_pid" "$b_port"

export SERVICE_B_URL=${SERVICE_B_URL:-http://127.0.0.1:$b_port/predict}
start service_a "$a_port" A 36
a_pid=$!
wait_until_healthy "Service A" "$a_pid" "$a_port"

key=''
[ -z "${GATEWAY_API_KEYS:-}" ] || key=" -H 'X-API-Key: ONE-OF-GATEWAY_API_KEYS'"

cat <<TEXT

Both services are up. Ctrl-C stops them.

  Service A  http://localhost:$a_port  http://localhost:$a_port/docs
  Service B  http://localhost:$b_port  http://localhost:$b_port/docs

Try it in a second terminal:

  curl -X POST http://localhost:$a_port/process -H 'Content-Type: application/json'$key \\
    -d '{"data": {"overall_qual": 7, "gr_liv_area": 1710, "year_built": 2003, "neighborhood": "CollgCr"}}'

TEXT

while :; do
    check_runs "Service A" "$a_pid"
    check_runs "Service B" "$b_pid"
    sleep 0.5
done
