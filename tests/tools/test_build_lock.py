"""Two builds of one preset take turns, and the second says what it waits for."""
import fcntl
import os
import pathlib
import shutil
import subprocess

ROOT = pathlib.Path(__file__).parents[2]


def test_second_build_waits_for_the_first_and_says_so(tmp_path):
    """In a tree of its own, where cmake and ninja only say that they were called."""
    (tmp_path / "tools").mkdir()
    for name in ("build.sh", "lib.sh"):
        shutil.copy(ROOT / "tools" / name, tmp_path / "tools" / name)
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("cmake", "ninja"):
        (programs / name).write_text(f"#!/bin/sh\necho {name} called\n")
        (programs / name).chmod(0o755)
    (tmp_path / "build").mkdir()
    with open(tmp_path / "build/release.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        second = subprocess.Popen([tmp_path / "tools/build.sh"], text=True, stdout=subprocess.PIPE,
                                  env={**os.environ, "PATH": f"{programs}:{os.environ['PATH']}"})
        assert second.stdout.readline() == "build: waits for another build of release\n"
    said = second.communicate(timeout=60)[0]
    assert second.returncode == 0 and "ninja called" in said
