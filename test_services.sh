#!/usr/bin/env bash
# Runs every test of the lab, or only the walkthrough with curl against running services.
# Written for bash 3.2, which macOS has; needs Python 3.11 to 3.14, and curl for the walkthrough.
set -u

usage() {
    cat <<'TEXT'
Usage: ./test_services.sh
       ./test_services.sh --only PART
       ./test_services.sh --walkthrough [A_URL B_URL]

Without arguments it runs every part, goes on after a failure, and ends with a summary;
the exit status is 0 if everything passed.

Parts:
  service_a    tests, ruff and mypy of Service A, in its own venv
  service_b    the same of Service B
  system       tests of both services as real processes, and of the scripts (tests/)
  walkthrough  the walkthrough, against both services started on free ports

--walkthrough shows each call with curl and its answer, and checks the answer. Both services
must be running: at http://localhost:8000 and http://localhost:8001, or where you say. If they
ask for keys, set the same variables as for them: the first key of GATEWAY_API_KEYS goes to
Service A, PREDICTOR_API_KEY to Service B.
TEXT
}

fail() {
    printf 'test_services.sh: %s\n' "$*" >&2
    exit 1
}

refuse_arguments() {
    printf 'test_services.sh: %s\n' "$1" >&2
    usage | head -n 3 >&2
    exit 2
}

# ---- Walkthrough

house='{"overall_qual": 7, "gr_liv_area": 1710, "year_built": 2003, "neighborhood": "CollgCr"}'
bad_house='{"overall_qual": 7, "gr_liv_area": -1, "year_built": 2003, "neighborhood": "CollgCr"}'

