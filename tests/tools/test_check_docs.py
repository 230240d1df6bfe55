"""The check of the documents finds each thing it is there for, and leaves alone what is right."""
import check_docs
import pytest


@pytest.mark.parametrize("text", [
    "[the manual](docs/operating.md)",
    "[its keys](docs/operating.md#configuration-reference)",
    "[here](#a-heading)\n\n# A heading",
    "[elsewhere](https://example.org/none.md)",
    "```\n[not a link](nowhere.md)\n```",
])
def test_links_that_lead_somewhere_are_left_alone(text):
    assert list(check_docs.link_findings("README.md", text)) == []


@pytest.mark.parametrize("text, said", [
    ("[gone](docs/gone.md)", "leads nowhere"),
    ("[gone](docs/operating.md#gone)", "names no heading"),
    ("[gone](#gone)", "names no heading"),
])
def test_links_that_lead_nowhere_are_found(text, said):
    assert said in "".join(check_docs.link_findings("README.md", text))


@pytest.mark.parametrize("text, found", [
    ("`src/base/secret.h` `tests/compile_fail` `src/audit/*.h` `build/release/bin`", 0),
    ("`src/base/gone.h`", 1),
    ("`tools/*.gone` and `docs/gone/`", 2),
])
def test_paths_must_exist(text, found):
    assert len(list(check_docs.path_findings("README.md", text))) == found


def test_named_tests_must_exist():
    tests = {("PanTest", "ParseNamesTheFirstRuleBroken")}
    text = "`PanTest.ParseNamesTheFirstRuleBroken`, `PanTest.Gone`"
    assert list(check_docs.test_findings("a.md", text, tests)) == \
        ["a.md: there is no test PanTest.Gone"]


def test_problems_must_stand_on_both_sides():
    table = '    {not_found, "not-found", 404, "x"},\n    {sealed, "sealed", 503, "y"},\n'
    document = "- urn:strongroom:problem:not-found\n- urn:strongroom:problem:invented\n"
    assert list(check_docs.problem_findings(table, document)) == [
        "api/components.yaml lacks the problem sealed",
        "src/wire/problem.cc lacks the problem invented"]


def test_keys_are_read_as_the_programs_read_them():
    text = """
      SR_TRY(ConfigSection section, deployment.file.section(deployment.section));
      config.listen = service::read_address(section, "listen");
      config.tls = service::read_credentials(section);
      if (section.has("so_pin")) config.so_pin = section.secret("so_pin");
      SR_TRY(ConfigSection other, deployment.file.section("hsm"));
      hsm.sessions = other.integer("sessions", 1, 64, 2);
    """
    assert check_docs.keys_read(text, "vaultd") == {
        "vaultd.listen", "vaultd.certificate", "vaultd.key", "vaultd.so_pin", "hsm.sessions"}


def test_keys_are_documented_in_the_first_column_of_their_section():
    text = ("### [edged]\n\n| key | default |\n|---|---|\n| `authd`, `vaultd` | `none` |\n"
            "### [hsm]\n\n| `pin` | required |\n")
    assert check_docs.keys_documented(text) == {"edged.authd", "edged.vaultd", "hsm.pin"}


def test_this_tree_has_no_findings():
    assert list(check_docs.findings()) == []
