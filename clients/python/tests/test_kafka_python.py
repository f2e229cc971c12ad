"""The plugin with kafka-python."""

from datetime import timedelta

import pytest
from kafka import KafkaConsumer, KafkaProducer
from kafka.errors import KafkaError

from minibroker import Broker, Problem


def test_what_a_producer_sends_is_in_the_topic(minibroker: Broker) -> None:
    minibroker.create_topic("orders", partitions=2)
    producer = KafkaProducer(bootstrap_servers=minibroker.bootstrap)
    producer.send("orders", b'{"drink":"tea"}', key=b"anna", headers=[("trace", b"abc")], partition=1)
    producer.flush()
    producer.close()
    (record,) = minibroker.wait_for_records("orders", 1)
    assert (record.key, record.json(), record.headers, record.partition) == (b"anna", {"drink": "tea"}, [("trace", b"abc")], 1)


def test_a_test_begins_with_an_empty_broker(minibroker: Broker) -> None:
    assert minibroker.topics() == []
    assert minibroker.call("GET", "/groups") == {"groups": []}


def test_a_consumer_reads_and_commits(minibroker: Broker) -> None:
    minibroker.create_topic("orders")
    for value in ["tea", "coffee", None]:
        minibroker.produce("orders", value, key="anna")
    consumer = KafkaConsumer("orders", bootstrap_servers=minibroker.bootstrap, group_id="billing", auto_offset_reset="earliest", enable_auto_commit=False)
    values = []
    while len(values) < 3:
        for records in consumer.poll(timeout_ms=1000).values():
            values += [record.value for record in records]
    consumer.commit()
    assert values == [b"tea", b"coffee", None]
    minibroker.wait_for_committed("billing", "orders")
    assert minibroker.committed("billing") == {("orders", 0): 3}
    consumer.close()
    minibroker.wait_for_group("billing", state="Empty")
    minibroker.reset_offsets("billing", "orders", to="earliest")
    assert minibroker.committed("billing") == {("orders", 0): 0}


def test_a_producer_tries_again_when_the_leader_changes(minibroker: Broker) -> None:
    minibroker.create_topic("orders")
    fault = minibroker.fail("Produce", "NOT_LEADER_OR_FOLLOWER", topic="orders")
    producer = KafkaProducer(bootstrap_servers=minibroker.bootstrap, retries=5)
    producer.send("orders", b"tea").get(timeout=30)
    producer.close()
    assert fault.hits == 1
    assert [record.value for record in minibroker.records("orders")] == [b"tea"]


def test_an_error_that_no_retry_heals_reaches_the_program(minibroker: Broker) -> None:
    minibroker.create_topic("orders")
    minibroker.fail("Produce", "MESSAGE_TOO_LARGE")
    producer = KafkaProducer(bootstrap_servers=minibroker.bootstrap)
    with pytest.raises(KafkaError):
        producer.send("orders", b"tea").get(timeout=30)
    producer.close()


def test_a_gate_holds_requests_until_it_is_opened(minibroker: Broker) -> None:
    minibroker.create_topic("orders")
    gate = minibroker.hold("Produce")
    producer = KafkaProducer(bootstrap_servers=minibroker.bootstrap)
    sent = producer.send("orders", b"tea")
    gate.wait()
    assert minibroker.records("orders") == []
    gate.release()
    sent.get(timeout=30)
    producer.close()


def test_records_are_gone_after_retention(minibroker: Broker) -> None:
    minibroker.create_topic("orders", configs={"retention.ms": "3600000"})
    minibroker.produce("orders", b"tea")
    minibroker.advance(timedelta(minutes=59))
    assert len(minibroker.records("orders")) == 1
    minibroker.advance(timedelta(minutes=2))
    assert minibroker.records("orders") == []


def test_a_snapshot_brings_a_state_back(minibroker: Broker) -> None:
    minibroker.create_topic("orders")
    minibroker.produce("orders", b"tea")
    minibroker.snapshot("one order")
    minibroker.produce("orders", b"coffee")
    minibroker.restore("one order")
    assert [record.value for record in minibroker.records("orders")] == [b"tea"]


@pytest.mark.minibroker("--topic", "orders:3")
def test_a_marked_test_has_a_broker_of_its_own(minibroker: Broker) -> None:
    assert minibroker.topics() == ["orders"]


def test_a_problem_says_what_to_do(minibroker: Broker) -> None:
    with pytest.raises(Problem, match='There is no topic "nope". GET /api/v1/topics lists') as caught:
        minibroker.records("nope")
    assert (caught.value.status, caught.value.code) == (404, "UNKNOWN_TOPIC_OR_PARTITION")
