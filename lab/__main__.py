"""`python -m lab`: what the scripts hand their arguments to."""

import os
import sys

from lab.checks import PARTS, run_parts
from lab.errors import LabFailure, Stopped, WrongArguments
from lab.help import RUN, TEST
from lab.output import write_in_any_encoding
from lab.running import run
from lab.service_b_check import check_service_b
from lab.shells import MODULE, POSIX, POWERSHELL, Shell
from lab.stop_signals import raise_stopped_on_signals
from lab.venvs import prepare
from lab.walkthrough import walk_through


def main(command: str = "", *arguments: str) -> int:
    """Do what a command is asked for, and return the exit status.

    The command is `run` or `test`, or the script's name, so that messages name what was called.
    """
    script, _, kind = command.partition(".")
    shell = {"sh": POSIX, "ps1": POWERSHELL}.get(kind, MODULE)
    runs = script in ("run", "run_services")
    help_text = (RUN if runs else TEST).format(shell=shell)
    name = (shell.run if runs else shell.test).lstrip("./\\")
    try:
        if not runs and script not in ("test", "test_services"):
            print(f"{RUN}\n{TEST}".format(shell=MODULE), end="")
            return 0 if command in ("--help", "-h") else 2
        if arguments[:1] in (("--help",), ("-h",)):
            print(help_text, end="")
            return 0
        done = _run(arguments, shell) if runs else _test(arguments, shell)
    except WrongArguments as error:
        usage = help_text.partition("\n\n")[0]
        print(f"{name}: {error}\n{usage} ({shell.help} says more)", file=sys.stderr)
        return 2
    except LabFailure as failure:
        print(f"{name}: {failure}", file=sys.stderr)
        return 1
    except Stopped as stopped:
        return 128 + stopped.number
    except BrokenPipeError:  # whoever read the output has gone, such as `head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return 0 if done else 1


def _run(arguments: tuple[str, ...], shell: Shell) -> bool:
    match arguments:
        case ():
            run(shell)
        case ("--faults",):
            run(shell, faults=True)
        case ("--prepare", lock, *folders) if folders:
            for folder in folders:
                prepare(folder, lock)
        case ("--prepare", *_):
            raise WrongArguments("--prepare needs a lock and a service")
        case _:
            raise WrongArguments(f"unknown argument: {arguments[0]}")
    return True


def _test(arguments: tuple[str, ...], shell: Shell) -> bool:
    steps = arguments[:2] == ("--walkthrough", "--step")
    if steps:
        arguments = (arguments[0], *arguments[2:])
    match arguments:
        case ():
            return run_parts(PARTS, shell)
        case ("--only", part) if part in PARTS:
            return run_parts([part], shell)
        case ("--only", part):
            raise WrongArguments(f"there is no part {part}")
        case ("--walkthrough",):
            return walk_through(
                "http://localhost:8000", "http://localhost:8001", shell, waits=steps
            )
        case ("--walkthrough", a, b):
            return walk_through(a.removesuffix("/"), b.removesuffix("/"), shell, waits=steps)
        case ("--check-b", url):
            return check_service_b(url)
        case ("--check-b", url, input_file):
            return check_service_b(url, input_file)
    raise WrongArguments(f"unknown arguments: {' '.join(arguments)}")


if __name__ == "__main__":
    write_in_any_encoding()
    raise_stopped_on_signals()
    sys.exit(main(*sys.argv[1:]))
