"""A disk of a few megabytes under a folder of a deployment, which a test can fill."""
import contextlib
import errno
import os
import shutil
import subprocess

import pytest


@contextlib.contextmanager
def under(folder, megabytes):
    """`folder` and what is in it lie on a disk of their own meanwhile. Skips where mounting is not
    permitted.
    """
    aside = folder.with_name(folder.name + ".aside")
    folder.rename(aside)
    folder.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", folder],
                          capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip(f"cannot mount a small disk: {done.stderr.strip()}")
    try:
        shutil.copytree(aside, folder, dirs_exist_ok=True)
        yield
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


@contextlib.contextmanager
def filled(folder):
    """No byte is free on the folder's disk."""
    filler = folder / "filler"
    with open(filler, "wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError as error:
            assert error.errno == errno.ENOSPC, error
    try:
        yield
    finally:
        os.unlink(filler)
