"""Holds the documents to the tree: links and paths resolve, named tests exist, every problem of the
table stands in the API documents, every configuration key that is read is documented and no other.

Prints one line per finding and exits 1 when there is one.
"""
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
OPERATING = "docs/operating.md"
TREE = "src tests tools docs api bench fuzz cmake".split()

LINK = re.compile(r"\]\(([^)\s]+)\)")
CODE = re.compile(r"`([^`\n]+)`")
PATH = re.compile(rf"(?:{'|'.join(TREE)})/[\w./*-]*[\w/*]")
TEST = re.compile(r"([A-Z]\w*(?:Test|Keys|Use|Pool|Fault|Recovery|Token))\.([A-Z]\w+)")
DEFINED_TEST = re.compile(r"^TEST(?:_F|_P)?\(\s*(\w+),\s*(\w+)\s*\)", re.M)
HEADING = re.compile(r"^#+\s+(.*)$", re.M)

SLUG = re.compile(r"urn:strongroom:problem:([a-z-]+)")
KIND = re.compile(r'^\s*\{\w+, "([a-z-]+)", \d{3},', re.M)

SECTION = re.compile(r'\.section\((?:"(\w+)"|(deployment\.section))\)')
READER = re.compile(
    r'\w+\.(?:text|text_or|choice|integer|flag|path|path_or_empty|secret|text_list|table'
    r'|subsection)\("(\w+)"|read_(?:address|addresses|places)\(section, "(\w+)"'
    r'|database_url\(deployment, section, "(\w+)"|(read_credentials\(section)|(read_vaultds\(section)')
DOCUMENTED_SECTION = re.compile(r"^### \[([\w.-]+)\]$", re.M)


def tracked(*patterns):
    listed = subprocess.run(["git", "-c", "safe.directory=*", "ls-files", "-z", "--cached",
                             "--others", "--exclude-standard", "--deduplicate", "--", *patterns],
                            cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [name for name in listed.split("\0") if name and (ROOT / name).is_file()]


def without_fences(text):
    return re.sub(r"^```.*?^```", "", text, flags=re.M | re.S)


def anchors(text):
    """What headings are called in links: GitHub's rule."""
    return {re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-")
            for title in HEADING.findall(without_fences(text))}


def link_findings(name, text):
    folder = (ROOT / name).parent
    for target in LINK.findall(without_fences(text)):
        if "://" in target or target.startswith("mailto:"):
            continue
        path, _, anchor = target.partition("#")
        file = folder / path if path else ROOT / name
        if not file.exists():
            yield f"{name}: the link {target} leads nowhere"
        elif anchor and anchor not in anchors(file.read_text() if path else text):
            yield f"{name}: the link {target} names no heading"


def path_findings(name, text):
    for code in CODE.findall(without_fences(text)):
        if PATH.fullmatch(code) and not list(ROOT.glob(code.rstrip("/"))):
            yield f"{name}: there is no {code}"


def test_findings(name, text, tests):
    for suite, case in TEST.findall(text):
        if (suite, case) not in tests:
            yield f"{name}: there is no test {suite}.{case}"


def defined_tests():
    return {test for name in tracked("*_test.cc")
            for test in DEFINED_TEST.findall((ROOT / name).read_text())}


def difference(first, second, only_first, only_second):
    yield from (only_first.format(item) for item in sorted(first - second))
    yield from (only_second.format(item) for item in sorted(second - first))


def problem_findings(table, document):
    yield from difference(set(KIND.findall(table)), set(SLUG.findall(document)),
                          "api/components.yaml lacks the problem {}",
                          "src/wire/problem.cc lacks the problem {}")


def keys_read(text, own_section):
    """'section.key' of every key that configuration code reads."""
    section, keys = own_section, set()
    for line in text.splitlines():
        for found in SECTION.finditer(line):
            section = found[1] or own_section
        for found in READER.finditer(line):
            names = [found[1] or found[2] or found[3]]
            if found[4]:
                names = ["certificate", "key"]
            if found[5]:
                names = ["vaultd", "vaultds"]
            keys.update(f"{section}.{key}" for key in names)
    return keys


def keys_documented(text):
    parts = DOCUMENTED_SECTION.split(text)[1:]
    # [connectord.NAME] is the section of each of a program's instances.
    return {f"{section.partition('.')[0]}.{key}" for section, body in zip(parts[::2], parts[1::2])
            for row in re.findall(r"^\| (`.*?) \|", body, re.M) for key in CODE.findall(row)}


def common_keys():
    text = (ROOT / "src/service/deployment.cc").read_text()
    begin = text.index("ConfigResult<void> read_common")
    return keys_read(text[begin:text.index("\n}\n", begin)], "deployment")


def key_findings():
    read = common_keys()
    for name in tracked("src/apps/*/config.cc"):
        folder = pathlib.Path(name).parent.name  # audit_relay is [audit-relay]
        read |= keys_read((ROOT / name).read_text(), folder.replace("_", "-"))
    yield from difference(read, keys_documented((ROOT / OPERATING).read_text()),
                          f"{OPERATING} lacks the key {{}}", "no program reads the key {}, which "
                          f"{OPERATING} describes")


def findings():
    tests = defined_tests()
    for name in tracked("*.md"):
        text = (ROOT / name).read_text()
        yield from link_findings(name, text)
        yield from path_findings(name, text)
        yield from test_findings(name, text, tests)
    yield from problem_findings((ROOT / "src/wire/problem.cc").read_text(),
                                (ROOT / "api/components.yaml").read_text())
    yield from key_findings()


def main():
    count = 0
    for count, finding in enumerate(findings(), 1):
        print(finding)
    print(f"check_docs: {count} findings")
    return 1 if count else 0


if __name__ == "__main__":
    sys.exit(main())
