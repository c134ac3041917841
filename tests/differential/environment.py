"""Finds the packages this test needs, or installs them beside the tree."""

import importlib.util
import os
import subprocess
import sys
import venv
from pathlib import Path

PACKAGES = ["duckdb==2.0.0", "pyarrow==26.0.1"]


def ensure_packages() -> None:
    """Starts this script again in an environment that has the packages, if this one has not."""
    if all(importlib.util.find_spec(package.partition("==")[0]) for package in PACKAGES):
        return
    python = environment_folder() / "bin" / "python"
    if Path(sys.executable) == python:
        raise SystemExit(f"the packages are missing from {python.parent.parent}: remove it and try again")
    if not python.exists():
        install(python)
    os.execv(python, [str(python), *sys.argv])


def environment_folder() -> Path:
    """In the user's cache, one for each set of versions."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    versions = "-".join(package.replace("==", "") for package in PACKAGES)
    return cache / "dframe-differential" / f"py{sys.version_info.major}.{sys.version_info.minor}-{versions}"


def install(python: Path) -> None:
    """Makes the environment; only a whole one gets its name."""
    folder = python.parent.parent
    print(f"installing {', '.join(PACKAGES)} in {folder}", file=sys.stderr, flush=True)
    venv.create(folder, with_pip=True, clear=True)
    try:
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, *PACKAGES], check=True)
    except (subprocess.CalledProcessError, KeyboardInterrupt):
        python.unlink()
        raise
