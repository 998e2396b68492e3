#!/bin/sh
# Runs every test of the lab, or only the walkthrough against running services.
# Needs nothing but Python 3.11 to 3.14. How it is done is in lab/; --help says what can be asked for.
# With Windows line endings, `sh test_services.sh` goes on without them; nothing else can.
[ -z "$(tr -dc '\r' <"$0")" ] || { eval "$(tr -d '\r' <"$0" | sed 1,5d)"; exit; } #

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd) || exit 1
eval "$(tr -d '\r' <"$here/lab/find_python.sh")"
cd -- "$here" && exec "$python" -E -s -m lab test_services.sh "$@"
