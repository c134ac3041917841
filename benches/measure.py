"""What the benchmarks share: the table they read, what a run costs, and the page they write."""

import importlib.metadata
import importlib.util
import json
import os
import platform
import resource
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "benchmarks.md"
UNITS = {"k": 10**3, "m": 10**6, "g": 10**9}
MIB = 1 << 20


def sizes(text):
    return [int(float(part[:-1]) * UNITS[part[-1].lower()]) for part in text.split(",")]


def short(rows):
    unit = next(unit for unit in "gmk" if rows >= UNITS[unit])
    return f"{rows // UNITS[unit]}{unit}"


def table(options, rows):
    path = options.data / f"ticks-{short(rows)}.parquet"
    if not path.exists():
        options.data.mkdir(parents=True, exist_ok=True)
        print(f"generating {path}", file=sys.stderr)
        generate = [options.binary, "generate", "ticks", "--rows", str(rows), "-o", path]
        subprocess.run(generate, check=True, stderr=subprocess.DEVNULL)
    return path


@dataclass
class Run:
    cpu: float
    wall: float
    resident: int
    spilled: int = 0


def run_dframe(command, options):
    """Runs a command of dframe as a process of its own, which counts as a whole."""
    command = [options.binary, *command, "--threads", str(options.threads), "--stats", "--error-format", "json"]
    start = time.perf_counter()
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    messages = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"\n{' '.join(map(str, command))}\n{messages}")
    stats = next(json.loads(line)["stats"] for line in messages.splitlines() if '"stats"' in line)
    return Run(usage.ru_utime + usage.ru_stime, wall, stats["resident_peak"], stats["bytes_spilled"])


def note(text):
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def cpu_seconds():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def resident_peak():
    status = Path("/proc/self/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024


def machine(options, load, peers):
    """The lines that say where and with what was measured; `peers` are modules of Python."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    version = subprocess.run([options.binary, "--version"], capture_output=True, text=True).stdout.strip()
    found = [f"{name} {importlib.metadata.version(name)}" for name in peers if importlib.util.find_spec(name)]
    return "\n".join([
        f"- Machine: {os.cpu_count()} cores, {memory:.0f} GiB of memory, {platform.system()} on {platform.machine()}; "
        f"files in the page cache",
        f"- Versions: {', '.join([version, *found])}",
        f"- {options.threads} threads, medians of {options.runs} runs, taking turns",
        f"- Load average {load:.1f} before and {os.getloadavg()[0]:.1f} after; above {os.cpu_count()}, others had a "
        f"share of the cores, and wall time tells more of them than of the query"])


def publish(sections, write):
    if not write:
        return print("\n\n".join(sections.values()))
    page = PAGE.read_text()
    for name, text in sections.items():
        begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
        head, rest = page.split(begin)
        page = f"{head}{begin}\n{text}\n{end}{rest.split(end)[1]}"
    PAGE.write_text(page)
