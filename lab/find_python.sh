# Sets python to the full path of a Python 3.11 to 3.14: $PYTHON, or else the newest that is found.
# Read by the two scripts. For any POSIX sh, such as dash and the bash 3.2 of macOS.

fail() { # MESSAGE
    printf '%s: %s\n' "${0##*/}" "$1" >&2
    exit 1
}

# Prints the full path of a Python if it runs and has a version that the locked packages support.
suitable_python() { # COMMAND
    "$1" -E -c 'import sys; print(sys.executable) if (3, 11) <= sys.version_info[:2] <= (3, 14) else sys.exit(1)' 2>/dev/null
}

if [ -n "${PYTHON:-}" ]; then
    python=$(suitable_python "$PYTHON") || fail "PYTHON=$PYTHON is not a Python 3.11 to 3.14."
else
    for command in python3.14 python3.13 python3.12 python3.11 python3 none; do
        python=$(suitable_python "$command") && break
    done
    if [ -z "$python" ]; then
        found=$(python3 --version 2>/dev/null) || found='not there'
        fail "no Python 3.11 to 3.14 was found (python3 is $found). Install one (https://www.python.org/downloads/), or name yours: PYTHON=/path/to/python3 ./${0##*/}"
    fi
fi
