"""Checks the law of layers (tools/layers.txt) on a build, in three ways that do not trust each
other: what each object saw (the compilers' dependency lists), what each target links (CMake's
graph), and which symbols stand in the executables. Prints a sentence per violation and exits 1; 2
when the law or the build cannot be read. Everything must be built and every source must belong to a
target, unless --partial is given.
"""
import argparse
import json
import os
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile

from layer_law import Law, LawError, Seen, check_links, check_sees, check_symbols


def run(*command):
    """Standard output of a command; raises CalledProcessError."""
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


class Build:
    """A configured build folder of the tree at `root`."""

    def __init__(self, root, folder):
        self.root, self.folder = root, folder
        self.sources = {}  # object, as ninja names it -> source
        for entry in json.loads((folder / "compile_commands.json").read_text()):
            words = shlex.split(entry["command"])
            self.sources[words[words.index("-o") + 1]] = self._inside(entry["file"])

    def _absolute(self, path):
        return os.path.normpath(os.path.join(self.folder, path))

    def _inside(self, path):
        """`path` from the root; what the build made counts as where it was made from."""
        path = self._absolute(path)
        for base in (self.folder, self.root):
            if path.startswith(f"{base}{os.sep}"):
                return os.path.relpath(path, base)
        return path

    def objects(self):
        """A Seen for each object with an up-to-date dependency list, as ninja recorded it."""
        found, current = [], None
        for line in run("ninja", "-C", str(self.folder), "-t", "deps").splitlines():
            head = re.match(r"(\S.*): #deps \d+, .*\((VALID|STALE)\)$", line)
            if head:
                current = [] if head[2] == "VALID" and head[1] in self.sources else None
                if current is not None:
                    found.append((head[1], current))
            elif line.startswith("    ") and current is not None:
                current.append(self._inside(line.strip()))
        return [self._seen(output, files) for output, files in found]

    def _seen(self, output, files):
        source = self.sources[output]
        target = re.search(r"CMakeFiles/([^/]+)\.dir/", output)[1]
        return Seen(source, target, tuple(file for file in files if file != source))

    def link_graph(self):
        """target -> set of targets that it links, private links included."""
        with tempfile.TemporaryDirectory() as scratch:
            run("cmake", f"--graphviz={scratch}/graph", str(self.folder))
            text = pathlib.Path(scratch, "graph").read_text()
        graph = {name: set() for name in re.findall(r'"node\d+" \[ label = "([^"\\]+)', text)}
        for source, target in re.findall(r"// (\S+) -> (\S+)", text):
            graph.setdefault(source, set()).add(target)
        return graph

    def executables(self, programs):
        """name -> path of those of `programs` that are built."""
        return {path.name: path for path in self.folder.rglob("*")
                if path.name in programs and path.is_file() and os.access(path, os.X_OK)}

    def gaps(self, objects):
        """What the dependency lists do not cover: it could break the law unseen."""
        compiled = {seen.source for seen in objects}
        missing = sorted(set(self.sources.values()) - compiled)
        if missing:
            yield f"{missing[0]} and {len(missing) - 1} more are not built: run ./dev build"
        seen_files = compiled.union(*(seen.headers for seen in objects))
        for path in sorted((self.root / "src").rglob("*")):
            name = str(path.relative_to(self.root))
            if path.suffix in (".h", ".cc") and name not in seen_files and name not in missing:
                yield f"{name}: no target compiles or includes it"


def system_headers(packages):
    """The set of paths that Debian's `packages` installed."""
    return set(run("dpkg-query", "-L", *packages).splitlines())


def symbols(executable):
    """Demangled names of an executable's symbols."""
    return [line.split(maxsplit=2)[-1] for line in run("nm", "-C", str(executable)).splitlines()]


def violations(law, build, partial):
    objects = build.objects()
    system = system_headers(law.system_packages)
    problems = [] if partial else list(build.gaps(objects))
    for seen in objects:
        problems += check_sees(law, seen, system.__contains__)
    graph = build.link_graph()
    problems += check_links(law, graph)
    executables = build.executables(law.programs)
    if not partial:
        problems += [f"program {name} is not built" for name in law.programs
                     if name in graph and name not in executables]
    for name, path in executables.items():
        problems += check_symbols(law, name, symbols(path))
    return problems, f"{len(objects)} objects, {len(executables)} executables"


def main(arguments):
    parser = argparse.ArgumentParser(prog="./dev layers", description=__doc__)
    parser.add_argument("--partial", action="store_true", help="check only what is built")
    parser.add_argument("--root", type=pathlib.Path, default=pathlib.Path(__file__).parents[1])
    parser.add_argument("--build", default="build/release", help="build folder, from the root")
    options = parser.parse_args(arguments)
    root = options.root.resolve()
    try:
        law = Law((root / "tools/layers.txt").read_text())
        problems, extent = violations(law, Build(root, root / options.build), options.partial)
    except (LawError, OSError, subprocess.CalledProcessError) as error:
        print(f"layers: {error}", getattr(error, "stderr", None) or "", file=sys.stderr)
        return 2
    for problem in problems:
        print(f"layers: {problem}")
    print(f"layers: {extent}, {len(problems)} violations")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
