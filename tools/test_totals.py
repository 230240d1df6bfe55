"""Adds up the JUnit files under a folder: skipped and failed cases, then `N passed, N failed`.

A GoogleTest program counts by its cases (cases/<program>.xml, which it writes itself) and by itself
only where that file is missing or shows no failure although the program failed: it crashed. Exits 1
when a test failed or none ran.
"""
import pathlib
import sys
import xml.etree.ElementTree as ElementTree


def outcome(case):
    """passed, failed or skipped, of a <testcase> by ctest, pytest or GoogleTest."""
    if case.find("failure") is not None or case.find("error") is not None:
        return "failed"
    if (case.find("skipped") is not None or case.get("status") in ("notrun", "disabled")
            or case.get("result") in ("skipped", "suppressed")):
        return "skipped"
    return "passed"


def reason(case):
    """Why a skipped case was skipped, on one line; empty when it does not say."""
    skipped = case.find("skipped")
    return "" if skipped is None else " ".join((skipped.get("message") or "").split())


def cases_of(path):
    """(name, outcome, reason) of every case in one JUnit file."""
    return [(f"{case.get('classname') or path.stem}.{case.get('name')}", outcome(case),
             reason(case)) for case in ElementTree.parse(path).iter("testcase")]


def unit_cases(folder):
    """The cases of a ctest run: GoogleTest's own where a program wrote them."""
    cases = []
    for name, result, why in cases_of(folder / "ctest.xml"):
        program = name.rpartition(".")[2]
        inner_path = folder / "cases" / f"{program}.xml"
        inner = cases_of(inner_path) if inner_path.exists() else []
        cases += inner
        crashed = result == "failed" and "failed" not in [inner_case[1] for inner_case in inner]
        if not inner or crashed:
            cases.append((program, result, why))
    return cases


def total(results):
    """All cases under `results`, as ./dev test lays it out."""
    cases = []
    if (results / "unit" / "ctest.xml").exists():
        cases += unit_cases(results / "unit")
    if (results / "functional" / "pytest.xml").exists():
        cases += cases_of(results / "functional" / "pytest.xml")
    return cases


def main(folder):
    cases = total(pathlib.Path(folder))
    for wanted in ("skipped", "failed"):
        for name, result, why in cases:
            if result == wanted:
                print(f"{wanted}: {name}" + (f" ({why})" if why else ""))
    counts = {wanted: sum(result == wanted for _, result, _ in cases)
              for wanted in ("passed", "failed", "skipped")}
    print(f"{counts['skipped']} skipped")
    print(f"{counts['passed']} passed, {counts['failed']} failed")
    return 1 if counts["failed"] or not counts["passed"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
