"""What the plugin says about tests that fail."""

import os

import pytest

import minibroker


def run(pytester: pytest.Pytester, text: str, *flags: str) -> pytest.RunResult:
    pytester.makepyfile(text)
    return pytester.runpytest_subprocess("-p", "no:cacheprovider", *flags)


def test_a_failed_test_shows_the_last_requests(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
        from kafka import KafkaProducer

        def test_it(minibroker):
            minibroker.create_topic("orders")
            producer = KafkaProducer(bootstrap_servers=minibroker.bootstrap)
            producer.send("orders", b"tea").get(timeout=30)
            producer.close()
            assert False

        def test_other(minibroker):
            assert False
        """,
    )
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(["*minibroker: the last * requests*", "*Produce v*: orders-0 stored at 0 *"])
    assert result.stdout.str().count("orders-0 stored at 0") == 1, "the second test shows requests of the first"


def test_a_fault_that_never_happened_fails_its_test_by_name(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
        def test_it(minibroker):
            minibroker.fail("Produce", "NOT_LEADER_OR_FOLLOWER", topic="orders")

        def test_optional(minibroker):
            minibroker.fail("Produce", "NOT_LEADER_OR_FOLLOWER", optional=True)

        def test_removed(minibroker):
            minibroker.drop("Fetch").remove()
        """,
    )
    result.assert_outcomes(passed=3, errors=1)
    result.stdout.fnmatch_lines(['*a fault never happened: fail Produce with NOT_LEADER_FOR_PARTITION on topic "orders"*'])


def test_processes_of_xdist_share_nothing(pytester: pytest.Pytester) -> None:
    pytest.importorskip("xdist") if os.environ.get("CI") != "true" else __import__("xdist")
    result = run(
        pytester,
        """
        import pytest

        @pytest.mark.parametrize("n", range(20))
        def test_it(minibroker, n):
            assert minibroker.topics() == []
            minibroker.create_topic("orders")
            minibroker.produce("orders", str(n))
            assert [r.value for r in minibroker.records("orders")] == [str(n).encode()]
        """,
        "-n",
        "2",
    )
    result.assert_outcomes(passed=20)


def test_flags_of_the_project_count_for_all_brokers(pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\nminibroker_flags = --topic orders:3")
    result = run(
        pytester,
        """
        def test_it(minibroker, minibroker_session):
            assert minibroker.topics() == minibroker_session.topics() == ["orders"]
        """,
    )
    result.assert_outcomes(passed=1)


def test_a_broker_that_cannot_start_says_why() -> None:
    with pytest.raises(RuntimeError, match="minibroker did not start: .*unknown flag: --nope"):
        minibroker.start("--nope")


def test_a_broker_that_died_is_replaced(minibroker: minibroker.Broker) -> None:
    minibroker.close()
    assert not minibroker.running


def test_the_next_test_has_one_again(minibroker: minibroker.Broker) -> None:
    assert minibroker.running and minibroker.topics() == []
