"""Lines on the machine, the versions and the day that results were measured with."""

import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGES = (
    "sk-asyncprox", "numpy", "scipy", "scikit-learn", "celer", "skglm", "snapml", "cyanure",
    "liblinear-multicore", "benchopt",
)  # fmt: skip


def processor():
    """Name of the processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def machine_line():
    """Processor, cores, memory, system, and the versions of all that is installed."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    parts = [f"{processor()}, {cores} cores", platform.system(), f"Python {platform.python_version()}"]
    for package in PACKAGES:
        try:
            parts.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            continue
    return ", ".join(parts)


def occasion_line():
    """The day, and the commit that is checked out; "modified" where files differ from it."""
    asked = [
        "git",
        "-C",
        str(Path(__file__).parent),
        "describe",
        "--always",
        "--exclude=*",
        "--dirty= (modified)",
    ]
    done = subprocess.run(asked, capture_output=True, text=True)
    commit = f" at commit {done.stdout.strip()}" if done.returncode == 0 else ""
    return f"Measured on {datetime.now(UTC):%Y-%m-%d}{commit}"
