"""Style rules that neither compiler nor formatter keeps, on every tracked and new file of the tree:

- lines of code have at most 100 characters, and no line ends in blanks;
- no word of tools/banned_words.txt;
- the words PanReveal and CvcReveal stand only where they are declared, in files that
  tools/reveal.allow lists with a reason, and in tests: so no alias goes round the list;
- a commit that changes src/cde/ says `CDE-Change: <why>`, or a later one says it for it:
  `CDE-Change(<commit>): <why>` (docs/cde-policy.md).

Prints `file:line: what is wrong` per finding and exits 1 when there is one.
"""
import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).parents[1]
LINE_LENGTH_MAX = 100
CODE = {".h", ".cc", ".py", ".sh", ".cmake", ".ts", ".tsx", ".toml"}
CODE_NAMES = {"dev", "CMakeLists.txt", "run"}
TEXT = CODE | {".md", ".txt", ".yaml", ".yml", ".json", ".sql"}
REVEAL = re.compile(r"\b(PanReveal|CvcReveal)\b")
DECLARED = {"PanReveal": "src/cde/card/pan.h", "CvcReveal": "src/cde/card/cvc.h"}
NOT_OURS = ("LICENSE", "tools/banned_words.txt", "tests/vectors/", "web/package-lock.json",
            "fuzz/corpus/")


def git(*arguments):
    """Standard output of git, also on a checkout that belongs to another user."""
    return subprocess.run(["git", "-c", "safe.directory=*", *arguments], cwd=ROOT, check=True,
                          capture_output=True, text=True).stdout


def banned_words(text):
    """(pattern, what to write instead) of each line of tools/banned_words.txt."""
    words = []
    for line in filter(None, text.splitlines()):
        if not line.startswith("#"):
            pattern, instead = map(str.strip, line.split("=>"))
            case = re.IGNORECASE if pattern.islower() else 0
            words.append((re.compile(rf"(?<!\w)(?:{pattern})(?!\w)", case), instead))
    return words


def is_code(name):
    path = pathlib.PurePath(name)
    return path.suffix in CODE or path.name in CODE_NAMES


def too_long(line):
    """Whether a line could be shorter: one long word (a URL, a vector) and the message that a
    compile-fail test expects could not.
    """
    return (len(line) > LINE_LENGTH_MAX and not line.startswith("// EXPECT: ")
            and max(map(len, line.split()), default=0) <= 60)


def line_findings(name, text, banned):
    """(line number, what is wrong) for one file."""
    for number, line in enumerate(text.splitlines(), 1):
        if line != line.rstrip() and not name.endswith(".md"):
            yield number, "blanks at the end of the line"
        if is_code(name) and too_long(line):
            yield number, f"{len(line)} characters, more than {LINE_LENGTH_MAX}"
        for pattern, instead in banned:
            found = pattern.search(line)
            if found:
                yield number, f"'{found[0]}': {instead}"


def allowed_reveals(text):
    """{(file, type)} of the lines `FILE: TYPE  # reason` of tools/reveal.allow."""
    lines = (line.split("#")[0].strip() for line in text.splitlines())
    return {tuple(map(str.strip, line.split(":"))) for line in lines if line}


def reveal_findings(files, allowed):
    """Reveals outside the list, and entries of the list without one. `files` is name -> text."""
    found = {(name, kind) for name, text in files.items()
             if name.startswith("src/") and not name.endswith("_test.cc")
             for kind in REVEAL.findall(text) if name != DECLARED[kind]}
    for name, kind in sorted(found - allowed):
        yield f"{name}: {kind} may not stand here: tools/reveal.allow does not list it"
    for name, kind in sorted(allowed - found):
        yield f"tools/reveal.allow: {name} has no {kind}; take it off the list"


def commit_findings(log, late_records):
    """Commits without CDE-Change. `log` is git's, as `hash NUL message RECORD-SEPARATOR`, of the
    commits that change src/cde/; `late_records` are the messages that may speak for one of them."""
    spoken_for = re.findall(r"^CDE-Change\(([0-9a-f]{12,40})\): \S", late_records, re.MULTILINE)
    for record in filter(str.strip, log.split("\x1e")):
        commit, _, message = record.strip().partition("\0")
        if not re.search(r"^CDE-Change: \S", message, re.MULTILINE) and not any(
                commit.startswith(prefix) for prefix in spoken_for):
            yield f"commit {commit[:12]} changes src/cde/ without a line `CDE-Change: <why>`"


def read_tree():
    """name -> text of every file of ours that is text by its name."""
    names = git("ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0")
    return {name: (ROOT / name).read_text(errors="replace") for name in sorted(set(names) - {""})
            if (ROOT / name).is_file() and not name.startswith(NOT_OURS)
            and (pathlib.PurePath(name).suffix in TEXT or os.path.basename(name) in CODE_NAMES)}


def main():
    files = read_tree()
    banned = banned_words((ROOT / "tools/banned_words.txt").read_text())
    allow_list = ROOT / "tools/reveal.allow"
    allowed = allowed_reveals(allow_list.read_text())
    findings = [f"{name}:{number}: {what}" for name, text in files.items()
                for number, what in line_findings(name, text, banned)]
    findings += reveal_findings(files, allowed)
    findings += commit_findings(git("log", "--format=%H%x00%B%x1e", "--", "src/cde"),
                                git("log", "--grep=^CDE-Change(", "--format=%B"))
    print("\n".join([*findings, f"tidy: {len(files)} files, {len(findings)} findings"]))
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
