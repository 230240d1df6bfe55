"""How the executables were compiled and linked: what keeps a memory fault from becoming more."""
import re
import subprocess

import pytest

import deployment as d

PROGRAMS = (*(d.program_of(instance).name for instance in d.DAEMONS), "strongroom", "psp-sim")
ENDBR64 = bytes.fromhex("f30f1efa")
WIPING_DELETE = {"_ZdlPv", "_ZdlPvm", "_ZdlPvSt11align_val_t", "_ZdlPvmSt11align_val_t"}


def output(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.fixture(params=PROGRAMS)
def program(request):
    return d.BIN / request.param


def segments(program):
    """(type, flags) of each program header, flags as in "R E"."""
    text = output("readelf", "--program-headers", "--wide", program)
    return re.findall(r"^  (\w+) +0x\w+ 0x\w+ 0x\w+ 0x\w+ 0x\w+ (.{3}) ", text, re.MULTILINE)


def symbols(program, *options):
    """Names in the dynamic symbol table."""
    lines = output("nm", "--dynamic", *options, program).splitlines()
    return {line.split()[-1].partition("@")[0] for line in lines}


def test_loads_at_a_random_address(program):
    assert "DYN (Position-Independent Executable file)" in output("readelf", "-h", program)


def test_relocations_are_read_only_before_main(program):
    dynamic = output("readelf", "--dynamic", "--wide", program)
    assert "GNU_RELRO" in dict(segments(program))
    assert re.search(r"FLAGS_1\).*\bNOW\b", dynamic)
    assert "RPATH" not in dynamic and "RUNPATH" not in dynamic, "libraries from a folder of its own"


def test_no_memory_is_both_writable_and_code(program):
    flags = segments(program)
    assert len(flags) > 5 and dict(flags)["GNU_STACK"] == "RW "
    assert [pair for pair in flags if "W" in pair[1] and "E" in pair[1]] == []


def test_stack_and_library_calls_are_guarded(program):
    taken = symbols(program, "--undefined-only")
    assert "__stack_chk_fail" in taken
    assert {"__memcpy_chk", "__explicit_bzero_chk"} & taken, "built without FORTIFY"


def test_indirect_jumps_land_on_marks(program):
    """-fcf-protection. Debian 12's C start files carry no CET note, so neither can the program:
    what can be checked is our code."""
    assert program.read_bytes().count(ENDBR64) > 1000


@pytest.mark.parametrize("daemon", d.DAEMONS)
def test_wiping_delete_is_exported_to_modules_loaded_later(daemon):
    assert WIPING_DELETE <= symbols(d.program_of(daemon), "--defined-only")


def test_names_no_folder_of_the_machine_that_built_it(program):
    assert str(d.ROOT).encode() not in program.read_bytes()
