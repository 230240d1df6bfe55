"""The law of layers: what tools/layers.txt says, and what breaks it. Pure: no files, no processes.

Each check takes what was found (headers seen, targets linked, symbols present) and returns one
sentence per violation; an empty list is a pass. tools/check_layers.py finds and prints.
"""
import dataclasses
import fnmatch
import re


class LawError(Exception):
    """tools/layers.txt itself is wrong; the text names its line."""


@dataclasses.dataclass(frozen=True)
class Rule:
    """One `module` or `program` line: who, and what it may see."""
    name: str
    modules: frozenset
    libraries: frozenset
    text: str  # the line with its number, for messages

    def allows_module(self, module):
        return any(fnmatch.fnmatchcase(module, pattern) for pattern in self.modules)


class Law:
    """The parsed table. Raises LawError."""

    def __init__(self, text):
        self.libraries = {}  # name -> header prefixes below /usr/include
        self.modules, self.programs = {}, {}  # name -> Rule
        self.system_packages, self.guarded = [], []
        self.for_all, self.for_tests = frozenset(), frozenset()
        self.absent = []  # (symbol prefix, programs)
        for number, line in enumerate(text.splitlines(), 1):
            line = line.partition("#")[0].strip()
            if line:
                self._read(number, line)
        self._check_names()

    def _read(self, number, line):
        keyword, _, rest = line.partition(" ")
        if keyword in ("system", "guarded"):
            {"system": self.system_packages, "guarded": self.guarded}[keyword].extend(rest.split())
            return
        name, colon, body = re.match(r"(.*?)(:(?!:)|$)(.*)", rest).groups()
        if keyword == "all:":
            self.for_all = frozenset(rest.split())
        elif keyword == "tests:":
            self.for_tests = frozenset(rest.split())
        elif keyword == "library" and colon:
            self.libraries.setdefault(name, []).extend(body.split())
        elif keyword == "absent" and rest.count(": "):
            symbol, _, programs = rest.partition(": ")
            self.absent.append((symbol, programs.split()))
        elif keyword in ("module", "program") and colon and body.count("|") <= 1:
            table = self.modules if keyword == "module" else self.programs
            if name in table:
                raise LawError(f"line {number}: {name} stands twice")
            table[name] = self._rule(name, body, f"line {number}, `{line}`")
        else:
            raise LawError(f"line {number} is not understood: {line}")

    @staticmethod
    def _rule(name, body, text):
        modules, _, libraries = body.partition("|")
        nothing = {"-"}
        return Rule(name, frozenset(modules.split()) - nothing,
                    frozenset(libraries.split()) - nothing, text)

    def _check_names(self):
        for rule in [*self.modules.values(), *self.programs.values()]:
            for module in rule.modules - {"*"} - set(self.modules):
                if not self.module_rule(module):
                    raise LawError(f"{rule.text}: there is no module {module}")
            for library in rule.libraries - {"*"} - set(self.libraries):
                raise LawError(f"{rule.text}: there is no library {library}")
        self._check_no_cycle()

    def _check_no_cycle(self):
        done, open_path = set(), []

        def visit(name):
            if name in open_path:
                raise LawError("arrows point down only: " + " -> ".join([*open_path, name]))
            if name in done or name not in self.modules:
                return
            open_path.append(name)
            for module in sorted(self.modules[name].modules):
                visit(module)
            done.add(open_path.pop())

        for name in self.modules:
            visit(name)

    def module_rule(self, module):
        """The Rule of a module's path, by the longest pattern; None when it has no line."""
        fits = [rule for name, rule in self.modules.items() if fnmatch.fnmatchcase(module, name)]
        return max(fits, key=lambda rule: len(rule.name), default=None)

    def module_of(self, folder):
        """(module, Rule) of a folder below src/: the deepest of its parents that has a line."""
        parts = folder.split("/")
        for size in range(len(parts), 0, -1):
            # A pattern's `*` is one folder: it must not swallow the ones below.
            module = "/".join(parts[:size])
            rule = self.module_rule(module)
            if rule and rule.name.count("/") == module.count("/"):
                return module, rule
        return None, None

    def libraries_of(self, header):
        """Names of the libraries that a header below /usr/include belongs to."""
        return {name for name, prefixes in self.libraries.items()
                if any(header == prefix or header.startswith(prefix + "/") for prefix in prefixes)}


