#!/usr/bin/env bash
# Measures both services and what people would use instead. See --help, and README.md beside this.
set -eu

CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."

case " $* " in
    *' --help '* | *' -h '*) ;; # needs no packages
    *)
        # With the driver for PostgreSQL and what exports spans; only scale and traces use them.
        ./run_services.sh --prepare requirements-tracing.txt service_a service_b
        # Whatever is compared runs on the same Python.
        export PYTHON=$PWD/service_a/.venv/bin/python
        ./run_services.sh --prepare requirements.txt benchmarks
        exec benchmarks/.venv/bin/python -m benchmarks "$@"
        ;;
esac
exec "${PYTHON:-python3}" -m benchmarks "$@"
