"""`python -m training`: does what the command line says; one line says what has stopped it."""

import os
import re
import signal
import sys
import warnings
from io import TextIOWrapper

from training.errors import TrainingError

# How the names of variables begin that the libraries read.
_FOREIGN = ("CURL_", "JOBLIB_", "LOKY_", "MLFLOW_", "MPL", "NPY_", "NUMPY_", "SKLEARN_", "TQDM_")
_INTERRUPTED, _PIPE_CLOSED = 128 + 2, 128 + 13  # as a shell gives SIGINT and SIGPIPE


def main(arguments: list[str] | None = None) -> int:
    """Do what the command line says; give the exit status, 0 if that went well."""
    _prepare_output()
    try:
        try:
            # Not before: an interrupt, or a variable that a library can't read, is reported here.
            from training import command_line

            status = command_line.run(arguments)
        finally:
            sys.stdout.flush()
    except TrainingError as error:
        return _fail(str(error), error.status)
    except KeyboardInterrupt:
        if sys.stderr.isatty():
            print(file=sys.stderr)  # after the ^C that a terminal shows
        return _fail("interrupted; what was finished is kept", _INTERRUPTED)
    except BrokenPipeError:
        _drop_output()
        return _PIPE_CLOSED
    except Exception as error:
        variables = _find_variables(error)
        if variables:
            problem = f"its value can't be used ({type(error).__name__}); mend or unset it"
            return _fail(f"{variables}: {problem}")
        if not isinstance(error, OSError):
            raise
        if error.filename is None:
            _drop_output()
        return _fail(f"{error.filename or 'cannot write output'}: {error.strerror or error}")
    return status


def _prepare_output() -> None:
    """Let no output fail by its encoding, and show each line at once, through a pipe too."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # closed by the caller
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115
        elif isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace", line_buffering=True)


def _drop_output() -> None:
    """Let what is still to be written go nowhere, where it can't fail when Python ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _fail(message: str, status: int = 1) -> int:
    print(f"error: {message}", file=sys.stderr)
    return status


def _find_variables(error: Exception) -> str:
    """Name the foreign variables that an error names, or whose values it does."""
    words = {name: (name, value or repr(value)) for name, value in os.environ.items()}
    return ", ".join(
        name
        for name in words
        if name.startswith(_FOREIGN)
        and re.search(rf"(?<![\w.])({'|'.join(map(re.escape, words[name]))})(?!\.?\w)", str(error))
    )


if __name__ == "__main__":
    # joblib's words, here and in the process that clears up after it, when an interrupt stops it.
    warnings.filterwarnings("ignore", r"\d+ tasks which were still being processed")
    former = os.environ.get("PYTHONWARNINGS", "")
    os.environ["PYTHONWARNINGS"] = f"{former},ignore:resource_tracker:UserWarning".strip(",")
    # Ended either way, it ends its processes too.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    ended = main()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # nothing is left to interrupt
    sys.exit(ended)
