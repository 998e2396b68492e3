#!/bin/sh
# Starts Service B, then Service A, each in a venv of its own, and shows both logs. Ctrl-C stops both.
# Needs nothing but Python 3.11 to 3.14. How it is done is in lab/; --help says what can be asked for.
# With Windows line endings, `sh run_services.sh` goes on without them; nothing else can.
ending=
[ -z "$ending" ] || { eval "$(tr -d '\r' <"$0" | sed 1,6d)"; exit; } #

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd) || exit 1
if [ -z "$ending" ]; then . "$here/lab/find_python.sh"; else eval "$(tr -d '\r' <"$here/lab/find_python.sh")"; fi
cd -- "$here" && exec "$python" -E -s -m lab run_services.sh "$@"
