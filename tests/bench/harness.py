"""What the benchmarks share: the command and components built, hosts at work, a feeder, figures and where they go."""

import argparse
import collections
import datetime
import json
import os
import pathlib
import queue
import shutil
import signal
import subprocess
import sys
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
WASM = "wasm32-unknown-unknown"
# Of Spark's figures in a comparison: its older way to keep a state for each key.
OLDER = "spark-update"
# What goes wrong takes longer than this, in seconds.
PATIENCE = 600
# Rows that have not come for so many seconds do not come.
QUIET = 30


def arguments(about, quick):
    """The options that every benchmark has."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help=quick)
    parser.add_argument("--weir", type=built, help="a built command to measure; by default it is built")
    return parser


def built(text):
    """Where a command lies."""
    found = shutil.which(text)
    if found is None:
        raise argparse.ArgumentTypeError(f"there is no command {text}; leave it out, and it is built")
    return pathlib.Path(found).resolve()


def positive(text, kind=int):
    """A number above 0."""
    try:
        number = kind(text)
    except ValueError:
        number = 0
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is no {'whole ' if kind is int else ''}number above 0")
    return number


def real(text):
    """A number above 0, whole or not."""
    return positive(text, float)


def positives(text):
    """Whole numbers above 0 with commas between them."""
    return [positive(part) for part in text.split(",")]


class Bench:
    """A folder with a data folder in which the components are known."""

    def __init__(self, folder, weir, components):
        self.folder = folder
        self.environment = os.environ | {"WEIR_DATA_DIR": str(folder / "data"), "RUST_LOG": "info"}
        packages = [argument for component in components for argument in ("-p", component)]
        run("cargo", "build", "--release", "--target", WASM, *packages, cwd=ROOT)
        if weir is None:
            run("cargo", "build", "--release", "-p", "weir", "--bin", "weir", cwd=ROOT)
        self.weir = weir or TARGET / "release" / "weir"
        for component in components:
            wasm = TARGET / WASM / "release" / f"{component.replace('-', '_')}.wasm"
            run(self.weir, "plugin", "register", wasm, env=self.environment)

    def start(self, pipeline, *options, left=None, output=None):
        """Starts a host, on what another has left of its pipelines, or on nothing."""
        pipelines = self.folder / "data" / "pipelines"
        for leftover in [self.folder / "out", pipelines]:
            shutil.rmtree(leftover, ignore_errors=True)
        if left:
            shutil.copytree(left, pipelines)
        (self.folder / "bench.toml").write_text(pipeline)
        return Host([self.weir, "run", *options, "bench.toml"], self.folder, self.environment, output)

    def warm(self, pipeline):
        """Has a pipeline's components compiled, and their code kept: a host that compiles has memory that it never lets go."""
        with self.start(pipeline) as host:
            host.wait("started")

    def run(self, pipeline, warm=0):
        """Runs a pipeline over all its input; what the batches after the first `warm` came to."""
        with self.start(pipeline, "--once") as host:
            for _ in range(warm):
                host.wait("batch committed")
            before = host.cpu() if warm else 0
            used = host.finish()
        return Ran(host.batches()[warm:], used.ru_utime + used.ru_stime - before, used.ru_maxrss / 1024)


class Ran:
    """A run over all input: the events of its batches, CPU seconds, and the peak memory in MiB."""

    def __init__(self, batches, cpu, peak_mib):
        self.batches, self.cpu, self.peak_mib = batches, cpu, peak_mib
        self.times = [batch["processing_ms"] for batch in batches]


