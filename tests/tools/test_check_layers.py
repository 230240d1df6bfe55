"""The law of layers must catch what it forbids, in each of its three ways, and on a real build."""
import pathlib
import shutil
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tools"))

from layer_law import Law, LawError, Seen, check_links, check_sees, check_symbols  # noqa: E402

LAW = """
system libc6-dev libstdc++-12-dev libgcc-12-dev linux-libc-dev
guarded linux/landlock.h
library openssl: openssl
library asio: boost/asio
library sandbox: seccomp.h linux/landlock.h
library fmt: fmt
library googletest: gtest
all: fmt
tests: googletest
module base: -
module crypto: base | openssl
module async: base | asio
module sandbox: base | sandbox
module cde/card: base crypto
module cde/keys: base crypto
module connected/*: base async
module tests: * | *
module bench: * | *
program gatewayd: base async connected/gateway
absent strongroom::cde::: gatewayd
"""
GATEWAY = "src/connected/gateway/routes.cc"


@pytest.fixture
def law():
    return Law(LAW)


def see(law, source, *headers, target="sr_any"):
    system = {"/usr/include/stdio.h", "/usr/include/linux/landlock.h"}
    return check_sees(law, Seen(source, target, headers), system.__contains__)


@pytest.mark.parametrize("source, header", [
    ("src/crypto/aead.cc", "src/base/result.h"),
    ("src/crypto/aead.cc", "src/crypto/openssl.h"),
    ("src/crypto/aead.cc", "/usr/include/openssl/evp.h"),
    ("src/crypto/aead.cc", "/usr/include/x86_64-linux-gnu/openssl/opensslconf.h"),
    ("src/crypto/aead.cc", "/usr/include/stdio.h"),
    ("src/crypto/aead.cc", "/usr/include/fmt/format.h"),
    ("src/crypto/aead_test.cc", "/usr/include/gtest/gtest.h"),
    ("src/crypto/aead_test.cc", "tests/support/hsm.h"),
    ("src/sandbox/landlock.cc", "/usr/include/linux/landlock.h"),
    ("src/connected/gateway/deep/routes.cc", "src/connected/gateway/routes.h"),
    ("tests/contract/hsm_test.cc", "src/cde/card/pan.h"),
    ("bench/hsm_bench.cc", "tests/support/hsm.h"),
    ("tests/contract/hsm_test.cc", "/usr/include/openssl/evp.h"),
])
def test_sees_accepts_what_the_line_allows(law, source, header):
    assert see(law, source, header) == []


@pytest.mark.parametrize("source, header, named", [
    (GATEWAY, "src/cde/card/pan.h", "cde/card"),              # a neighbor's zone
    (GATEWAY, "src/connected/auth/keys.h", "connected/auth"),  # a sibling under the same line
    ("src/base/id.cc", "src/crypto/random.h", "crypto"),      # an arrow that points up
    (GATEWAY, "src/crypto/aead.h", "crypto"),                 # reached through async only
    ("src/base/id.cc", "/usr/include/openssl/evp.h", "openssl"),
    ("src/base/id.cc", "/usr/include/linux/landlock.h", "sandbox"),
    ("src/crypto/aead.cc", "/usr/include/curl/curl.h", "none that the law names"),
    ("src/crypto/aead.cc", "/opt/vendor/pkcs11.h", "none that the law names"),
    ("src/crypto/aead.cc", "/usr/include/gtest/gtest.h", "googletest"),
    ("src/crypto/aead.cc", "tests/fakes/hsm.h", "tests/"),
    ("src/crypto/aead.cc", "src/stray.h", "no module's header"),
])
def test_sees_rejects_what_the_line_does_not_allow(law, source, header, named):
    problems = see(law, source, header)
    assert len(problems) == 1
    assert source in problems[0] and header in problems[0] and named in problems[0]
    assert "line" in problems[0]


def test_sees_rejects_a_source_without_a_line(law):
    assert "no line" in see(law, "src/unheard_of/a.cc")[0]
    assert "no line" in see(law, "src/apps/rogued.cc", target="rogued")[0]


def test_sees_judges_a_program_by_its_own_line(law):
    program = "src/apps/gatewayd.cc"
    assert see(law, program, "src/connected/gateway/routes.h", target="gatewayd") == []
    assert see(law, program, "src/cde/card/pan.h", target="gatewayd")


def test_sees_judges_what_a_test_program_is_made_of_as_a_test(law):
    fixture = ("src/crypto/fixture.cc", "/usr/include/gtest/gtest.h", "tests/support/hsm.h")
    assert see(law, *fixture, target="sr_crypto_test") == []
    assert len(see(law, *fixture, target="sr_crypto")) == 2


def test_sees_says_once_what_is_wrong_with_many_headers(law):
    problems = see(law, GATEWAY, "/usr/include/openssl/evp.h", "/usr/include/openssl/bn.h")
    assert len(problems) == 1 and "evp.h and 1 more: library openssl" in problems[0]


def test_links_accept_what_the_lines_allow(law):
    assert check_links(law, {
        "gatewayd": {"sr_connected_gateway"}, "sr_connected_gateway": {"sr_async", "OpenSSL::SSL"},
        "sr_async": {"sr_base"}, "sr_cde_card": {"sr_crypto"}, "sr_cde_card_test": {"sr_cde_card"},
        "sr_crypto": {"sr_base"}, "sr_base": set()}) == []


