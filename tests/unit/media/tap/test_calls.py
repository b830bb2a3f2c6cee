"""The filter of system calls: its jumps land where they should, for both machines."""

import errno
import struct

import pytest

from media.tap import calls

ALLOW, REFUSE, KILL = 0x7FFF0000, 0x00050000 | errno.EPERM, 0x80000000
MACHINES = {"x86_64": (0xC000003E, 0), "aarch64": (0xC00000B7, 1)}
PROT_READ, PROT_WRITE, PROT_EXEC = 1, 2, 4
TCGETS, FIONBIO, TIOCSTI = 0x5401, 0x5421, 0x5412


def answer(code: bytes, architecture: int, number: int, *arguments: int) -> int:
    """What the kernel would say: the few instructions that the filter has, run on a ``struct seccomp_data``."""
    asked = struct.pack("<IIQ6Q", number, architecture, 0, *arguments, *[0] * (6 - len(arguments)))
    lines = [struct.unpack_from("=HBBI", code, at) for at in range(0, len(code), 8)]
    at, value = 0, 0
    while True:
        operation, yes, no, operand = lines[at]
        at += 1
        if operation == 0x20:
            value = struct.unpack_from("<I", asked, operand)[0]
        elif operation == 0x15:
            at += yes if value == operand else no
        elif operation == 0x45:
            at += yes if value & operand else no
        else:
            assert operation == 0x06
            return int(operand)


def numbers(table: dict[str, tuple[int, int]], column: int) -> set[int]:
    return {pair[column] for pair in table.values()} - {-1}


@pytest.fixture(params=MACHINES)
def machine(request: pytest.FixtureRequest) -> tuple[bytes, int, int]:
    """Filter, architecture, column of the tables."""
    code = calls.program(request.param)
    assert code is not None
    return code, *MACHINES[request.param]


def test_what_is_not_listed_ends_the_process(machine: tuple[bytes, int, int]) -> None:
    code, architecture, column = machine
    expected = dict.fromkeys(range(1000), KILL)
    expected |= dict.fromkeys(numbers(calls.ALLOWED, column), ALLOW)
    expected |= dict.fromkeys(numbers(calls.REFUSED, column), REFUSE)
    expected |= dict.fromkeys(numbers(calls.NOT_EXECUTABLE, column), ALLOW)
    expected |= dict.fromkeys(numbers(calls.ONLY_FIONBIO, column), REFUSE)
    assert {number: answer(code, architecture, number) for number in expected} == expected


def test_nothing_of_another_interface(machine: tuple[bytes, int, int]) -> None:
    code, architecture, _ = machine
    for number in range(600):
        assert answer(code, architecture, 0x40000000 | number) == KILL  # x32
        assert answer(code, 0x40000003, number) == KILL  # x86 of 32 bits
        assert answer(code, 0x40000028, number) == KILL  # ARM of 32 bits


def test_no_new_machine_code(machine: tuple[bytes, int, int]) -> None:
    code, architecture, column = machine
    for number in numbers(calls.NOT_EXECUTABLE, column):
        assert answer(code, architecture, number, 0, 4096, PROT_READ | PROT_WRITE) == ALLOW
        for protection in (PROT_EXEC, PROT_READ | PROT_EXEC, 7, 0xFF00000000000004):
            assert answer(code, architecture, number, 0, 4096, protection) == REFUSE
        assert answer(code, architecture, number, PROT_EXEC, PROT_EXEC, PROT_READ) == ALLOW


def test_of_devices_only_whether_to_wait(machine: tuple[bytes, int, int]) -> None:
    code, architecture, column = machine
    (number,) = numbers(calls.ONLY_FIONBIO, column)
    assert answer(code, architecture, number, 3, FIONBIO) == ALLOW
    for command in (0, TCGETS, TIOCSTI, FIONBIO + 1):
        assert answer(code, architecture, number, 3, command) == REFUSE


@pytest.mark.parametrize("column", [0, 1])
def test_each_call_stands_in_one_table(column: int) -> None:
    tables = [calls.ALLOWED, calls.REFUSED, calls.NOT_EXECUTABLE, calls.ONLY_FIONBIO]
    listed = [pair[column] for table in tables for pair in table.values() if pair[column] != -1]
    assert len(listed) == len(set(listed))


def test_no_filter_where_the_numbers_are_not_known() -> None:
    assert calls.program("riscv64") is None
    assert calls.MACHINES.keys() == calls.SECCOMP.keys()
