"""The processes of a gateway: gunicorn's arbiter, and workers that each make parts of their own after the fork."""

from __future__ import annotations

import gc
import logging
import resource
import socket
import sys
from collections.abc import Mapping
from dataclasses import replace
from itertools import count
from typing import Any

import gevent
from gunicorn.app.base import BaseApplication
from gunicorn.glogging import Logger
from gunicorn.workers.ggevent import GeventWorker

from manyhands.errors import ManyHandsError
from manyhands.logs import JSON, PLAIN, configure, log_uncaught
from manyhands.metrics import Snapshot
from manyhands.settings import Settings
from manyhands.siblings import answer_siblings, gather, make_directory, remove_directory
from manyhands.tether import die_with
from manyhands_gateway.application import EXTENSION, alone, create_app, find_directory
from manyhands_gateway.gateway import Gateway
from manyhands_gateway.outbox import reset_when_closed

log = logging.getLogger(__name__)

#: New objects after which Python looks for garbage among them, and how many looks make one further back. Ten times the
#: usual ones: some megabytes of garbage may wait.
COLLECT_AFTER = (7000, 20, 50)
#: HTTP connections of one process beside its sockets. While gunicorn has as many as it may, it takes no more in, not
#: even to refuse them.
SPARE_CONNECTIONS = 500
#: Files of one process beside its connections.
SPARE_FILES = 100
#: Seconds from SIGTERM until gunicorn kills what is left; the contract allows 25 for all.
GRACE = 20
#: Seconds without a sign of life after which gunicorn takes a process for hung.
HUNG = 60
#: Seconds that an idle HTTP connection is kept. Longer ones hold up a process that goes down.
KEEP_ALIVE = 2
BACKLOG = 2048


class PortUnusable(ManyHandsError):
    """The address can't be listened on, most often because something else does."""

    def __init__(self, host: str, port: int, cause: OSError | UnicodeError) -> None:
        self.host, self.port = host, port
        if isinstance(cause, UnicodeError):  # raised for what can't be a host's name, such as a..b
            super().__init__(f"can't listen on {host}: that is no host's name; choose another --host")
        else:
            super().__init__(f"can't listen on port {port} of {host}: {cause.strerror or cause}; choose another --port")


class Worker(GeventWorker):  # type: ignore[misc]
    """A process that sends its browsers away before it ends."""

    _going = False

    def handle_exit(self, sig: int, frame: Any) -> None:
        """Take SIGTERM: gunicorn's own handling would drop the sockets without a close frame."""
        if not self._going:
            self._going = True
            # Called as a signal handler, which may not wait; `run` stops accepting meanwhile. Told to go while it is
            # still loading, it has no browsers yet, and ends as soon as it has loaded.
            if getattr(self, "wsgi", None) is not None:
                gevent.spawn(self._gateway.drain)
        super().handle_exit(sig, frame)

    def handle_request(self, listener_name: Any, req: Any, sock: Any, addr: Any) -> Any:
        """Answer a request; a peer that takes in nothing of the answer does not keep its place."""
        sock.settimeout(self._gateway.settings.send_within)
        try:
            return super().handle_request(listener_name, req, sock, addr)
        except TimeoutError as error:
            reset_when_closed(sock)
            # Said to gunicorn in this way, it closes the connection and does not log a traceback.
            raise StopIteration from error

    def run(self) -> None:
        """Serve until told to end."""
        super().run()
        self._gateway.stop()

    @property
    def _gateway(self) -> Gateway:
        app: Any = self.wsgi
        gateway: Gateway = app.extensions[EXTENSION]
        return gateway


class PassingLogger(Logger):  # type: ignore[misc]
    """gunicorn's log, written by our handler instead of its own."""

    def setup(self, cfg: Any) -> None:
        """Leave the lines to whoever listens to all loggers."""
        super().setup(cfg)
        for one in (self.error_log, self.access_log):
            one.handlers[:] = []
            one.propagate = True


