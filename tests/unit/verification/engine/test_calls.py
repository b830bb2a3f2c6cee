"""The filter of system calls, by running it as the kernel would."""

import errno
import struct

import pytest

from verification.engine.calls import ALLOWED, FATAL, MACHINES, NOT_EXECUTABLE, ONLY_OWN_FILES, ONLY_THREADS, UNKNOWN, program

KILL, REFUSE, ALLOW = 0x80000000, 0x00050000 | errno.EPERM, 0x7FFF0000
TABLES = (ALLOWED, FATAL, NOT_EXECUTABLE, ONLY_OWN_FILES, ONLY_THREADS, UNKNOWN)
BOTH = pytest.mark.parametrize("machine", sorted(MACHINES))


def verdict(machine: str, number: int, *arguments: int, architecture: int | None = None) -> int:
    """What the classic BPF program returns of a call."""
    code = program(machine)
    assert code is not None
    lines = list(struct.iter_unpack("=HBBI", code))
    words = [*arguments, 0, 0, 0, 0, 0, 0][:6]
    data = struct.pack("=IIQ6Q", number, architecture or MACHINES[machine][0], 0, *words)
    at, accumulator = 0, 0
    while True:
        operation, yes, no, operand = lines[at]
        at += 1
        if operation == 0x20:
            (accumulator,) = struct.unpack_from("=I", data, operand)
        elif operation == 0x15:
            at += yes if accumulator == operand else no
        elif operation == 0x45:
            at += yes if accumulator & operand else no
        else:
            assert operation == 0x06
            return int(operand)


@BOTH
def test_what_work_takes_is_allowed(machine: str) -> None:
    column = MACHINES[machine][1]
    for name, numbers in ALLOWED.items():
        if numbers[column] >= 0:
            assert verdict(machine, numbers[column]) == ALLOW, name


@BOTH
def test_what_only_an_attacker_tries_ends_it(machine: str) -> None:
    column = MACHINES[machine][1]
    for name, numbers in FATAL.items():
        if numbers[column] >= 0:
            assert verdict(machine, numbers[column]) == KILL, name


@BOTH
def test_everything_else_is_refused(machine: str) -> None:
    column = MACHINES[machine][1]
    named = {numbers[column] for table in TABLES for numbers in table.values()}
    others = [number for number in range(600) if number not in named]
    assert len(others) > 450
    assert {verdict(machine, number) for number in others} == {REFUSE}
    for name, number in {"openat": (257, 56), "setpriority": (141, 140), "prlimit64": (302, 261)}.items():
        assert verdict(machine, number[column]) == REFUSE, name


@BOTH
def test_memory_may_not_become_code(machine: str) -> None:
    column = MACHINES[machine][1]
    for numbers in NOT_EXECUTABLE.values():
        assert verdict(machine, numbers[column], 0, 4096, 3) == ALLOW
        assert verdict(machine, numbers[column], 0, 4096, 7) == REFUSE


@BOTH
def test_of_its_files_it_may_ask_two_things(machine: str) -> None:
    number = ONLY_OWN_FILES["fcntl"][MACHINES[machine][1]]
    assert verdict(machine, number, 4, 1034) == ALLOW
    assert verdict(machine, number, 4, 1030) == ALLOW
    assert {verdict(machine, number, 4, what) for what in (0, 1, 2, 3, 4, 8, 10, 1033)} == {REFUSE}


@BOTH
def test_a_thread_may_be_made_but_no_process(machine: str) -> None:
    column = MACHINES[machine][1]
    thread, fork, namespace = 0x3D0F00, 17, 0x10000000 | 17
    assert verdict(machine, ONLY_THREADS["clone"][column], thread) == ALLOW
    assert {verdict(machine, ONLY_THREADS["clone"][column], flags) for flags in (fork, namespace, 0)} == {REFUSE}
    assert verdict(machine, UNKNOWN["clone3"][column]) == 0x00050000 | errno.ENOSYS


def test_another_interface_of_the_same_machine_ends_it() -> None:
    assert verdict("x86_64", 0, architecture=0x40000003) == KILL  # 32 bits
    assert verdict("x86_64", 0x40000000 | 1) == KILL  # x32


def test_a_machine_whose_numbers_are_not_known() -> None:
    assert program("riscv64") is None


def test_no_number_stands_twice() -> None:
    for column in (0, 1):
        found = [numbers[column] for table in TABLES for numbers in table.values() if numbers[column] >= 0]
        assert len(found) == len(set(found))
