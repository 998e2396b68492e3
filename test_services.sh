#!/bin/sh
# Runs every test of the lab, or only the walkthrough against running services.
# Needs nothing but Python 3.11 to 3.14. How it is done is in lab/; --help says what can be asked for.
# With Windows line endings, `sh test_services.sh` goes on without them; nothing else can.
ending=
[ -z "$ending" ] || { eval "$(tr -d '\r' <"$0" | sed 1,6d)"; exit; } #

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd) || exit 1
if [ -z "$ending" ]; then . "$here/lab/find_python.sh"; else eval "$(tr -d '\r' <"$here/lab/find_python.sh")"; fi
cd -- "$here" && exec "$python" -E -s -m lab test_services.sh "$@"
