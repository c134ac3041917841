"""What the benchmarks share: the table they read, what a run costs, and the page they write."""

import importlib.metadata
import importlib.util
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import threading
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
    unit = next((unit for unit in "gmk" if rows >= UNITS[unit]), "")
    return f"{rows // UNITS.get(unit, 1)}{unit}"


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


def median(runs, what):
    return statistics.median(getattr(run, what) for run in runs)


class Failed(Exception):
    """A run without an answer. In words: why; `messages` is what the process had to say."""

    def __init__(self, why, messages=""):
        super().__init__(f"{why}: {messages[-2000:]}" if messages else why)
        self.why, self.messages = why, messages


@dataclass
class Guard:
    """What ends a run: so many seconds, bytes resident, or too few bytes free where it writes."""
    timeout: float = float("inf")
    ceiling: float = float("inf")
    free: int = 0


def run_dframe(command, options, guard=Guard()):
    """Runs a command of dframe as a process of its own, which counts as a whole."""
    command = [options.binary, *command, "--threads", str(options.threads), "--stats", "--error-format", "json"]
    done = run_guarded(command, guard)
    stats = next(json.loads(line)["stats"] for line in done.messages.splitlines() if '"stats"' in line)
    return Run(done.cpu, done.wall, stats["resident_peak"], stats["bytes_spilled"])


def run_job(command, job, guard, spill):
    """Runs a script that takes a job on its input, and prints what it cost."""
    done = run_guarded(command, guard, json.dumps(job), spill)
    return Run(**json.loads(done.output), spilled=done.spilled)


@dataclass
class Done:
    output: str
    messages: str
    cpu: float
    wall: float
    spilled: int


def run_guarded(command, guard, job="", spill=None):
    """Runs a process to its end, or until the guard ends it, which is a `Failed`."""
    before, start = cpu_seconds(resource.RUSAGE_CHILDREN), time.perf_counter()
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    watch = Watch(child, guard, spill)
    watch.start()
    output, messages = child.communicate(job)
    wall = time.perf_counter() - start
    watch.join()
    if child.returncode != 0:
        raise Failed(watch.reason or "failed", "" if watch.reason else messages)
    return Done(output, messages, cpu_seconds(resource.RUSAGE_CHILDREN) - before, wall, watch.spilled)


class Watch(threading.Thread):
    def __init__(self, child, guard, spill):
        super().__init__(daemon=True)
        self.child, self.guard, self.spill = child, guard, spill
        self.spilled, self.reason = 0, None

    def run(self):
        deadline = time.monotonic() + self.guard.timeout
        while self.child.returncode is None and not self.reason:
            self.spilled = max(self.spilled, size_of(self.spill)) if self.spill else 0
            self.reason = self.excess(deadline)
            time.sleep(0.05)
        if self.reason:
            self.child.kill()

    def excess(self, deadline):
        if resident(self.child.pid) > self.guard.ceiling:
            return f"over {self.guard.ceiling / 2**30:g} GiB"
        if time.monotonic() > deadline:
            return f"over {self.guard.timeout:g} s"
        if self.spill and free_bytes(self.spill) < self.guard.free:
            return "disk full"
        return None


def resident(pid):
    """Bytes that a process has in memory; 0 if it has ended."""
    try:
        return status_bytes(pid, "VmRSS:")
    except (OSError, StopIteration):
        return 0


def status_bytes(pid, what):
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith(what))


def size_of(folder):
    total = 0
    for path, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.stat(os.path.join(path, name)).st_blocks * 512
            except OSError:
                continue
    return total


def free_bytes(folder):
    status = os.statvfs(folder)
    return status.f_bavail * status.f_frsize


def bytes_of(size):
    units = {"KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
    return int(float(size[:-3]) * units[size[-3:]])


def note(text):
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def cpu_seconds(who=resource.RUSAGE_SELF):
    usage = resource.getrusage(who)
    return usage.ru_utime + usage.ru_stime


def resident_peak():
    return status_bytes("self", "VmHWM:")


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
