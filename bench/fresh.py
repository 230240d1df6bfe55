"""A deployment made for one measurement, and how long a daemon of it takes to be ready."""

import contextlib
import pathlib
import tempfile
import time

import deployment as d
from children import READY_SECONDS, stop
from immutable import remove_folder
from load import BenchError

POLL_SECONDS = 0.002


def allow_all_from_one(deployment):
    """One merchant adds a million cards of one BIN here, which the guard against trying numbers
    would stop at a hundred per last four digits, and its budget at a thousand a second. Both count
    all the same."""
    limits = ("new_cards_per_truncation_daily = 60000\n"
              "tokenizes_per_minute = 60000000\n"
              "resolves_per_minute = 60000000\n")
    text = deployment.config.read_text()
    deployment.config.write_text(text.replace("[vaultd]\n", "[vaultd]\n" + limits, 1))


@contextlib.contextmanager
def running_deployment(database, prepare=None):
    """A fresh deployment that runs, and its Supervisor; both are gone afterwards. `prepare` is
    called with them before the daemons start."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="strongroom-bench-"))
    folder.chmod(0o711)  # PostgreSQL runs as a user of its own
    deployment = d.Deployment(folder / "deployment")
    supervisor = d.Supervisor(deployment)
    try:
        deployment.create(database)
        allow_all_from_one(deployment)
        if prepare:
            prepare(deployment, supervisor)
        supervisor.start_all()
        yield deployment, supervisor
    finally:
        supervisor.stop_all()
        remove_folder(folder)


def pids(supervisor):
    return {name: process.pid for name, process in supervisor.processes.items()}


def check_alive(supervisor):
    for name, process in supervisor.processes.items():
        if process.poll() is not None:
            raise BenchError(f"{name} exited with {process.returncode} under load")


def start_again(deployment, supervisor, instance):
    """Stops a daemon and starts it; returns the seconds from there until it was ready."""
    stop(supervisor.processes[instance])
    began = time.perf_counter()
    process = supervisor.processes[instance] = deployment.start(instance)
    while not deployment.is_ready(instance):
        if process.poll() is not None or time.perf_counter() - began > READY_SECONDS:
            raise BenchError(f"{instance} did not start: see {deployment.log_path(instance)}")
        time.sleep(POLL_SECONDS)
    return time.perf_counter() - began