@dataclasses.dataclass(frozen=True)
class Seen:
    """One object file: its source, the target it is built for, and every header that it saw."""
    source: str  # path from the root of the tree
    target: str
    headers: tuple  # paths from the root of the tree, or absolute ones outside

    def is_test(self):
        return self.source.endswith("_test.cc") or self.target.endswith("_test")


def owner(law, seen):
    """(name, Rule) of whoever an object belongs to; Rule is None where the law has no line."""
    path = seen.source.split("/")
    if path[0] != "src":
        return path[0], law.modules.get(path[0])
    if path[1] == "apps":
        return "apps", law.programs.get(seen.target)
    return law.module_of("/".join(path[1:-1]))


def outside_name(header):
    """A header's path below /usr/include, without the folder of the machine's architecture."""
    return re.sub(r"^/usr/include/(\w+-linux-gnu/)?", "", header)


def check_sees(law, seen, is_system):
    """What one object sees against its line. `is_system` knows the system's headers by path."""
    own, rule = owner(law, seen)
    if rule is None:
        return [f"{seen.source} (target {seen.target}): tools/layers.txt has no line for it"]
    libraries = rule.libraries | law.for_all | (law.for_tests if seen.is_test() else set())
    folders = {own, "tests"} if seen.is_test() else {own}
    found = {}  # what is wrong -> headers
    for header in seen.headers:
        if header.startswith("/"):
            problem = _outside_problem(law, header, libraries, is_system)
        else:
            problem = _inside_problem(law, header, own, rule, folders)
        if problem:
            found.setdefault(problem, []).append(header)
    return [f"{seen.source} sees {headers[0]}{_more(headers)}: {problem} by {rule.text}"
            for problem, headers in found.items()]


def _more(items):
    return f" and {len(items) - 1} more" if len(items) > 1 else ""


def _inside_problem(law, header, own, rule, folders):
    path = header.split("/")
    if path[0] != "src":
        fits = path[0] in folders or rule.allows_module(path[0])
        return None if fits else f"{path[0]}/ is not allowed"
    module = "apps" if path[1] == "apps" else law.module_of("/".join(path[1:-1]))[0]
    if module is None:
        return "no module's header, not allowed"
    if module == own or rule.allows_module(module):
        return None
    return f"module {module} is not allowed"


def _outside_problem(law, header, allowed, is_system):
    name = outside_name(header)
    if name not in law.guarded and is_system(header):
        return None
    libraries = law.libraries_of(name)
    if "*" in allowed or libraries & allowed:
        return None
    return f"library {' or '.join(sorted(libraries)) or '(none that the law names)'} is not allowed"


def target_module(law, target):
    """(module, Rule) of a target `sr_<module, / as _>` or of its `_test`; (None, None) else.
    Libraries of tests/ are called `sr_tests_<name>`.
    """
    words = target.removesuffix("_test").split("_")
    if words[0] != "sr":
        return None, None
    return law.module_of("/".join(words[1:]))


def check_links(law, graph):
    """The link graph (target -> targets): a module by its own links, a program by its closure."""
    problems = []
    for target in sorted(graph):
        if target in law.programs:
            problems += _check_program(law, target, graph)
            continue
        own, rule = target_module(law, target)
        if target.startswith("sr_") and rule is None:
            problems.append(f"target {target}: tools/layers.txt has no line for it")
        for linked in graph[target] if rule else ():
            module, _ = target_module(law, linked)
            fits = module in (None, own) or rule.allows_module(module)
            if not fits and not (module == "tests" and target.endswith("_test")):
                problems.append(f"target {target} links {linked}: module {module} is not allowed"
                                f" by {rule.text}")
    return problems


def _check_program(law, program, graph):
    rule = law.programs[program]
    via, queue = {program: None}, [program]
    for target in queue:
        for linked in graph.get(target, ()):
            if linked not in via:
                via[linked] = target
                queue.append(linked)
    return [f"program {program} holds {target} (through {via[target]}): module {module} is not"
            f" allowed by {rule.text}"
            for target in queue[1:]
            for module in [target_module(law, target)[0]]
            if module and not rule.allows_module(module)]


def check_symbols(law, program, symbols):
    """The demangled symbols of one executable. One without any proves nothing and fails."""
    if not symbols:
        return [f"program {program}: has no symbols to check (stripped?)"]
    problems = []
    for prefix, programs in law.absent:
        found = [symbol for symbol in symbols if prefix in symbol] if program in programs else []
        if found:
            problems.append(f"program {program} holds {len(found)} symbols of {prefix},"
                            f" such as {found[0]}")
    return problems
