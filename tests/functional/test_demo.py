"""./dev demo proves the main job, and its negative controls make it fail and name the place."""
import os
import signal
import subprocess
import sys

import pytest

import deployment as d
from running_deployment import folder, heed_hangup

DEMO_SECONDS = 120


def demo(*arguments):
    return subprocess.run([sys.executable, d.ROOT / "tools/demo.py", *arguments],
                          capture_output=True, text=True, timeout=DEMO_SECONDS)


@pytest.mark.parametrize("database", ["sqlite", "postgres"])
def test_demo_proves_each_step_and_leaves_nothing(database):
    with folder() as parent:
        kept = parent / "kept"
        done = demo("--db", database, "--keep", str(kept))
        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stdout.splitlines()[-1].startswith("demo passed in ")
        assert "FAILED" not in done.stdout
        running = subprocess.run(["pgrep", "-f", str(kept)], capture_output=True, text=True)
        assert running.stdout == "", "a process outlived the demo"


def test_demo_fails_on_a_planted_leak_and_names_the_file():
    done = demo("--plant", "leak")
    assert done.returncode == 1, done.stdout
    assert "FAILED" in done.stdout and "log/planted.log at byte 5 (digits)" in done.stdout


def test_demo_fails_on_a_flipped_audit_byte_and_names_the_place():
    done = demo("--plant", "audit-byte")
    assert done.returncode == 1, done.stdout
    last = done.stdout.strip().splitlines()[-1]
    assert "journal-00000000000000000001.log" in last and "sequence" in last


def test_demo_refuses_to_keep_its_deployment_in_a_file(tmp_path):
    (tmp_path / "file").write_text("precious")
    done = demo("--keep", str(tmp_path / "file"))
    assert done.returncode == 2 and done.stderr.strip().endswith("file is a file")
    assert (tmp_path / "file").read_text() == "precious"


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM])
def test_demo_ended_by_a_signal_leaves_nothing(number):
    with folder() as parent:
        process = subprocess.Popen([sys.executable, d.ROOT / "tools/demo.py"], text=True,
                                   stdout=subprocess.PIPE, preexec_fn=heed_hangup,
                                   env={**os.environ, "TMPDIR": str(parent)})
        lines = iter(process.stdout.readline, "")
        assert any(line.startswith(" 1. make a deployment") for line in lines)
        process.send_signal(number)
        process.communicate(timeout=DEMO_SECONDS)
        assert process.returncode == 128 + number
        assert list(parent.iterdir()) == []
        running = subprocess.run(["pgrep", "-f", str(parent)], capture_output=True, text=True)
        assert running.stdout == "", "a process outlived the demo"
