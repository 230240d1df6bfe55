"""Holding a deployment still in the middle of what it does, without its help: a process that is
frozen, a database whose writers wait, a processor that does not answer. Whoever needs one of them
next stands at exactly that step until it is given back.
"""
import contextlib
import os
import pathlib
import signal
import sqlite3
import time

import psycopg2

STILL_SECONDS = 0.012  # above the pauses of whoever polls
STOPPED = "T"
ASLEEP = "S"


def family(process):
    """The pids of a process and its children: PostgreSQL serves in them."""
    pids, found = [process.pid], []
    while pids:
        pid = pids.pop()
        found.append(pid)
        children = f"/proc/{pid}/task/{pid}/children"
        with contextlib.suppress(OSError), open(children) as file:
            pids += map(int, file.read().split())
    return found


@contextlib.contextmanager
def frozen(deployment, instance):
    """`instance` is there and answers nothing."""
    pids = family(deployment.processes[instance])
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


@contextlib.contextmanager
def locked(deployment, database):
    """Whoever writes to `database` waits, up to its statement timeout; reading goes on."""
    url = deployment.state()["databases"][database]
    if url.startswith("sqlite:"):
        connection = sqlite3.connect(url.removeprefix("sqlite:"), isolation_level=None)
        connection.execute("BEGIN IMMEDIATE")
    else:
        connection = psycopg2.connect(url)
        cursor = connection.cursor()
        cursor.execute("SELECT string_agg(quote_ident(tablename), ', ') FROM pg_tables"
                       " WHERE schemaname = 'public'")
        cursor.execute(f"LOCK TABLE {cursor.fetchone()[0]} IN SHARE ROW EXCLUSIVE MODE")
    with contextlib.closing(connection):
        yield


def forget_waiting_writers(deployment, database):
    """PostgreSQL forgets whoever waits in locked(), with what it had sent; else that is written as
    soon as it may be, though its sender is dead.
    """
    with contextlib.closing(psycopg2.connect(deployment.state()["databases"][database])) as asking:
        asking.cursor().execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                                " WHERE wait_event_type = 'Lock' AND datname = current_database()")


def _threads(pid):
    """[(state, how often it went to sleep or was preempted)] of a process's threads."""
    found = []
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        fields = dict(line.split(":", 1) for line in (task / "status").read_text().splitlines())
        found.append((fields["State"].split()[0], fields["voluntary_ctxt_switches"],
                      fields["nonvoluntary_ctxt_switches"]))
    return found


def at_rest(deployment):
    """Whether nobody does anything: who is not frozen waits for somebody who is, or for us."""
    def seen():
        return [thread for process in deployment.processes.values()
                for pid in family(process) for thread in _threads(pid)]

    with contextlib.suppress(FileNotFoundError):  # a thread or process has just ended
        before = seen()
        if all(state in (ASLEEP, STOPPED) for state, *_ in before):
            time.sleep(STILL_SECONDS)
            return seen() == before
    return False
