"""The style rules find what they are there for, and leave alone what is right."""
import pathlib
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tools"))

import tidy  # noqa: E402

BANNED = tidy.banned_words((ROOT / "tools/banned_words.txt").read_text())


def findings(line, name="src/base/a.cc"):
    return [what for _, what in tidy.line_findings(name, line + "\n", BANNED)]


@pytest.mark.parametrize("line", [
    "word " * 20,
    "x" * 101,  # one word cannot be wrapped
    "// EXPECT: " + "word " * 20,
    "// TODO(perf): reuse the context",
    "// a neighbor of the behavior",
    "int managed = 0;  // class PoolManage",
    '"urn:strongroom:problem:card-number-length"',
])
def test_line_findings_accept(line):
    assert findings(line.rstrip()) == []


@pytest.mark.parametrize("line, said", [
    ("word " * 20 + "end", "103 characters"),
    ("int x; ", "blanks at the end"),
    ("// TO" + "DO(now): finish", "do it now"),
    ("// FIX" + "ME later", "TODO(kind)"),
    ("// its Behav" + "iour", "behavior"),
    ("void token" + "ise();", "tokenize"),
    ("class SessionMan" + "ager {", "name what it is"),
    ("std::string card" + "_number;", "pan"),
    ("open(\"/ho" + "me/me/x\")", "path of one machine"),
])
def test_line_findings_reject(line, said):
    found = findings(line)
    assert len(found) == 1 and said in found[0]


def test_line_length_is_not_asked_of_prose():
    assert findings("word " * 30 + "end", name="docs/a.md") == []


@pytest.mark.parametrize("text", ["reveal(PanReveal::grant())", "using G = PanReveal;"])
def test_reveals_must_stand_on_the_list_and_the_list_must_be_true(text):
    files = {"src/cde/vault/a.cc": text, "src/cde/vault/b.cc": "", "docs/a.md": text,
             "src/cde/vault/a_test.cc": text, "src/cde/card/pan.h": text}
    a, b = ("src/cde/vault/a.cc", "PanReveal"), ("src/cde/vault/b.cc", "PanReveal")
    assert list(tidy.reveal_findings(files, {a})) == []
    assert "a.cc" in next(tidy.reveal_findings(files, set()))
    assert "b.cc" in next(tidy.reveal_findings(files, {a, b}))


def test_leave_to_see_a_number_is_none_to_see_a_code():
    files = {"src/cde/vault/a.cc": "cvc.reveal(CvcReveal::grant())"}
    allowed = tidy.allowed_reveals("# why\nsrc/cde/vault/a.cc: PanReveal  # for the HMAC\n")
    assert [line.split(":")[0] for line in tidy.reveal_findings(files, allowed)] == [
        "src/cde/vault/a.cc", "tools/reveal.allow"]


def test_commits_must_say_why_they_change_card_code():
    good = "1" * 40 + "\0Subject\n\nBody.\n\nCDE-Change: the parser reads expiry dates\n\x1e\n"
    for bad in ("Subject\n", "CDE-Change:\n", "Subject mentions CDE-Change: x\n"):
        found = list(tidy.commit_findings(good + "2" * 40 + "\0" + bad + "\x1e\n", ""))
        assert len(found) == 1 and "222222222222" in found[0]
    assert list(tidy.commit_findings(good, "")) == []
    assert list(tidy.commit_findings("", "")) == []


def test_a_later_commit_may_speak_for_one_by_name_and_reason():
    log = "2" * 40 + "\0Subject\n\x1e\n"
    assert list(tidy.commit_findings(log, "CDE-Change(222222222222): moved by mistake\n")) == []
    for wrong in ("CDE-Change(222222222222):\n", "CDE-Change(22222): short\n",
                  "CDE-Change(333333333333): another\n", "as CDE-Change(222222222222): says\n"):
        assert len(list(tidy.commit_findings(log, wrong))) == 1
