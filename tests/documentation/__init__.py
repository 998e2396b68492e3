"""A reader who follows a document word for word: types its commands, compares its answers.

What the writer of a document must know:

- A ```bash block is run by bash, in a copy of the repository. It must end with status 0. The ports
  8000 and 8001 become those of the reader's own services, 8002 to 8009 free ones.
- The next ```json or ```text block, if it comes before another command, is what it must print.
  JSON is compared as values; of the output of `curl -i`, only the body. Text is compared line by
  line, without the spaces at the ends of lines.
- `…` is what differs each time. In text: the rest of a line, or, on a line of its own, any number
  of lines. In JSON: as a value, or within a string, anything; at the end of an object or array,
  more of it.
- A ```powershell block must make the same requests as the ```bash block before it.
- A service is started before the first command that names its port. Each document begins with
  the models that ship and a log that has been used before: an input of each outcome is in it.
- When the document ends, no file of the repository is changed, and there is no new one that git
  doesn't ignore. The documents that change the lab on purpose are named in `test_documentation.py`.
- A command that other tests run, or none can, is listed in `elsewhere.py`.
- ```python and ```json blocks that are neither a file nor an answer must parse. A block without a
  language is a drawing.

Comments, each on a line of its own, say what the reader does beside the commands:

    <!-- test: stop service_b -->            as Ctrl-C does; it must end cleanly
    <!-- test: start service_b NAME=value --> with settings, if there are any; it must not run
    <!-- test: kill service_a -->            as `kill -9` does
    <!-- test: hang service_b -->            it runs, and does nothing (SIGSTOP)
    <!-- test: resume service_b -->          it goes on (SIGCONT)
    <!-- test: folder service_b -->          the blocks from here on are run in this folder
    <!-- test: data service_b -->            put a copy of the data of `ames` there, if there is one
    <!-- test: wait for http://localhost:8001/health 503 -->   ask until the status is this one
    <!-- test: wait -->                      until the command in the other terminal has ended
    <!-- test: only in CI -->                skip what follows elsewhere, up to
    <!-- test: only with node -->            skip it where there is no such program, up to
    <!-- test: everywhere -->

and what the next block is:

    <!-- test: file NAME -->                 a file that the reader writes
    <!-- test: append NAME -->               lines that the reader adds to a file
    <!-- test: starts service_b NAME=value --> the command that starts it; it goes on running
    <!-- test: printed by service_a -->      lines of its log, in this order, others between
    <!-- test: another terminal -->          runs beside what follows; `wait` compares its answer
    <!-- test: exit 7 -->                    the status that the command ends with

A command may also act on a service itself: `kill -STOP $(lsof -t -i :8001 -s TCP:LISTEN)`.
"""

from tests.running_lab import ROOT

DOCUMENTS = [
    ROOT / "README.md",
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "deploy").rglob("*.md")),
    ROOT / "benchmarks/README.md",
]