class Host:
    """A host at work, followed through its log; what it prints goes to `output`, line by line, or is lost.

    It is killed where it has not been finished.
    """

    def __init__(self, command, folder, environment, output=None):
        self.seen, self.told, self.over, self.used = [], [], False, None
        self.events = queue.SimpleQueue()
        self.begun = time.time()
        stdout = subprocess.PIPE if output else subprocess.DEVNULL
        self.process = subprocess.Popen(command, cwd=folder, env=environment, stdout=stdout, stderr=subprocess.PIPE, text=True)
        self.readers = [threading.Thread(target=self.follow, daemon=True)]
        if output:
            self.readers.append(threading.Thread(target=self.pass_on, args=(output,), daemon=True))
        for reader in self.readers:
            reader.start()

    def follow(self):
        for line in self.process.stderr:
            if line.startswith("{"):
                self.events.put(json.loads(line))
            else:
                self.told.append(line)
        self.events.put(None)

    def pass_on(self, output):
        for line in self.process.stdout:
            output(line)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.used is None:
            self.process.kill()
            self.process.wait()
        for reader in self.readers:
            reader.join()
        self.process.stderr.close()

    def wait(self, message, is_it=lambda event: True):
        """The next event with this message that is the one."""
        event = self.next(lambda event: event["message"] == message and is_it(event))
        if event is None:
            sys.exit(f"the host ended, or took too long, before it said `{message}`:\n{''.join(self.told)}{self.seen[-3:]}")
        return event

    def next(self, is_it):
        """The next event that is the one; none if the host ended, or takes too long."""
        until = time.monotonic() + PATIENCE
        while not self.over and (event := self.take(until - time.monotonic())):
            if is_it(event):
                return event
        return None

    def look(self):
        """Takes in what it has said by now."""
        while not self.over and self.take(0):
            pass

    def take(self, seconds):
        """The next event, if there is one in this time."""
        try:
            event = self.events.get(timeout=max(0, seconds))
        except queue.Empty:
            return None
        if event is None:
            self.over = True
        else:
            self.seen.append(event)
        return event

    def batches(self):
        """The batches that have committed, as far as the log was read."""
        return [event for event in self.seen if event["message"] == "batch committed"]

    def take_in(self, rows):
        """Waits until so many rows have been committed, or none come any more: a host that is stopped leaves behind what it
        has not received."""
        taken, last = sum(batch["rows_in"] for batch in self.batches()), time.monotonic()
        while taken < rows and time.monotonic() - last < QUIET:
            if came := self.wait("batch committed")["rows_in"]:
                taken, last = taken + came, time.monotonic()

    def stop(self):
        """Has it process what it has received, and end; what it has used."""
        self.process.send_signal(signal.SIGINT)
        return self.finish()

    def finish(self):
        """Waits for its end; what it has used."""
        self.next(lambda event: False)
        if not self.over:
            sys.exit(f"the host does not end:\n{self.seen[-3:]}")
        _, status, self.used = os.wait4(self.process.pid, 0)
        self.process.returncode = os.waitstatus_to_exitcode(status)
        if self.process.returncode != 0:
            sys.exit(f"the pipeline failed:\n{''.join(self.told)}{self.seen[-3:]}")
        return self.used

    def cpu(self):
        """The CPU seconds that it has used, in steps of 10 ms."""
        # The command's name, in parentheses, may have blanks.
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory(self, figure="VmRSS"):
        """The memory that it has resident, in MiB; of `VmHWM`, the most that it had."""
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.partition(f"{figure}:")[2].split()[0]) / 1024


class Feeder:
    """Sends lines over a socket to the first who connects, as `tests/bench/src/bin/feed.rs` says."""

    def __init__(self, folder, rate, seconds, mark_every=None):
        self.words_file = folder / "words.csv"
        command = [TARGET / "release" / "weir-bench-feed", "words", "--rate", str(rate), "--seconds", str(seconds)]
        command += ["--words", self.words_file] + (["--mark-every", str(mark_every)] if mark_every else [])
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.address = self.process.stdout.readline().strip()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def is_feeding(self):
        return self.process.poll() is None

    def finish(self):
        """What it says when it is done."""
        printed = self.process.stdout.read()
        if self.process.wait() != 0:
            sys.exit("the feeder failed")
        return json.loads(printed)

    def words(self):
        """How often it has sent each word."""
        lines = self.words_file.read_text().splitlines()
        return collections.Counter({word: int(count) for word, count in (line.split(",") for line in lines)})


def build_native():
    """Builds what sends, makes and counts lines without Weir."""
    run("cargo", "build", "--release", "-p", "weir-bench", cwd=ROOT)


def run(*command, **options):
    """Runs a command that a benchmark cannot do without."""
    try:
        ended = subprocess.run(command, stdout=sys.stderr, **options)
    except FileNotFoundError:
        sys.exit(f"there is no command {command[0]}: install it, or put it on PATH")
    if ended.returncode != 0:
        sys.exit(f"`{' '.join(map(str, command))}` failed with exit code {ended.returncode}; what it says is above")


def instant(text):
    """Seconds since 1970 of a time as logs have it."""
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def written(folder):
    """The rows that a sink of `files` has written as CSV: for each batch, in order, a list of fields a row."""
    batches = sorted(folder.glob("batch_time=*"), key=lambda batch: int(batch.name.partition("=")[2]))
    for batch in batches:
        parts = [part.read_text().splitlines()[1:] for part in sorted(batch.glob("part-*"))]
        yield [row.split(",") for rows in parts for row in rows]


def write_batches(folder, lines, batches):
    """A folder of files, one for each batch, that have the same lines: one file under many names."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    (folder / "000000.txt").write_text(lines)
    for number in range(1, batches):
        os.link(folder / "000000.txt", folder / f"{number:06}.txt")


def scratch():
    """Where benchmarks keep what they have made and found."""
    folder = TARGET / "bench"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def save(name, arguments, results):
    """Writes a benchmark's results down, beside what was asked for and how busy the machine was."""
    about = {"arguments": vars(arguments), "cores": os.cpu_count(), "load": os.getloadavg()[0]}
    (scratch() / f"{name}.json").write_text(json.dumps(about | results, indent=1, default=str) + "\n")


def table(head, rows):
    """A Markdown table."""
    return "".join(f"| {' | '.join(map(str, row))} |\n" for row in [head, ["---"] * len(head), *rows])


def into_readme(script, text):
    """Puts what a script has found between its marks in the README."""
    readme = ROOT / "README.md"
    begin, end = f"<!-- {script} -->\n", f"<!-- /{script} -->\n"
    before, begun, rest = readme.read_text().partition(begin)
    _, ended, after = rest.partition(end)
    if not begun or not ended:
        sys.exit(f"{readme} has no place for it: put {begin.strip()} and {end.strip()} where it is to go")
    readme.write_text(before + begun + text + end + after)
