"""Fixtures for pytest.

``minibroker`` is a broker that is empty when a test begins. Faults that a test asks for and that never happen fail it,
and a test that fails shows the last requests. ``minibroker_session`` is one broker for all tests of a process, whose
content stays. ``@pytest.mark.minibroker("--topic", "orders:3")`` gives a test a broker with flags of its own.
"""

from __future__ import annotations

from typing import Any, Generator, Iterator, List, Tuple

import pytest

from ._broker import Broker, start

_LINES = 50  # of the transcript, shown when a test fails

_brokers = pytest.StashKey[List[Tuple[Broker, int]]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addini("minibroker_flags", "flags of the minibroker program for all brokers, such as --topic orders:3", type="args", default=[])


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "minibroker(*flags): the test's own broker, started with these flags")


def _watch(request: pytest.FixtureRequest, broker: Broker) -> None:
    """Have the transcript of a broker shown if the test fails."""
    request.node.stash.setdefault(_brokers, []).append((broker, broker.last_request()))


class _Shared:
    """The broker that tests use one after the other."""

    def __init__(self, flags: List[str]) -> None:
        self.flags = flags
        self.broker = start(*flags)

    def fresh(self) -> Broker:
        if not self.broker.running:
            self.broker.close()
            self.broker = start(*self.flags)
        self.broker.reset()
        return self.broker


@pytest.fixture(scope="session")
def _minibroker_shared(pytestconfig: pytest.Config) -> Iterator[_Shared]:
    shared = _Shared(pytestconfig.getini("minibroker_flags"))
    yield shared
    shared.broker.close()


@pytest.fixture
def minibroker(request: pytest.FixtureRequest) -> Iterator[Broker]:
    """A broker that is empty."""
    mark = request.node.get_closest_marker("minibroker")
    if mark is not None:
        broker = start(*request.config.getini("minibroker_flags"), *mark.args)
    else:
        broker = request.getfixturevalue("_minibroker_shared").fresh()
    _watch(request, broker)
    yield broker
    missed = broker.missed_faults() if broker.running else []
    if mark is not None:
        broker.close()
    if missed:
        pytest.fail("a fault never happened: " + "; ".join(missed), pytrace=False)


@pytest.fixture(scope="session")
def minibroker_session(pytestconfig: pytest.Config) -> Iterator[Broker]:
    """One broker for all tests of the process. What they leave stays."""
    with start(*pytestconfig.getini("minibroker_flags")) as broker:
        yield broker


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[Any]) -> Generator[None, Any, None]:
    outcome = yield
    report = outcome.get_result()
    if not report.failed:
        return
    none: List[Tuple[Broker, int]] = []
    kept = item.stash.get(_brokers, none)
    watched = list(kept)
    session = getattr(item, "funcargs", {}).get("minibroker_session")
    if session is not None:
        watched.append((session, 0))
    for broker, after in watched:
        try:
            lines = broker.transcript(after)[-_LINES:]
        except OSError:  # it is gone
            lines = []
        if not broker.running:
            report.sections.append(("minibroker log", "".join(broker.log[-_LINES:])))
        elif lines:
            report.sections.append((f"minibroker: the last {len(lines)} requests", "\n".join(lines)))
