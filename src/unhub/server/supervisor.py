"""The supervisor: starts the fetcher and the workers, replaces those that die, and ends them all. Serves nothing itself.

It has no event loop and no threads, so that forking is safe; all it does is wait for signals and for children.
"""

from __future__ import annotations

import asyncio
import os
import selectors
import signal
import socket
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final

import msgspec

from unhub.image.errors import UnhubError
from unhub.mirror.buckets import Buckets
from unhub.server.child import DRAIN, END, GRACE, READY, Alive, Child, fork
from unhub.server.counters import Counters
from unhub.server.heartbeat import Heartbeats
from unhub.server.settings import ServeSettings

START_SECONDS: Final = 30.0
"""How long the first start of a child may take."""

AGAIN_MAX: Final = 5.0
"""Seconds between two starts of a child that dies at once, at most."""

SIGNALS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)

FETCHER: Final = "fetcher"

Say = Callable[[str], None]
Reload = Callable[[], ServeSettings]


class StartFailed(UnhubError):
    """A child did not come up; what it said stands above."""

    code = "start-failed"


class Supervisor:
    """Runs until a signal comes. ``reload`` reads the settings anew, and raises where they are wrong."""

    def __init__(
        self,
        settings: ServeSettings,
        sockets: list[socket.socket],
        token: str,
        say: Say,
        reload: Reload | None = None,
        *,
        login: bool = True,
        api_sockets: Sequence[socket.socket] = (),
    ) -> None:
        self._settings = settings
        self._sockets = sockets
        self._api_sockets = api_sockets
        self._token = token
        self._say = say
        self._reload = reload
        self._login = login
        self._alive = Alive()
        self._counters = Counters(2 * settings.workers + 2)
        self._buckets = Buckets()
        self._children: dict[int, Child] = {}
        self._slots: dict[int, int] = {}
        self._old_settings: ServeSettings | None = None
        self._waiting: dict[str, float] = {}
        self._failures: dict[str, int] = {}
        self._heartbeats = Heartbeats()
        self._selector = selectors.DefaultSelector()
        self._signals_in, self._signals_out = socket.socketpair()

    def run(self, ready: Callable[[], None]) -> int:
        """Start everything, call ``ready``, and return the signal that ended it. Raises :class:`StartFailed`."""
        self._hear_signals()
        try:
            self._start_fetcher()
            for number in range(self._settings.workers):
                self._start_worker(number)
            self._await_start()
            ready()
            return self._loop()
        finally:
            self._end_all()

    def _hear_signals(self) -> None:
        for one in (self._signals_in, self._signals_out):
            one.setblocking(False)
        for number in SIGNALS:
            signal.signal(number, _heard)
        signal.set_wakeup_fd(self._signals_out.fileno())
        self._selector.register(self._signals_in, selectors.EVENT_READ)

    def _loop(self) -> int:
        while True:
            for number in self._wait(self._next_turn()):
                if number in (signal.SIGTERM, signal.SIGINT):
                    return number
                if number == signal.SIGHUP:
                    self._replace_all()
            self._end_hanging()
            self._start_waiting()

    def _wait(self, seconds: float) -> list[int]:
        """The signals that came, after children were looked at; waits for something at most so long."""
        numbers: list[int] = []
        for key, _ in self._selector.select(seconds):
            if key.fileobj is self._signals_in:
                with suppress(BlockingIOError):
                    numbers += self._signals_in.recv(256)
            else:
                self._hear(key.data)
        self._reap()
        return numbers

    def _hear(self, child: Child) -> None:
        """A child is ready, tells that it does not hang, or its pipe ended with it."""
        with suppress(BlockingIOError):
            said = os.read(child.pipe, 256)
            if not said:
                self._selector.unregister(child.pipe)
                return
            self._heartbeats.heard(child.pid)
            if READY in said:
                child.is_ready = True
                self._failures.pop(child.name, None)
                self._end_replaced(child)

    def _end_replaced(self, new: Child) -> None:
        for child in self._children.values():
            if child.name == new.name and child is not new and not child.is_ending:
                child.end()

    def _reap(self) -> None:
        for child in list(self._children.values()):
            try:
                pid, status = os.waitpid(child.pid, os.WNOHANG)
            except ChildProcessError:
                pid, status = child.pid, 0
            if pid:
                self._gone(child, os.waitstatus_to_exitcode(status))

    def _gone(self, child: Child, status: int) -> None:
        del self._children[child.pid]
        self._slots.pop(child.pid, None)
        if child.pipe in self._selector.get_map():
            self._selector.unregister(child.pipe)
        os.close(child.pipe)
        if child.is_ending or any(other.name == child.name for other in self._children.values()):
            return
        failures = self._failures[child.name] = self._failures.get(child.name, 0) + 1
        self._waiting[child.name] = time.monotonic() + min(0.05 * 2.0 ** (failures - 1), AGAIN_MAX)
        self._say(f"the {child.name} ended unexpectedly ({_how(status)}); another one is started")

    def _end_hanging(self) -> None:
        """A child whose loop does not turn is killed, so that another one takes its place; those that are ending have a time for it."""
        watched = {child.pid: child for child in self._children.values() if not child.is_ending}
        for pid in self._heartbeats.hanging(watched):
            self._say(f"the {watched[pid].name} hangs and is killed")
            watched[pid].kill()

    def _next_turn(self) -> float:
        """Seconds until a child is to be started or looked at."""
        starts = (at - time.monotonic() for at in self._waiting.values())
        return max(0.0, min((self._heartbeats.next_look, *starts)))

    def _start_waiting(self) -> None:
        now = time.monotonic()
        for name in [name for name, at in self._waiting.items() if at <= now]:
            del self._waiting[name]
            if name == FETCHER:
                self._start_fetcher()
            else:
                self._start_worker(int(name.rpartition(" ")[2]) - 1)

    def _start_fetcher(self) -> None:
        settings, say, login = self._settings, self._say, self._login

        async def main(ready: Callable[[], None], stop: asyncio.Event) -> None:
            from unhub.server.fetcher_process import FetcherProcess

            await FetcherProcess(settings, say, login=login).run(ready, stop)

        def in_child() -> None:
            self._leave()
            for one in (*self._sockets, *self._api_sockets):
                one.close()

        self._add(fork(FETCHER, main, self._alive, in_child=in_child))

    def _start_worker(self, number: int) -> None:
        settings, token, counters, supervisor = self._settings, self._token, self._counters, os.getpid()
        buckets = self._buckets
        sockets, api_sockets, check = self._sockets, self._api_sockets, self._reload
        slot = next(one for one in range(2 * self._settings.workers + 2) if one not in self._slots.values())

        def reload() -> None:
            if check is not None:
                check()
            os.kill(supervisor, signal.SIGHUP)

        async def main(ready: Callable[[], None], stop: asyncio.Event) -> None:
            from unhub.server.app import opened
            from unhub.server.granian_worker import serve

            async with opened(settings, counters, slot, token=token, reload=reload, buckets=buckets, chores=number == 0) as apps:
                places = [(apps.main, one) for one in sockets] + [(apps.api, one) for one in api_sockets]
                await serve(places, settings.tls, ready, stop)

        child = fork(f"worker {number + 1}", main, self._alive, in_child=self._leave)
        self._slots[child.pid] = slot
        self._add(child)

    def _leave(self) -> None:
        """In a child: close what is the supervisor's alone."""
        self._selector.close()
        self._signals_in.close()
        self._signals_out.close()
        for child in self._children.values():
            os.close(child.pipe)

    def _add(self, child: Child) -> None:
        self._children[child.pid] = child
        self._selector.register(child.pipe, selectors.EVENT_READ, child)
        self._note_processes()

    def _note_processes(self) -> None:
        """For people and tests: which process is what."""
        rows = {"supervisor": os.getpid()} | {child.name: child.pid for child in self._children.values() if not child.is_ending}
        path = self._settings.data / "run" / "processes.json"
        with suppress(OSError):
            path.with_suffix(".new").write_bytes(msgspec.json.encode(rows))
            path.with_suffix(".new").replace(path)

    def _await_start(self) -> None:
        until = time.monotonic() + START_SECONDS
        while not all(child.is_ready for child in self._children.values()):
            for number in self._wait(max(0.0, until - time.monotonic())):
                if number in (signal.SIGTERM, signal.SIGINT):
                    raise KeyboardInterrupt
            if self._waiting or time.monotonic() >= until:
                who = next(iter(self._waiting), "server")
                raise StartFailed(f"cannot start: the {who} did not come up", hint="What it said stands above")

    def _replace_all(self) -> None:
        """New workers, and a new fetcher where the settings changed; the old workers end when the new ones are ready."""
        try:
            settings = self._settings if self._reload is None else self._reload()
        except UnhubError as error:
            self._say(f"the settings are not taken over: {error}")
            settings = self._settings
        if _lasting(settings) != _lasting(self._settings):
            self._say("other places to listen at, another data folder, mode or number of workers need a restart")
            settings = replace(settings, **_lasting(self._settings))
        changed, self._settings = settings != self._settings, settings
        if changed:
            for child in self._children.values():
                if child.name == FETCHER:
                    child.signal(END)  # it ends at once, and the next one is started as after any end
        for number in range(settings.workers):
            self._start_worker(number)
        self._say("workers are being replaced" + (", the settings are taken over" if changed else ""))

    def _end_all(self) -> None:
        """Workers finish their answers while the fetcher still serves them; then it ends, too."""
        signal.set_wakeup_fd(self._signals_out.fileno())
        workers = [child for child in self._children.values() if child.name != FETCHER]
        self._end(workers, DRAIN)
        self._end(list(self._children.values()), 5.0)
        self._alive.close()
        signal.set_wakeup_fd(-1)

    def _end(self, children: list[Child], seconds: float) -> None:
        for child in children:
            child.end()
        until = time.monotonic() + seconds
        while any(child.pid in self._children for child in children) and time.monotonic() < until + GRACE:
            if time.monotonic() >= until:
                for child in children:
                    child.kill()
            impatient = {signal.SIGTERM, signal.SIGINT} & set(self._wait(0.2))
            if impatient:
                until = time.monotonic()


def _lasting(settings: ServeSettings) -> dict[str, Any]:
    """What stays as it was when the server was started."""
    return {name: getattr(settings, name) for name in ("listen", "api_listen", "data", "workers", "mode")}


def _heard(number: int, frame: object) -> None:
    """Python only writes signals that have a handler to the wakeup descriptor."""
    del number, frame


def _how(status: int) -> str:
    if status < 0:
        with suppress(ValueError):
            return f"by {signal.Signals(-status).name}"
    return f"with status {status}"
