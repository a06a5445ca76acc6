"""Many files are shared out between processes: nothing is lost, nothing done twice, the order is that of the files."""

from __future__ import annotations

import contextlib
import gc
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from unhub.migrate import parallel
from unhub.migrate.collecting import paused
from unhub.migrate.parallel import spread

FILES = [f"file{number}" for number in range(2_500)]
forking = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")


def silent(count: int) -> None:
    """For who does not ask how far it is."""


@pytest.mark.parametrize("files", [[], FILES[:1], FILES[: parallel.PAYS_FROM], FILES], ids=len)
@pytest.mark.parametrize("cores", [1, 2, 3, 20])
def test_results_come_in_the_order_of_the_files(files: list[str], cores: int) -> None:
    told: list[int] = []
    assert spread(lambda path: path if path.endswith(("0", "7")) else None, files, cores=cores, done=told.append) == [
        path for path in files if path.endswith(("0", "7"))
    ]
    assert told == sorted(told)
    assert told[-1] == len(files)


@forking
def test_every_file_is_worked_on_once_and_by_more_than_one_process(tmp_path: Path) -> None:
    here, path_of_log = os.getpid(), tmp_path / "log"
    log = os.open(path_of_log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def work(path: str) -> None:
        os.write(log, f"{os.getpid()} {path}\n".encode())
        if os.getpid() == here:
            wait_until(lambda: any(not line.startswith(str(here)) for line in path_of_log.read_text().splitlines()))

    spread(work, FILES, cores=4, done=silent)
    os.close(log)
    assert sorted(line.split()[1] for line in path_of_log.read_text().splitlines()) == sorted(FILES)


def wait_until(happened: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not happened():
        assert time.monotonic() < end, "no other process did anything"
        time.sleep(0.005)


@forking
def test_what_a_dead_process_took_is_done_again() -> None:
    here = os.getpid()

    def work(path: str) -> str:
        if os.getpid() != here and path.endswith("99"):
            os._exit(9)
        return path

    assert spread(work, FILES, cores=4, done=silent) == FILES


@forking
def test_a_crash_in_another_process_is_seen_here() -> None:
    here = os.getpid()
    elsewhere: list[bool] = []

    def work(path: str) -> str:
        if path == FILES[-1]:
            elsewhere.append(os.getpid() != here)
            raise ZeroDivisionError(path)
        return path

    with pytest.raises(ZeroDivisionError, match=FILES[-1]):
        spread(work, FILES, cores=2, done=silent)
    assert elsewhere == [False]


@pytest.fixture
def collecting() -> Iterator[None]:
    gc.enable()
    yield
    gc.enable()


@pytest.mark.usefixtures("collecting")
def test_the_collector_rests_and_goes_on_afterwards() -> None:
    with contextlib.suppress(KeyError), paused():
        with paused():
            assert not gc.isenabled()
        assert not gc.isenabled(), "the inner pause is part of the outer one"
        raise KeyError
    assert gc.isenabled()
