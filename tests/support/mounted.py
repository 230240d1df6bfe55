"""A disk of its own under a folder of a deployment."""
import contextlib
import shutil
import subprocess

import pytest


@contextlib.contextmanager
def under(folder, *commands):
    """`folder` and what is in it lie on the disk that `commands` mount there meanwhile. Skips where
    that is not permitted.
    """
    aside = folder.with_name(folder.name + ".aside")
    folder.rename(aside)
    folder.mkdir()
    for command in commands:
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            pytest.skip(f"cannot mount a disk: {done.stderr.strip()}")
    try:
        shutil.copytree(aside, folder, dirs_exist_ok=True)
        yield
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)