class Server(BaseApplication):  # type: ignore[misc]
    """gunicorn, configured by us alone: no files, no variables, no command line."""

    def __init__(
        self, settings: Settings, listener: socket.socket, processes: int, log_style: str = PLAIN
    ) -> None:  # fmt: skip
        # gunicorn takes the descriptor over, and asks for its number again at SIGHUP.
        self._settings, self._descriptor, self._processes = settings, listener.detach(), processes
        self._log_style = log_style
        self._siblings = make_directory() if processes > 1 else None
        #: Which of the gateway's processes this is, from 1; set in each after the fork.
        self.number = 1
        super().__init__()

    def load_config(self) -> None:
        """Set what we want otherwise than gunicorn's defaults."""
        options: dict[str, Any] = {
            "bind": f"fd://{self._descriptor}",
            "workers": self._processes,
            "worker_class": Worker,
            "worker_connections": self._settings.max_connections + SPARE_CONNECTIONS,
            # `Forwarded` alone decides whom to believe; gunicorn would believe whoever is on this machine.
            "forwarded_allow_ips": "",
            "secure_scheme_headers": {},
            "backlog": BACKLOG,
            "graceful_timeout": GRACE,
            "timeout": HUNG,
            "keepalive": KEEP_ALIVE,
            "accesslog": None,
            "loglevel": "warning",
            **({"logger_class": PassingLogger} if self._log_style == JSON else {}),
            "proc_name": "manyhands gateway",
            "control_socket_disable": True,
            "pre_fork": _number,
            "post_fork": self._forked,
            "on_exit": self._tidy,
        }
        for name, value in options.items():
            if name in self.cfg.settings:
                self.cfg.set(name, value)

    def load(self) -> Any:
        """Make a worker process's Flask application; gunicorn calls this after the fork."""
        if self._log_style == JSON:
            hub: Any = gevent.get_hub()
            # What fails in a greenlet would be printed as it is.
            hub.print_exception = lambda _, *failure: log_uncaught(*failure)
        app = create_app(self._settings, gather=self._gather)
        gateway: Gateway = app.extensions[EXTENSION]
        gateway.start()
        if self._siblings is not None:
            answer_siblings(self._siblings, str(self.number), gateway.snapshot)
        _collect_seldom()
        return app

    def _gather(self, gateway: Gateway) -> Mapping[str, Snapshot]:
        if self._siblings is None:
            return alone(gateway)
        return gather(self._siblings, str(self.number), gateway.snapshot)

    def _forked(self, server: Any, worker: Any) -> None:
        """Bind a process to gunicorn's arbiter: left alone, it would hold the port until it notices."""
        die_with(worker.ppid)
        self.number = worker.number

    def _tidy(self, server: Any) -> None:
        if self._siblings is not None:
            remove_directory(self._siblings)


def _number(server: Any, worker: Any) -> None:
    """Give a process that is about to be forked the lowest number that none of the others has.

    It takes the place of one that has died, whose counters then begin again at 0 as Prometheus expects.
    """
    taken = {getattr(one, "number", 0) for one in server.WORKERS.values()}
    worker.number = next(number for number in count(1) if number not in taken)


def run(settings: Settings, host: str, port: int, processes: int, log_style: str = PLAIN) -> int:
    """Check what can be checked before the fork, say where we listen, and serve."""
    configure(log_style, sys.stderr)
    # Asked for here, where a missing one still ends the command with a clear word.
    _ = (settings.redis, settings.broker, settings.secrets, find_directory(settings))
    if settings.weak_keys and not settings.dev:
        log.warning("MANYHANDS_SECRET_KEY holds a key of few different characters, with which anybody can sign tokens")
    listener = listen(host, port)
    settings = replace(settings, max_connections=_allow_many_files(settings.max_connections))
    if log_style == JSON:
        log.info("listening on %s", _url(listener))
    else:
        print(f"manyhands gateway: listening on {_url(listener)}", flush=True)
    try:
        Server(settings, listener, processes, log_style).run()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 1
    return 0


def listen(host: str, port: int) -> socket.socket:
    """Open the listening socket. Raises `PortUnusable`."""
    try:
        host.encode("idna")  # as getaddrinfo does, but in a thread of gevent's, which would print a traceback
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
    except (OSError, UnicodeError) as error:
        raise PortUnusable(host, port, error) from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise PortUnusable(host, port, error) from error
    return listener


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _collect_seldom() -> None:
    """Leave what was loaded out of every collection of garbage, and collect the rest seldom: nearly all of it is freed
    by its reference counts, and with 10,000 connections to look through a collection holds up everybody.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)


def _allow_many_files(connections: int) -> int:
    """Raise the soft limit of open files to the hard one, each socket being a file; give how many sockets fit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if hard == resource.RLIM_INFINITY:
        return connections
    room = max(hard // 2, hard - SPARE_CONNECTIONS - SPARE_FILES)
    if room < connections:
        log.info("a process has room for %d sockets, not %d: it may open %d files", room, connections, hard)
    return min(room, connections)
