"""Starting and stopping child processes, and what the tools around them share."""

import ctypes
import os
import signal
import socket
import subprocess

READY_SECONDS = 30
STOP_SECONDS = 15
END_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)  # the last: its terminal is gone


class DeploymentError(Exception):
    """What went wrong, in words for the person who typed the command."""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def die_with_parent():
    """Run in a child before exec: a supervisor that is killed takes its processes along."""
    PR_SET_PDEATHSIG = 1
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def write_atomically(path, text):
    temporary = path.with_suffix(".new")
    with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.rename(path)


def on_end_signals(handler):
    """Has `handler` called for END_SIGNALS, but SIGHUP stays ignored where it is: that is nohup."""
    for number in END_SIGNALS:
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, handler)


def stop(process, seconds=STOP_SECONDS):
    """SIGTERM, and SIGKILL for one that does not go."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    return process.returncode
