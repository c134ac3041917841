"""Runs one query in one of the engines beside dframe, and prints what it cost, without starting and importing.

A job comes on the input: `text`, `is_sql`, `tables` (files or folders by name), `limit`, `spill` and `result`, the
Parquet file to write.
"""

import argparse
import json
import os
import sys
import time
from pathlib import Path

from measure import Guard, bytes_of, cpu_seconds, resident_peak, run_job

MODULES = {"duckdb": "duckdb", "polars": "polars", "datafusion": "datafusion", "clickhouse": "chdb", "daft": "daft",
           "dask": "dask"}
# Those with a limit to set, and dframe.
LIMITED = ("dframe", "duckdb", "datafusion", "clickhouse")


def run(engine, job, options, guard):
    """Runs a job in a process of its own."""
    command = [sys.executable, __file__, engine, "--threads", str(options.threads)]
    return run_job(command, job, guard, job["spill"])


def guard(options, free=0):
    return Guard(options.timeout, options.ceiling * 2**30, free)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("engine", choices=list(MODULES))
    parser.add_argument("--threads", type=int, required=True)
    options = parser.parse_args()
    run = globals()[f"prepare_{options.engine}"](options.threads, json.loads(sys.stdin.read()))
    start, before = time.perf_counter(), cpu_seconds()
    run()
    print(json.dumps({"cpu": cpu_seconds() - before, "wall": time.perf_counter() - start, "resident": resident_peak()}))


def files_of(path):
    return f"{path}/*.parquet" if os.path.isdir(path) else path


def prepare_duckdb(threads, job):
    import duckdb
    config = {"threads": threads, "temp_directory": job["spill"], "preserve_insertion_order": False}
    if job["limit"]:
        config["memory_limit"] = job["limit"]
    connection = duckdb.connect(config=config)
    for name, path in job["tables"].items():
        connection.sql(f"create view {name} as from read_parquet('{files_of(path)}')")
    return lambda: connection.sql(f"copy ({job['text']}) to '{job['result']}' (format parquet)")


def prepare_polars(threads, job):
    os.environ["POLARS_MAX_THREADS"] = str(threads)
    import polars

    def run():
        tables = {name: polars.scan_parquet(path) for name, path in job["tables"].items()}
        frame = (polars.SQLContext(tables).execute(job["text"]) if job["is_sql"]
                 else eval(job["text"].strip(), {"pl": polars, **tables}))
        frame.sink_parquet(job["result"], engine="streaming")
    return run


def prepare_datafusion(threads, job):
    import datafusion
    runtime = datafusion.RuntimeEnvBuilder().with_disk_manager_specified(job["spill"])
    if job["limit"]:
        runtime = runtime.with_fair_spill_pool(bytes_of(job["limit"]))
    context = datafusion.SessionContext(datafusion.SessionConfig().with_target_partitions(threads), runtime)
    for name, path in job["tables"].items():
        context.register_parquet(name, path)
    return lambda: context.sql(job["text"]).write_parquet(job["result"])


def prepare_clickhouse(threads, job):
    from chdb import session
    connection = session.Session(f"{job['spill']}/chdb")
    connection.query(f"set max_threads = {threads}")
    if job["limit"]:
        connection.query(f"set max_memory_usage = {bytes_of(job['limit'])}")
    for name, path in job["tables"].items():
        connection.query(f"create view {name} as select * from file('{files_of(path)}', Parquet)")
    return lambda: Path(job["result"]).write_bytes(connection.query(job["text"], "Parquet").bytes())


def prepare_daft(threads, job):
    os.environ["DAFT_PROGRESS_BAR"] = "0"
    import daft
    daft.set_runner_native(num_threads=threads)
    tables = {name: daft.read_parquet(files_of(path)) for name, path in job["tables"].items()}
    return lambda: daft.sql(job["text"], **tables).write_parquet(job["result"])


def prepare_dask(threads, job):
    import dask
    import dask.dataframe
    dask.config.set(scheduler="threads", num_workers=threads)
    tables = {name: dask.dataframe.read_parquet(path) for name, path in job["tables"].items()}
    return lambda: eval(job["text"].strip(), tables).compute().to_parquet(job["result"])


if __name__ == "__main__":
    main()
