"""What the benchmarks share: the command and components built, a pipeline run, its batches' times, tables in the README."""

import json
import os
import pathlib
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
WASM = "wasm32-unknown-unknown"


class Bench:
    """A folder with a data folder in which the components are known."""

    def __init__(self, folder, weir, components):
        self.folder = folder
        self.environment = os.environ | {"WEIR_DATA_DIR": str(folder / "data"), "RUST_LOG": "info"}
        packages = [argument for component in components for argument in ("-p", component)]
        run("cargo", "build", "--release", "--target", WASM, *packages, cwd=ROOT)
        if weir is None:
            run("cargo", "build", "--release", "-p", "weir", "--bin", "weir", cwd=ROOT)
        self.weir = pathlib.Path(weir).resolve() if weir else TARGET / "release" / "weir"
        for component in components:
            wasm = TARGET / WASM / "release" / f"{component.replace('-', '_')}.wasm"
            run(self.weir, "plugin", "register", wasm, env=self.environment)

    def run(self, pipeline):
        """Runs a pipeline over all its input: each batch's milliseconds, in order, and the peak memory in KiB."""
        for leftover in [self.folder / "out", self.folder / "data" / "pipelines"]:
            shutil.rmtree(leftover, ignore_errors=True)
        file = self.folder / "bench.toml"
        file.write_text(pipeline)
        log = self.folder / "log"
        with log.open("w") as stderr:
            process = subprocess.Popen([self.weir, "run", "--once", file], stderr=stderr, env=self.environment)
            _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            sys.exit(f"the pipeline failed:\n{log.read_text()[-2000:]}")
        events = [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
        times = [event["processing_ms"] for event in events if event["message"] == "batch committed"]
        return times, used.ru_maxrss


def run(*command, **options):
    subprocess.run(command, check=True, stdout=sys.stderr, **options)


def into_readme(script, text):
    """Puts what a script has found between its marks in the README."""
    readme = ROOT / "README.md"
    begin, end = f"<!-- {script} -->\n", f"<!-- /{script} -->\n"
    before, begun, rest = readme.read_text().partition(begin)
    _, ended, after = rest.partition(end)
    if not begun or not ended:
        sys.exit(f"{readme} has no place for it: put {begin.strip()} and {end.strip()} where it is to go")
    readme.write_text(before + begun + text + end + after)
