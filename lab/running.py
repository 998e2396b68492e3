"""`run`: prepare, start both services, say where they are, and go on until stopped."""

import os

from lab.calls import call
from lab.ports import check_port_is_free
from lab.services import run_both, watch
from lab.settings import Settings, read_settings
from lab.shells import POWERSHELL, Shell
from lab.venvs import prepare
from lab.walkthrough import HOUSE


def run(shell: Shell, *, faults: bool = False) -> None:
    """Never return: end by a signal, or by a failure."""
    # This process has replaced a POSIX shell. PowerShell goes on beside it, and may be killed.
    parent = os.getppid() if shell is POWERSHELL else None
    settings = read_settings(os.environ)
    check_port_is_free("Service A", "SERVICE_A_PORT", settings.a_port, shell)
    check_port_is_free("Service B", "SERVICE_B_PORT", settings.b_port, shell)
    prepare("service_b", "requirements.txt")
    prepare("service_a", "requirements.txt")
    with run_both(settings, {"LAB_FAULTS": "1"} if faults else {}) as services:
        service_a = f"http://127.0.0.1:{settings.a_port}"
        wants_key = call(f"{service_a}/").status == 401
        # They may have been asked for in .env too.
        has_faults = '"/faults"' in call(f"{service_a}/openapi.json").text
        has_page = call(f"{service_a}/lab").status == 200
        print(
            write_welcome(
                settings, shell, wants_key=wants_key, has_faults=has_faults, has_page=has_page
            )
        )
        watch(services, parent)


def write_welcome(
    settings: Settings, shell: Shell, *, wants_key: bool, has_faults: bool, has_page: bool
) -> str:
    """Say where the services are, and how to try them."""
    a, b = (f"http://localhost:{port}" for port in (settings.a_port, settings.b_port))
    header = shell.any_key if wants_key else ""
    body = f'{{"data": {HOUSE}}}'
    page = f"\n  {a}/lab  shows what happens in a browser\n" if has_page else ""
    place = f"{a}/lab#break" if has_page else f"{a}/docs"
    faults = f"\n  Faults are on: break both services at {place}\n" if has_faults else ""
    return f"""
Both services are up. Ctrl-C stops them.
{page}{faults}
  Service A  {a}  {a}/docs
  Service B  {b}  {b}/docs

Try it in a second {shell.terminal}:

  {shell.post.format(url=f"{a}/process", header=header, body=body)}
"""
