"""The closing line of ./dev test counts every case once, and no failure hides."""
import pathlib
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tools"))

import test_totals  # noqa: E402


def ctest(*tests):
    cases = "".join(f'<testcase name="{name}" classname="{name}" status="{status}">'
                    + ('<failure message=""/>' if status == "fail" else "") + "</testcase>"
                    for name, status in tests)
    return f"<testsuite>{cases}</testsuite>"


def gtest(*cases):
    inner = {"passed": "", "failed": '<failure message="no"/>',
             "skipped": '<skipped message="why"/>'}
    text = "".join(f'<testcase name="{name}" classname="A" status="run">{inner[result]}</testcase>'
                   for name, result in cases)
    return f"<testsuites><testsuite>{text}</testsuite></testsuites>"


def run(folder, capsys, files):
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    status = test_totals.main(folder)
    return status, capsys.readouterr().out.splitlines()


PYTEST = '<testsuites><testsuite><testcase classname="t" name="a"/></testsuite></testsuites>'


def test_cases_of_all_kinds_are_added(tmp_path, capsys):
    status, lines = run(tmp_path, capsys, {
        "unit/ctest.xml": ctest(("sr_a_test", "run"), ("a_corpus", "run")),
        "unit/cases/sr_a_test.xml":
            gtest(("one", "passed"), ("two", "passed"), ("three", "skipped")),
        "functional/pytest.xml": PYTEST})
    assert (status, lines[-1]) == (0, "4 passed, 0 failed")
    assert lines[:2] == ["skipped: A.three (why)", "1 skipped"]


@pytest.mark.parametrize("files, last", [
    ({"unit/ctest.xml": ctest(("sr_a_test", "fail")),
      "unit/cases/sr_a_test.xml": gtest(("one", "passed"), ("two", "failed"))},
     "1 passed, 1 failed"),
    ({"unit/ctest.xml": ctest(("sr_a_test", "fail"))}, "0 passed, 1 failed"),  # crashed: no file
    ({"unit/ctest.xml": ctest(("sr_a_test", "fail")),  # crashed after it wrote its file
      "unit/cases/sr_a_test.xml": gtest(("one", "passed"))}, "1 passed, 1 failed"),
    ({}, "0 passed, 0 failed"),  # nothing ran: nothing is proved
])
def test_failures_fail(tmp_path, capsys, files, last):
    status, lines = run(tmp_path, capsys, files)
    assert (status, lines[-1]) == (1, last)
