#!/bin/sh
# Runs every test of the lab, or only the walkthrough against running services.
# Needs nothing but Python 3.11 to 3.14. How it is done is in lab/; --help says what can be asked for.

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd) || exit 1
. "$here/lab/find_python.sh"
cd -- "$here" && exec "$python" -E -s -m lab test_services.sh "$@"
