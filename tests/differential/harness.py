"""What the generators of single operators share: ways to run the command, rows to compare, the loop over cases.

A generator gives a function that makes the case of a number, and one that checks it and returns what differs.
"""

import argparse
import collections
import math
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

import stored
from run import default_binary

OVER_BUDGET = 4
TIMEOUT = 300
COUNTS: collections.Counter[str] = collections.Counter()
"""Runs of the command, and those refused for want of memory."""


def random_way(rng: random.Random) -> list[str]:
    """Arguments that may not change the answer."""
    threads = rng.choice(["sync", "1", "2", "8"])
    args = ["--executor", "sync"] if threads == "sync" else ["--threads", threads]
    args += rng.choice([[], ["--memory-limit", "16MiB"], ["--memory-limit", "24MiB"], ["--memory-limit", "64MiB"]])
    return args + rng.choice([[], [], ["--no-optimizer"]])


def write_files(rng: random.Random, table: pa.Table, folder: Path, files: int) -> Path:
    """The table as so many files in a folder, in order, or now and then many more; in a format that keeps all types."""
    return stored.write(rng, table, folder, files, rng.choice(stored.TYPED))


def input_args(rng: random.Random, table: pa.Table, folder: Path, files: int) -> list[str]:
    """Like `write_files`, in any format that can hold the values; as arguments of the command."""
    file_format = rng.choice([*stored.TYPED, *stored.of_text(table)])
    args = [str(stored.write(rng, table, folder, files, file_format))]
    return args if file_format in stored.TYPED else [*args, "--schema", stored.declared(table)]


def run_dframe(binary: str, args: list[str], way: list[str], output: Path) -> pa.Table:
    """The command's result; with ample memory if it was refused for want of memory."""
    run_into(binary, args, way, output)
    return pq.read_table(output)


def run_into(binary: str, args: list[str], way: list[str], output: Path) -> None:
    """Writes the command's result into a file; with ample memory if it was refused for want of memory."""
    COUNTS["runs"] += 1
    run = subprocess.run([binary, *args, *way, "-q", "-o", str(output)], capture_output=True, timeout=TIMEOUT, check=False)
    if run.returncode == OVER_BUDGET and "--memory-limit" in way:
        COUNTS["refused"] += 1
        at = way.index("--memory-limit")
        return run_into(binary, args, way[:at] + way[at + 2 :], output)
    if run.returncode:
        raise ValueError(f"{' '.join(args + way)}\n{run.stderr.decode()}")


def rows_of(table: pa.Table) -> list[tuple]:
    """Rows that can be compared and counted: one NaN, one zero, dictionaries as their values."""
    return list(zip(*(map(comparable, column.to_pylist()) for column in table.columns), strict=True))


def comparable(value: Any) -> Any:
    """A value that equals itself."""
    if isinstance(value, float):
        return "NaN" if math.isnan(value) else value + 0.0
    if isinstance(value, list):
        return tuple(map(comparable, value))
    return value


def difference(expected: list[tuple], found: list[tuple]) -> str | None:
    """The first rows that only one has, whatever their order."""
    if expected == found:
        return None
    wanted, got = collections.Counter(expected), collections.Counter(found)
    missing, more = list((wanted - got).elements()), list((got - wanted).elements())
    if not missing and not more:
        return None
    return f"{len(missing)} rows are missing: {missing[:3]}\n{len(more)} are too many: {more[:3]}"


def main(description: str, random_case: Callable[[int, int], Any], check: Callable[[Any, str, Path], str | None]) -> int:
    """Runs cases; the exit status."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--cases", type=int, default=1000, help="how many cases to run")
    parser.add_argument("--seed", type=int, default=1, help="which cases")
    parser.add_argument("--case", type=int, help="only the case of this number")
    parser.add_argument("--binary", type=Path, default=default_binary(), help="the dframe command")
    options = parser.parse_args()
    numbers = range(options.cases) if options.case is None else [options.case]
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        for number in numbers:
            place = Path(folder) / str(number)
            try:
                problem = check(random_case(options.seed, number), str(options.binary), place)
            except (ValueError, subprocess.TimeoutExpired) as error:
                problem = str(error)
            shutil.rmtree(place, ignore_errors=True)
            if problem:
                failed += 1
                print(f"case {number} of seed {options.seed}: {problem}\n", flush=True)
    print(f"{len(numbers)} cases, {failed} failed; {COUNTS['runs']} runs, {COUNTS['refused']} refused", file=sys.stderr)
    return 1 if failed else 0