def test_links_reject_a_module_that_the_line_does_not_allow(law):
    problems = check_links(law, {"sr_connected_gateway": {"sr_cde_card"}})
    assert len(problems) == 1 and "sr_connected_gateway links sr_cde_card" in problems[0]
    assert check_links(law, {"sr_connected_gateway_test": {"sr_cde_card"}})
    assert check_links(law, {"sr_cde_card": {"sr_cde_keys"}})
    assert check_links(law, {"sr_unheard_of": set()})


def test_links_allow_the_libraries_of_tests_to_tests_alone(law):
    assert check_links(law, {"sr_base_test": {"sr_tests_support", "sr_base"},
                             "sr_tests_support": {"sr_crypto"}}) == []
    assert check_links(law, {"sr_base": {"sr_tests_support"}})
    assert check_links(law, {"gatewayd": {"sr_tests_support"}})


def test_links_reject_what_a_program_holds_through_others(law):
    problems = check_links(law, {"gatewayd": {"sr_connected_gateway"}, "sr_async": {"sr_crypto"},
                                 "sr_connected_gateway": {"sr_async"}})
    assert any("gatewayd holds sr_crypto (through sr_async)" in problem for problem in problems)


def test_symbols_reject_card_code_and_stripped_executables(law):
    assert check_symbols(law, "gatewayd", ["main", "strongroom::connected::run()"]) == []
    problems = check_symbols(law, "gatewayd", ["main", "std::vector<strongroom::cde::Pan>::at()"])
    assert len(problems) == 1 and "strongroom::cde::Pan" in problems[0]
    assert check_symbols(law, "vaultd", ["strongroom::cde::Pan::parse"]) == []
    assert "stripped" in check_symbols(law, "gatewayd", [])[0]


@pytest.mark.parametrize("line, named", [
    ("module base: -", "twice"),
    ("module late: nowhere", "no module nowhere"),
    ("module late: base | nothing", "no library nothing"),
    ("modul late: base", "not understood"),
    ("module late: base | fmt | asio", "not understood"),
    ("module up: down\nmodule down: up", "arrows point down only"),
])
def test_law_rejects_a_wrong_table(line, named):
    with pytest.raises(LawError, match=named):
        Law(LAW + line)


def test_law_of_this_tree_is_well_formed():
    law = Law((ROOT / "tools/layers.txt").read_text())
    [(prefix, programs)] = law.absent
    assert prefix == "strongroom::cde::"
    assert {"gatewayd", "authd", "webhookd", "auditd", "station"} <= set(programs)
    assert set(programs) <= set(law.programs)


# A tree with one clean program; each case below breaks it in one way.
TREE = {
    "CMakeLists.txt": """
        cmake_minimum_required(VERSION 3.25)
        project(tree CXX)
        set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
        include_directories(src)
        add_library(sr_base STATIC src/base/a.cc)
        add_library(sr_cde_card STATIC src/cde/card/pan.cc)
        add_library(sr_connected_gateway STATIC src/connected/gateway/g.cc)
        target_link_libraries(sr_connected_gateway PRIVATE sr_base)
        add_subdirectory(src/apps)
        """,
    "src/apps/CMakeLists.txt": """
        add_executable(gatewayd gatewayd.cc)
        target_link_libraries(gatewayd PRIVATE sr_connected_gateway)
        """,
    "src/base/a.cc": "int base() { return 1; }\n",
    "src/cde/card/pan.h": "namespace strongroom::cde { int pan(); }\n",
    "src/cde/card/pan.cc": '#include "cde/card/pan.h"\nint strongroom::cde::pan() { return 2; }\n',
    "src/connected/gateway/g.h": "int gateway();\n",
    "src/connected/gateway/g.cc": """
        #include "connected/gateway/g.h"
        int base();
        int gateway() { return base(); }
        """,
    "src/apps/gatewayd.cc": '#include "connected/gateway/g.h"\nint main() { return gateway(); }\n',
    "tools/layers.txt": LAW,
}


def check_tree(folder, **changes):
    for name, text in {**TREE, **changes}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    for command in (["cmake", "-G", "Ninja", "-S", ".", "-B", "build"], ["ninja", "-C", "build"]):
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return subprocess.run([sys.executable, ROOT / "tools/check_layers.py", "--root", folder,
                           "--build", "build"], capture_output=True, text=True)


@pytest.mark.skipif(not shutil.which("ninja"), reason="needs ninja")
@pytest.mark.parametrize("changes, said", [
    ({}, None),
    ({"src/connected/gateway/g.h": '#include "cde/card/pan.h"\nint gateway();\n'},
     "g.cc sees src/cde/card/pan.h: module cde/card is not allowed"),
    ({"src/base/a.cc": "#include <openssl/evp.h>\nint base() { return 1; }\n"},
     "src/base/a.cc sees /usr/include/openssl/evp.h and "),
    ({"src/apps/CMakeLists.txt":
      TREE["src/apps/CMakeLists.txt"] + "target_link_libraries(gatewayd PRIVATE sr_cde_card)\n"},
     "program gatewayd holds sr_cde_card"),
    ({"src/connected/gateway/g.cc":
      '#include "connected/gateway/g.h"\nnamespace strongroom::cde { int x = 3; }\n'
      "int gateway() { return 1; }\n"},
     "program gatewayd holds 1 symbols of strongroom::cde::, such as strongroom::cde::x"),
    ({"src/base/unused.h": "\n"}, "src/base/unused.h: no target compiles or includes it"),
])
def test_check_layers_on_a_real_build(tmp_path, changes, said):
    result = check_tree(tmp_path, **changes)
    assert result.returncode == (1 if said else 0), result.stdout + result.stderr
    if said:
        assert said in result.stdout