# Shows one call and its answer, then checks the answer with an expression of Python.
call() { # TITLE URL SHOWN-COMMAND CHECK CURL-ARGUMENT...
    local title=$1 url=$2 shown=$3 check=$4 key variable response status body
    shift 4
    # shellcheck disable=SC2016 # what is shown names the variable, not the key
    case $url in
        "$a"/*) key=${GATEWAY_API_KEYS:-} key=${key%%,*} variable='${GATEWAY_API_KEYS%%,*}' ;;
        *) key=${PREDICTOR_API_KEY:-} variable='$PREDICTOR_API_KEY' ;;
    esac
    if [ -n "$key" ]; then
        shown+=$' \\\n    -H "X-API-Key: '$variable'"'
        set -- --header "X-API-Key: $key" "$@"
    fi
    calls=$((calls + 1))
    printf '\n%d. %s\n\n$ %s\n' "$calls" "$title" "$shown"
    response=$(curl --silent --show-error --noproxy '*' --max-time 10 --write-out '\n%{http_code}' "$url" "$@")
    status=${response##*$'\n'}
    body=${response%$'\n'*}
    printf '%s\n' "$body"
    if "$python" -c "
import json, sys
status, answer = int(sys.argv[1]), json.loads(sys.argv[2])
sys.exit(0 if $check else 1)" "$status" "$body" 2>/dev/null; then
        printf '(status %s, as expected)\n' "$status"
    else
        wrong=$((wrong + 1))
        printf '(status %s) NOT AS EXPECTED: %s\n' "$status" "$check"
    fi
}

get() { # TITLE URL CHECK
    call "$1" "$2" "curl $2" "$3"
}

post() { # TITLE URL BODY CHECK
    call "$1" "$2" "curl -X POST $2 -H 'Content-Type: application/json' \\
    -d '$3'" "$4" --request POST --header 'Content-Type: application/json' --data "$3"
}

check_answers() { # NAME URL
    curl --silent --output /dev/null --noproxy '*' --max-time 5 "$2" && return
    printf 'test_services.sh: %s does not answer at %s. Start both services in another terminal: ./run_services.sh\n' "$1" "$2" >&2
    return 1
}

walk_through() { # A_URL B_URL
    local a=$1 b=$2 calls=0 wrong=0 python=service_a/.venv/bin/python
    [ -x "$python" ] || python=${PYTHON:-python3}
    check_answers "Service A" "$a" || return
    check_answers "Service B" "$b" || return

    get "Service A is there" "$a/" \
        'status == 200 and answer == {"service": "Service A - Input Logger", "status": "running"}'
    get "Service B is there" "$b/" \
        'status == 200 and answer == {"service": "Service B - ML Prediction", "status": "running"}'
    get "Service A is healthy" "$a/health" \
        'status == 200 and answer["service"] == "Service A" and answer["status"] == "healthy"'
    get "Service B is healthy: its model is loaded" "$b/health" \
        'status == 200 and answer["service"] == "Service B" and answer["status"] == "healthy"'
    post "Service A logs an input and forwards nothing" \
        "$a/process" "{\"data\": $house, \"forward_to_model\": false}" \
        'status == 200 and answer == {"status": "Input logged successfully"}'
    post "Service A logs an input and forwards it: the price comes back" \
        "$a/process" "{\"data\": $house}" \
        'status == 200 and answer["status"] == "Input logged successfully" and answer["model_prediction"]["prediction"]["price"] > 0'
    post "Service B answers for itself too" \
        "$b/predict" "{\"input\": $house}" \
        'status == 200 and answer["prediction"]["price"] > 0'
    post "Service B refuses an area below zero and names the field" \
        "$b/predict" "{\"input\": $bad_house}" \
        'status == 422 and any(error["loc"][-2:] == ["input", "gr_liv_area"] for error in answer["detail"])'
    post "Through Service A the same mistake is found under data, where the caller put it" \
        "$a/process" "{\"data\": $bad_house}" \
        'status == 422 and any(error["loc"][-2:] == ["data", "gr_liv_area"] for error in answer["detail"])'

    printf '\n%d calls, %d not as expected\n' "$calls" "$wrong"
    [ "$wrong" -eq 0 ]
}

# ---- Parts

summary=''
failures=0

# Runs one command, notes how it ended, and goes on.
step() { # NAME COMMAND...
    local name=$1 started=$SECONDS result=passed
    shift
    printf '\n==== %s\n' "$name"
    "$@" || result=failed
    [ "$result" = passed ] || failures=$((failures + 1))
    summary+=$(printf '%s  %4d s  %s' "$result" $((SECONDS - started)) "$name")$'\n'
    [ "$result" = passed ]
}

run_in() { # FOLDER PYTHON-MODULE ARGUMENT...
    (cd "$1" && shift && .venv/bin/python -m "$@")
}

test_service() { # SERVICE WHAT-MYPY-CHECKS...
    local service=$1
    step "$service: packages" ./run_services.sh --prepare requirements-dev.txt "$service" || return
    begin_checks check_service "$@"
    step "$service: tests" run_in "$service" pytest tests
    step "$service: ruff and mypy" end_checks
}

check_service() { # SERVICE WHAT-MYPY-CHECKS...
    local service=$1
    shift
    run_in "$service" ruff check . && run_in "$service" ruff format --check . && run_in "$service" mypy "$@"
}

# Runs checks while the tests run, which leave a core idle for much of their time.
begin_checks() { # COMMAND...
    "$@" >"$scratch/checks" 2>&1 &
    checks=$!
}

end_checks() {
    local status=0
    wait "$checks" || status=$?
    checks=''
    cat "$scratch/checks"
    return "$status"
}

prepare_both() {
    ./run_services.sh --prepare requirements-dev.txt service_a &&
        ./run_services.sh --prepare requirements.txt service_b
}

test_system() {
    step "system: packages" prepare_both || return
    begin_checks check_system
    step "system: tests" service_a/.venv/bin/python -m pytest tests
    step "system: ruff and mypy" end_checks
}

check_system() {
    local python=service_a/.venv/bin/python others=(--extend-exclude service_a --extend-exclude service_b .)
    $python -m ruff check "${others[@]}" && $python -m ruff format --check "${others[@]}" && $python -m mypy tests benchmarks
}

free_ports() {
    service_a/.venv/bin/python -c '
import socket
with socket.socket() as a, socket.socket() as b:
    a.bind(("127.0.0.1", 0))
    b.bind(("127.0.0.1", 0))
    print(a.getsockname()[1], b.getsockname()[1])'
}

walk_through_own_services() {
    local a_port b_port status
    read -r a_port b_port <<<"$(free_ports)"
    SERVICE_A_PORT=$a_port SERVICE_B_PORT=$b_port INPUT_LOG_URL=sqlite:///$scratch/inputs.db \
        ./run_services.sh >"$scratch/services.log" 2>&1 &
    services=$!
    until grep -qs 'Both services are up' "$scratch/services.log"; do
        kill -0 "$services" 2>/dev/null || break
        sleep 0.5
    done
    walk_through "http://localhost:$a_port" "http://localhost:$b_port"
    status=$?
    stop_own_services
    [ "$status" -eq 0 ] || cat "$scratch/services.log"
    return "$status"
}

stop_own_services() {
    [ -n "$services" ] && kill -TERM "$services" 2>/dev/null && wait "$services"
    services=''
}

test_walkthrough() {
    step "walkthrough: packages" prepare_both || return
    step "walkthrough" walk_through_own_services
}

run_part() { # PART
    case $1 in
        service_a) test_service service_a main.py gateway tests ;;
        service_b) test_service service_b main.py predictor training tests ;;
        system) test_system ;;
        walkthrough) test_walkthrough ;;
        *) refuse_arguments "there is no part $1" ;;
    esac
}

# ---- Main

CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")" || exit 1

parts='service_a service_b system walkthrough'
case "${1:-} $#" in
    ' 0') ;;
    '--help 1' | '-h 1')
        usage
        exit
        ;;
    '--only 2') parts=$2 ;;
    '--walkthrough 1' | '--walkthrough 3') ;;
    *) refuse_arguments "unknown arguments: $*" ;;
esac

case $parts in
    *walkthrough*) command -v curl >/dev/null || fail "curl was not found; the walkthrough needs it. Install it with your package manager." ;;
esac

if [ "${1:-}" = --walkthrough ]; then
    a_url=${2:-http://localhost:8000}
    b_url=${3:-http://localhost:8001}
    walk_through "${a_url%/}" "${b_url%/}"
    exit
fi

services=''
checks=''
scratch=$(mktemp -d) || exit 1
trap 'stop_own_services; [ -z "$checks" ] || kill "$checks" 2>/dev/null; rm -rf "$scratch"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
trap 'exit 129' HUP

for part in $parts; do
    run_part "$part"
done

printf '\n==== Summary\n%s' "$summary"
[ "$failures" -eq 0 ]
