"""Runs the load generator on a deployment and says what its requests cost each process."""

import json
import subprocess

import deployment as d
import processes

# The vault reads what all accounts have of a card: one that is handed over again and again to
# accounts of their own would get dearer each time.
POOL_MIN = {"hand-over": 5_000}


class BenchError(Exception):
    """What could not be measured, in words for the person who typed the command."""


def say(text):
    print(f"bench: {text}", flush=True)


class Loadgen:
    """Runs loadgen on a deployment, each run with cards that no run before it has used. `options`
    go along with each run. Of a run's requests the share `shed_max` may be answered 503; their
    number so far is `shed`, of `requests`."""

    def __init__(self, deployment, pids, options=(), shed_max=0.0):
        self._state = deployment.state_file
        self._shed_max = shed_max
        self.requests = self.shed = 0
        self.pids = pids
        self._options = list(options)
        self._next_card = 0

    def run(self, target, seconds, plan, mix="new", rate=None, connections=None,
            on_begin=lambda: None):
        """loadgen's report, with "cpu_us": name of a process -> CPU time per request.
        `connections`: where they are not the plan's; `on_begin`: called when the measurement
        begins."""
        pool = max(plan.pool, POOL_MIN.get(mix, 0))
        command = [d.BIN / "loadgen", "--state", self._state, "--json", "--target", target,
                   "--mix", mix, "--connections", connections or plan.connections,
                   "--seconds", seconds, "--warmup", plan.warmup, "--pool", pool,
                   "--first", self._next_card, *self._options]
        if rate:
            command += ["--rate", rate]
        with subprocess.Popen([str(part) for part in command], stdout=subprocess.PIPE,
                              text=True) as process:
            cpu, result = self._follow(process.stdout, on_begin)
        if process.returncode != 0 or result is None:
            raise BenchError(f"loadgen exited with {process.returncode}")
        self._next_card = result["next_card"]
        if not self._is_fair(result):
            raise BenchError(f"{result['errors']} of {result['requests']} requests ({mix}) to "
                             f"{target} failed: {result['statuses']} {result['failures']}")
        result["cpu_us"] = {name: (cpu["end"][name] - cpu["begin"][name]) / result["requests"]
                            for name in self.pids}
        return result

    def _is_fair(self, result):
        """Whether nothing failed, but for a few that were shed; these are counted."""
        shed = result["statuses"].get("503", 0)
        self.requests += result["requests"]
        self.shed += shed
        return result["errors"] == shed and shed <= self._shed_max * result["requests"]

    def _follow(self, lines, on_begin):
        cpu, result = {}, None
        for line in lines:
            event = json.loads(line)
            if event["event"] == "result":
                result = event
            else:
                cpu[event["event"]] = processes.cpu_us(self.pids)
                if event["event"] == "begin":
                    on_begin()
        return cpu, result
