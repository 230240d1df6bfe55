"""The README's session, run as pasted: every block in order, every shown output found in order."""
import os
import pathlib
import re
import subprocess

import pytest

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


def not_printed(lines, output):
    """The first of `lines` that `output` lacks after the one before; None when it has them all."""
    at = 0
    for line in lines:
        pattern = ".*".join(re.escape(part) for part in line.split("..."))
        found = re.compile(f"^{pattern}", re.MULTILINE).search(output, at)
        if not found:
            return line
        at = found.end()
    return None


def test_session_runs_as_pasted_and_prints_what_it_shows(deployment):
    script = session()
    environment = {**os.environ, "STRONGROOM_DIR": str(deployment.dir),
                   "PATH": f"{d.BIN}:{os.environ['PATH']}"}
    done = subprocess.run(["bash", "-c", "set -e -o pipefail\n" + script], cwd=README.parent,
                          env=environment, text=True, timeout=SESSION_SECONDS,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert done.returncode == 0, done.stdout
    missing = not_printed(shown(script), done.stdout)
    assert missing is None, f"not printed, or not in this place: {missing}\n{done.stdout}"


@pytest.mark.parametrize("lines, missing", [
    (['{"id":"tok_..."}', "410"], None),
    (["410", '{"id":"tok_..."}'], '{"id":"tok_..."}'),
    (['{"id":"tok_..."}', "411"], "411"),
    (["tok_a"], "tok_a"),  # not from the line's beginning
])
def test_line_that_is_not_printed_in_its_place_is_named(lines, missing):
    assert not_printed(lines, '{"id":"tok_a"}\n410\n') == missing


def test_session_is_held_to_its_outputs():
    assert shown("x\n# {\"a\":...}\n# 200\n  # indented\ny # beside\n") == ['{"a":...}', "200"]
    assert len(shown(session())) > 15


def test_session_says_in_one_line_that_nothing_runs(tmp_path):
    first = session().partition('call "$url')[0]
    done = subprocess.run(["bash", "-c", first + "call /healthz"], cwd=README.parent, text=True,
                          env={**os.environ, "STRONGROOM_DIR": str(tmp_path)},
                          timeout=SESSION_SECONDS, capture_output=True)
    assert done.returncode != 0 and done.stdout == ""
    assert done.stderr == f"nothing runs in {tmp_path}: ./dev up --detach starts it\n"
