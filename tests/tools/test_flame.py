"""What a flame graph makes of the stacks that perf prints."""
import pathlib
import shutil
import sys
from xml.etree import ElementTree

import pytest

ROOT = pathlib.Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "tools"), str(ROOT / "bench")]

import flame  # noqa: E402
import load  # noqa: E402
import perf  # noqa: E402

SVG = "{http://www.w3.org/2000/svg}"
SCRIPT = """
\t    7f01 SHA256_Update+0x10 (/usr/lib/x86_64-linux-gnu/libcrypto.so.3)
\t    5502 strongroom::cde::Vault::tokenize(strongroom::cde::Card, int)::_Z1a.actor (/x/bin/vaultd)
\t    5501 main+0x1 (/x/bin/vaultd)

\t  ffff01 do_syscall_64+0x3b ([kernel.kallsyms])
\t    5501 main+0x1 (/x/bin/vaultd)

\t  ffff01 do_syscall_64+0x3b ([kernel.kallsyms])
\t    5501 main+0x1 (/x/bin/vaultd)

"""


def test_stacks_begin_with_the_outermost_frame():
    first, second, third = perf.stacks(SCRIPT)
    assert first[0] == ("main", "/x/bin/vaultd")
    assert first[-1] == ("SHA256_Update", "/usr/lib/x86_64-linux-gnu/libcrypto.so.3")
    assert second == third == [("main", "/x/bin/vaultd"), ("do_syscall_64", "[kernel.kallsyms]")]


def test_frames_without_a_name_are_one_where_they_follow_each_other():
    text = "\t 3 [unknown] (/a.so)\n\t 2 [unknown] (/a.so)\n\t 1 [unknown] (/b.so)\n"
    assert list(perf.stacks(text)) == [[("?", "/b.so"), ("?", "/a.so")]]


@pytest.mark.parametrize("symbol, name", [
    ("strongroom::async::Batcher<A<B>, C>::run(D<E> const&)+0x1f", "async::Batcher::run"),
    ("void boost::asio::detail::f<int>(std::vector<x>&)", "asio::detail::f"),
    ("std::operator<< <char>(std::ostream&)", "std::operator"),
    ("main", "main"),
    ("[unknown]", "?"),
])
def test_names_are_short(symbol, name):
    assert perf.short_name(symbol) == name


def test_widths_are_shares_and_callers_lie_below():
    picture = ElementTree.fromstring(flame.svg("t", flame.tree(perf.stacks(SCRIPT))))
    frames = {group.find(f"{SVG}title").text: group.find(f"{SVG}rect")
              for group in picture.findall(f"{SVG}g")}
    assert set(frames) == {"main: 100.0 %", "do_syscall_64: 66.7 %", "SHA256_Update: 33.3 %",
                           *(text for text in frames if "tokenize" in text)}
    main, kernel = frames["main: 100.0 %"], frames["do_syscall_64: 66.7 %"]
    assert float(main.get("width")) == pytest.approx(1200, abs=1)
    assert float(kernel.get("width")) == pytest.approx(800, abs=1)
    assert float(kernel.get("x")) == pytest.approx(400, abs=1)  # beside what else main called
    assert float(main.get("y")) > float(kernel.get("y"))


def test_narrow_frames_are_left_out():
    stacks = [[("main", "/bin/vaultd"), ("wide", "/bin/vaultd")]] * 999
    stacks.append([("main", "/bin/vaultd"), ("narrow", "/bin/vaultd")])
    picture = flame.svg("t", flame.tree(stacks))
    assert ">wide" in picture and "narrow" not in picture


def test_the_kernel_is_shown_to_a_depth():
    deep = [[("main", "/bin/vaultd"), *((f"k{depth}", "[kernel.kallsyms]") for depth in range(20))]]
    picture = flame.svg("t", flame.tree(deep))
    assert ">k5<" in picture and "k6" not in picture


def test_perf_that_sees_nothing_is_an_error(tmp_path):
    if shutil.which("perf") is None:
        pytest.skip("perf is not installed")
    data = tmp_path / "perf.data"
    with pytest.raises(load.BenchError, match="perf gave no stacks"):
        perf.read(perf.record(2**22 - 1, 1, data), data)  # nobody's pid
