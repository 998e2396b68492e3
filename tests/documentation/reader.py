"""The reader: follows a document in a lab of its own and tells what is not as shown."""

import json
import os
import re
import shutil
import signal
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import requests

from tests.documentation.answer import (
    appears,
    find_differences,
    find_text_differences,
    parse,
    parse_shown,
    show,
)
from tests.documentation.document import Block, Comment, read_document
from tests.documentation.elsewhere import find_test
from tests.documentation.powershell import write_script
from tests.documentation.request import read_curl_requests, read_powershell_requests
from tests.documentation.terminal import Running, Terminal
from tests.running_lab import ROOT, Lab, wait_until

PORTS = {"service_a": "8000", "service_b": "8001"}
# A copy of the data for training, where the internet can't be reached.
DATA = Path(os.environ.get("AMES_DATA", ROOT.parent / "shared" / "data" / "AmesHousing.txt"))
ONLY_IN_CI, ONLY_WITH, EVERYWHERE = "only in CI", "only with ", "everywhere"


class Reader:
    """Follows one document; with PowerShell, types the blocks for it instead of those for bash."""

    def __init__(
        self,
        document: Path,
        folder: Path,
        pwsh: str | None = None,
        *,
        used_log: Path | None = None,
    ) -> None:
        self.problems: list[str] = []
        self.left_behind: list[str] = []  # files, when the document has been followed
        self.log = ""  # of the services, when the document has been followed
        self.counts: Counter[str] = Counter()
        self._path = document
        self._place = document.name
        self._skips: str | None = None  # why, while something is skipped
        self._answers: list[tuple[Block, str]] = []  # those that are not as shown
        self._pwsh = pwsh
        self._terminal = Terminal(folder)
        self._folder = self._terminal.root
        log = self._folder / "service_a/data/inputs.db"
        if used_log:
            log.parent.mkdir()
            shutil.copy(used_log, log)
        self._lab = Lab(folder, root=self._folder, service_a={"INPUT_LOG_URL": f"sqlite:///{log}"})
        self._services = {"service_a": self._lab.a, "service_b": self._lab.b}
        self._defaults = {
            name: (each.command, each.environment) for name, each in self._services.items()
        }
        for name, service in self._services.items():
            self._terminal.use_port(PORTS[name], service.port)
        self._other: tuple[Block, Running] | None = None  # what runs in another terminal

    def follow(self) -> None:
        """Do all that the document says, in order, up to the first problem in it."""
        for step in read_document(self._path):
            if isinstance(step, Comment) and _is_condition(step.text):
                self._skips = _find_reason_to_skip(step.text)
                continue
            if self._skips:
                if isinstance(step, Block) and step.language == "bash":
                    self.counts[f"commands left {self._skips}"] += 1
                continue
            self._place = f"{self._path.name}:{step.line}"
            try:
                self._follow_one(step)
            except AssertionError as error:
                self.problems.append(f"{self._place}: {error}")
                return

    def rewrite(self) -> None:
        """Write the answers that came into the document."""
        text = self._path.read_text(encoding="utf-8")
        for block, answer in sorted(self._answers, key=lambda each: -each[0].span[0]):
            start, end = block.span
            text = text[:start] + answer + text[end:]
        self._path.write_text(text, encoding="utf-8")

    def leave(self) -> None:
        """End everything that runs."""
        self.log = "\n".join(
            f"---- {each.output.name}\n{each.read_output()[-10_000:]}"
            for each in self._services.values()
        )
        try:
            self._lab.stop()
        finally:
            self.left_behind = self._terminal.list_changes()
            self._terminal.close()

    def _follow_one(self, step: Block | Comment) -> None:
        if isinstance(step, Comment):
            self._obey(step.text)
        elif step.comments or step.language == "bash":
            self._take(step)
        elif step.language == "python":
            compile(step.text, self._place, "exec")
            self.counts["examples that parse"] += 1
        elif step.language == "json":
            parse_shown(step.text)
            self.counts["examples that parse"] += 1

    # ---- comments

    def _obey(self, comment: str) -> None:
        verb, *words = comment.split()
        if verb == "folder":
            self._folder = self._terminal.root / words[0]
        elif verb == "data":
            if DATA.exists():
                shutil.copy(DATA, self._terminal.root / words[0])
        elif comment == "wait":
            assert self._other, "nothing runs in another terminal"
            self._compare(*self._other)
            self._other = None
        elif comment.startswith("wait for "):
            self._wait_for(self._terminal.localise(words[1]), int(words[2]))
        else:
            assert verb in ("start", "stop", "kill", "hang", "resume"), (
                f"no such comment: {comment}"
            )
            self._change(words[0], verb, words[1:])

    def _change(self, name: str, verb: str, settings: list[str]) -> None:
        service = self._services[name]
        if verb == "start":
            wait_until(lambda: not service.runs)  # a command may have just ended it
            command, environment = self._defaults[name]
            service.command = command
            service.environment = environment | _read_settings(settings)
            service.start()
            return
        self._provide(PORTS.values())
        if verb == "stop":
            assert service.stop() == 0, "it did not end cleanly"
        elif verb == "kill":
            service.kill()
        else:
            service.signal(signal.SIGSTOP if verb == "hang" else signal.SIGCONT)

    def _wait_for(self, url: str, status: int) -> None:
        def answers() -> bool:
            try:
                return requests.get(url, timeout=5).status_code == status
            except requests.RequestException:
                return False

        wait_until(answers)

    # ---- blocks

    def _take(self, block: Block) -> None:
        kind, *words = (block.comments or ["run"])[0].split()
        if kind in ("file", "append"):
            with (self._folder / words[0]).open("x" if kind == "file" else "a") as file:
                file.write(block.text)
            self.counts["files written"] += 1
        elif kind == "printed":
            service = self._services[words[1]]
            # A request's line is written after its answer.
            wait_until(lambda: appears(block.text, service.read_output()))
            self.counts["answers compared"] += 1
        elif find_test(block.text):
            self.counts["commands left to other tests"] += 1
        else:
            self._provide(port for port in PORTS.values() if port in block.text)
            self._compare_powershell(block)
            self.counts["commands run"] += 1
            if kind == "starts":
                self._start(words[0], words[1:], block.text)
            elif kind == "another":
                assert self._other is None, "the other terminal is busy"
                self._other = block, self._terminal.run(block.text, self._folder)
            elif self._pwsh and block.powershell:
                script = write_script(block.powershell.text)
                shell = [self._pwsh, "-NoProfile", "-NonInteractive", "-Command"]
                self._compare(block, self._terminal.run(script, self._folder, shell))
                self.counts["PowerShell blocks run"] += 1
            else:
                self._compare(block, self._terminal.run(block.text, self._folder))

    def _provide(self, ports: Iterable[str]) -> None:
        """Start the services that a command needs, if they were never started."""
        wanted = {"8000": ["service_a", "service_b"], "8001": ["service_b"]}
        names = {name for port in ports for name in wanted[port]}
        new = [self._services[name] for name in names if self._services[name].process is None]
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda service: service.start(), new))

    def _start(self, name: str, settings: list[str], script: str) -> None:
        """Start a service by the command in the document."""
        service = self._services[name]
        wait_until(lambda: not service.runs)
        # With `exec` bash becomes the service, which then gets the signals.
        script = re.sub(
            r"(?=\S*venv/bin/\S+ .*$)", "exec ", self._terminal.localise(script), count=1
        )
        service.command = ["bash", "-ec", f"cd {self._folder}\n{script}"]
        service.environment = self._defaults[name][1] | _read_settings(settings)
        service.start()

    def _compare_powershell(self, block: Block) -> None:
        if block.powershell:
            requests_sent = read_curl_requests(block.text)
            assert requests_sent, "no request to compare"
            assert read_powershell_requests(block.powershell.text) == requests_sent
            self.counts["PowerShell blocks compared"] += 1

    def _compare(self, block: Block, running: Running) -> None:
        status, printed = self._terminal.wait(running)
        expected = [comment.split()[1] for comment in block.comments if comment.startswith("exit")]
        assert status == int((expected or ["0"])[0]), f"ended with {status}:\n{printed}"
        if block.answer is None:
            return
        self.counts["answers compared"] += 1
        if block.answer.language == "text":
            shown = block.answer.text
            if self._pwsh and block.powershell and shown.startswith("HTTP/"):
                shown = shown.partition("\n\n")[2] or "…\n"  # Invoke-RestMethod shows no head
            differences = list(find_text_differences(shown, printed))
            came = printed.rstrip("\n") + "\n"
        else:
            if printed.startswith("HTTP/"):
                printed = printed.split("\n\n", 1)[1]
            try:
                values = parse(printed)
            except json.JSONDecodeError:
                raise AssertionError(f"not JSON: {printed}") from None
            differences = list(find_differences(parse_shown(block.answer.text), values))
            came = "".join(f"{show(value)}\n" for value in values)
        if differences:
            self._answers.append((block.answer, came))
            self.problems += [
                f"{self._path.name}:{block.answer.line}{each}" for each in differences
            ]


def _read_settings(words: list[str]) -> dict[str, str]:
    return dict(word.split("=", 1) for word in words)


def _is_condition(comment: str) -> bool:
    return comment in (ONLY_IN_CI, EVERYWHERE) or comment.startswith(ONLY_WITH)


def _find_reason_to_skip(condition: str) -> str | None:
    if condition == ONLY_IN_CI and not os.environ.get("CI"):
        return "to CI"
    program = condition.removeprefix(ONLY_WITH)
    if program != condition and shutil.which(program) is None:
        return f"out without {program}"
    return None
