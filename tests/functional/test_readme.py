"""The README's session, run as pasted: every block in order, every shown output found in order."""
import os
import pathlib
import re
import subprocess

import deployment as d

README = pathlib.Path(__file__).resolve().parents[2] / "README.md"
HEADING = "## A session to paste"
SESSION_SECONDS = 60


def session():
    """The sh blocks below the heading, as one script."""
    text = README.read_text()
    assert text.count(HEADING) == 1
    section = text.partition(HEADING)[2].partition("\n## ")[0]
    blocks = re.findall(r"^```sh\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    assert len(blocks) >= 4, "the session has lost its blocks"
    return "".join(blocks)


def shown(script):
    """What the README says is printed: comment lines at the left margin, "..." for anything."""
    return [line.removeprefix("# ") for line in script.splitlines() if line.startswith("# ")]


def test_session_runs_as_pasted_and_prints_what_it_shows(deployment):
    script = session()
    environment = {**os.environ, "STRONGROOM_DIR": str(deployment.dir),
                   "PATH": f"{d.BIN}:{os.environ['PATH']}"}
    done = subprocess.run(["bash", "-c", "set -e -o pipefail\n" + script], cwd=README.parent,
                          env=environment, text=True, timeout=SESSION_SECONDS,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert done.returncode == 0, done.stdout
    at = 0
    for line in shown(script):
        pattern = ".*".join(re.escape(part) for part in line.split("..."))
        found = re.compile(f"^{pattern}", re.MULTILINE).search(done.stdout, at)
        assert found, f"not printed, or not in this place: {line}\n{done.stdout}"
        at = found.end()


def test_session_is_held_to_its_outputs(deployment):
    """The control: a comment that is not printed must be missed."""
    assert shown("x\n# {\"a\":...}\n# 200\n  # indented\ny # beside\n") == ['{"a":...}', "200"]
    assert len(shown(session())) > 15
