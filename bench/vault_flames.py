"""Pictures of where vaultd's CPU time goes, a flame graph for each kind of load."""

import pathlib
import tempfile

import flame
import perf
import report
from load import say

MIXES = {
    "new": "new cards",
    "resolve": "resolves, processor token kept",
    "hand-over": "resolves, card to a null connector",
}


def draw(database, loadgen, plan, folder):
    """Writes the pictures to `folder` and returns their names."""
    folder.mkdir(parents=True, exist_ok=True)
    names = []
    for mix, what in MIXES.items():
        say(f"{database}: flame graph of {what}")
        title = f"vaultd on {report.DATABASES[database]}, {what}"
        picture = flame.svg(title, flame.tree(_stacks(loadgen, plan, mix)))
        names.append(f"vault_flame_{database}_{mix}.svg")
        (folder / names[-1]).write_text(picture)
    return names


def _stacks(loadgen, plan, mix):
    """Of the seconds that are measured: connections are made and caches filled before."""
    with tempfile.TemporaryDirectory(prefix="strongroom-perf-") as own:
        data = pathlib.Path(own) / "perf.data"
        recordings = []
        loadgen.run("vault", plan.flame_seconds, plan, mix=mix, on_begin=lambda: recordings.append(
            perf.record(loadgen.pids["vaultd"], plan.flame_seconds, data)))
        return perf.read(recordings[0], data)
