"""Random tables and queries, answered by dframe and by DuckDB.

    python3 tests/differential/run.py --cases 2000 --seed 1 [--binary PATH] [--case N]

Prints the cases in which the answers differ, each made as small as possible with its files kept, and
ends with status 1 if there were any. See README.md.
"""

import argparse
import collections
import multiprocessing
import shlex
import shutil
import sys
import tempfile
import time
import traceback
from pathlib import Path

from environment import ensure_packages

REPOSITORY = Path(__file__).resolve().parents[2]


def main() -> int:
    """Runs the cases; the exit status."""
    options = parse_options()
    ensure_packages()
    folder = Path(options.keep or tempfile.mkdtemp(prefix="dframe-differential-"))
    cases = [options.case] if options.case is not None else range(options.cases)
    counts, rules, started = collections.Counter(), collections.Counter(), time.monotonic()
    work = [(options.seed, index, str(options.binary), str(folder)) for index in cases]
    with multiprocessing.get_context("spawn").Pool(options.processes) as pool:
        for index, kind, detail in pool.imap_unordered(run_case, work, chunksize=4):
            counts[kind] += 1
            if kind == "accepted":
                rules[detail] += 1
            elif kind == "failed" or (kind == "refused" and options.verbose):
                print(f"--- case {index} {kind}\n{detail}\n", flush=True)
            elif options.verbose and kind == "error":
                print(f"--- case {index}: both fail", flush=True)
    report(options, counts, rules, time.monotonic() - started)
    if not counts["failed"]:
        shutil.rmtree(folder, ignore_errors=True)
    return 1 if counts["failed"] else 0


def parse_options() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=2000, help="how many cases to run")
    parser.add_argument("--seed", type=int, default=1, help="which cases")
    parser.add_argument("--case", type=int, help="only the case of this number")
    parser.add_argument("--binary", type=Path, default=default_binary(), help="the dframe command")
    parser.add_argument("--processes", type=int, default=2, help="cases at a time")
    parser.add_argument("--keep", help="folder for the files of failing cases (default: a temporary one)")
    parser.add_argument("--verbose", action="store_true", help="also print refusals of memory")
    options = parser.parse_args()
    if not options.binary.is_file():
        parser.error(f"there is no {options.binary}: build it with `cargo build --release`, or give --binary")
    return options


def default_binary() -> Path:
    """The newest build in the target directory."""
    builds = [REPOSITORY / "target" / profile / "dframe" for profile in ("release", "quick", "debug")]
    found = [path for path in builds if path.is_file()]
    return max(found, key=lambda path: path.stat().st_mtime, default=builds[0])


def run_case(work: tuple) -> tuple[int, str, str]:
    """Runs a case in a worker: its number, how it ended, and what to print."""
    seed, index, binary, folder = work
    place = Path(folder) / f"case{index}"
    try:
        return index, *verdict_of(seed, index, binary, place)
    except Exception:  # a bug of this test: report it like a failure
        return index, "failed", traceback.format_exc()


def verdict_of(seed: int, index: int, binary: str, place: Path) -> tuple[str, str]:
    """How a case ended; a failing one is made small and its files are kept."""
    from case import check, random_case
    from shrink import shrink

    case = random_case(seed, index)
    verdict = check(case, engine(), binary, place)
    if verdict.kind != "failed":
        shutil.rmtree(place)
        return verdict.kind, verdict.detail

    def fails(smaller) -> bool:
        shutil.rmtree(place, ignore_errors=True)
        return check(smaller, engine(), binary, place).kind == "failed"

    case = shrink(case, fails)
    shutil.rmtree(place, ignore_errors=True)
    verdict = check(case, engine(), binary, place)
    return "failed", reproduction(case, verdict, binary, place)


def engine():
    """The worker's connection to DuckDB."""
    from engines import Duck

    if not hasattr(engine, "duck"):
        engine.duck = Duck()
    return engine.duck


def reproduction(case, verdict, binary: str, place: Path) -> str:
    """The two commands and what differs."""
    from engines import command
    from queries import duck_sql

    files = sorted(place.glob("[0-9]*.parquet"))
    way = verdict.way or case.ways[0]
    line = shlex.join(command(binary, case.query, files, way, place / f"out.{way.format}"))
    types = ", ".join(
        f"{name} {data_type}" for name, data_type in zip(case.table.rows.column_names, case.table.rows.schema.types)
    )
    sql = duck_sql(case.query, files, scales=False)
    header = f"{case.table.rows.num_rows} rows: {types}"
    return f"{header}\n$ {line}\nSET TimeZone = '{case.table.zone}';\n{sql};\n{verdict.detail}"


def report(
    options: argparse.Namespace, counts: collections.Counter, rules: collections.Counter, seconds: float
) -> None:
    """One line for each way in which cases ended."""
    labels = {
        "ok": "gave the same rows", "error": "failed in both engines", "accepted": "differ in an accepted way",
        "refused": "needed more than the small memory limit", "failed": "differ",
    }  # fmt: skip
    print(f"seed {options.seed}: {sum(counts.values())} cases in {seconds:.0f} s")
    for kind, label in labels.items():
        if counts[kind]:
            print(f"  {counts[kind]:6} {label}")
    for rule, count in rules.most_common():
        print(f"           {count:6} {rule}")


if __name__ == "__main__":
    sys.exit(main())
