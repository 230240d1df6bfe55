"""What a figure depends on besides our code: the machine, its disk and the versions."""

import os
import pathlib
import platform
import statistics
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
FSYNC_SAMPLES = 200
# No medium without a cache acknowledges a write this fast: a 15,000 rpm disk turns in 4 ms, flash
# without power-loss protection programs a page in about 1 ms.
CACHED_FSYNC_US_MAX = 500


def _output(*command):
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return done.stdout.strip()


def _field(path, name):
    for line in pathlib.Path(path).read_text().splitlines():
        key, _, value = line.partition(":")
        if key.strip() == name:
            return value.strip()
    return "unknown"


def _package(name):
    return _output("dpkg-query", "--showformat=${Version}", "--show", name)


def fsync_us(folder):
    """Times of appends of 4 KiB with fdatasync, in microseconds, ascending."""
    times = []
    with tempfile.TemporaryFile(dir=folder) as file:
        for _ in range(FSYNC_SAMPLES):
            started = time.perf_counter()
            file.write(bytes(4096))
            file.flush()
            os.fdatasync(file.fileno())
            times.append((time.perf_counter() - started) * 1e6)
    return sorted(times)


def fsync_text(times):
    """What the disk does; its best time tells, as others' work on the machine adds to the rest."""
    cached = times[0] < CACHED_FSYNC_US_MAX
    return (f"{times[0]:.0f} us at best, {statistics.median(times):.0f} us at the median: the disk "
            + ("acknowledges from a cache" if cached else "writes before it acknowledges"))


def _commit():
    git = ("git", "-c", "safe.directory=*", "-C", str(ROOT))
    commit = _output(*git, "rev-parse", "--short=12", "HEAD")
    changed = _output(*git, "status", "--porcelain", "--untracked-files=no")
    return f"{commit} with local changes" if changed else commit


def describe():
    """name -> text or number, in the order to show them in."""
    return {
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "CPU": _field("/proc/cpuinfo", "model name"),
        "cores": os.cpu_count(),
        "memory": f"{int(_field('/proc/meminfo', 'MemTotal').split()[0]) / 2**20:.1f} GiB",
        "kernel": platform.release(),
        "load before": f"{os.getloadavg()[0]:.2f}",
        "fdatasync of 4 KiB": fsync_text(fsync_us(tempfile.gettempdir())),
        "compiler": _output("g++", "--version").splitlines()[0],
        "OpenSSL": _package("libssl3"),
        "PostgreSQL": _package("postgresql-15"),
        "SQLite": _package("libsqlite3-0"),
        "SoftHSM": _package("libsofthsm2"),
        "commit": _commit(),
    }
