"""The plugin with confluent-kafka, which is librdkafka."""

import pytest
from confluent_kafka import Consumer, KafkaError, Producer

from minibroker import Broker


def test_a_lost_answer_writes_once_with_idempotence_and_twice_without(minibroker: Broker) -> None:
    for name, idempotent in [("once", True), ("twice", False)]:
        minibroker.create_topic(name)
        fault = minibroker.lose_answer("Produce", topic=name)
        producer = Producer({"bootstrap.servers": minibroker.bootstrap, "enable.idempotence": idempotent, "retry.backoff.ms": 10})
        producer.produce(name, b"tea")
        assert producer.flush(30) == 0
        assert fault.hits == 1
    assert len(minibroker.records("once")) == 1
    assert len(minibroker.records("twice")) == 2


def test_a_consumer_whose_session_is_over_is_out_of_its_group(minibroker: Broker) -> None:
    minibroker.create_topic("orders")
    minibroker.produce("orders", b"tea")
    consumer = Consumer({"bootstrap.servers": minibroker.bootstrap, "group.id": "billing", "auto.offset.reset": "earliest", "session.timeout.ms": 45000})
    consumer.subscribe(["orders"])
    message = None
    while message is None or message.error() is not None:
        message = consumer.poll(1)
    assert message.value() == b"tea"
    minibroker.wait_for_group("billing", members=1)
    gate = minibroker.hold("Heartbeat", group="billing")
    gate.wait(timeout=30)
    minibroker.advance(60)
    minibroker.wait_for_group("billing", state="Empty")
    gate.release()
    consumer.close()


def test_a_program_sees_an_error_that_stays(minibroker: Broker) -> None:
    minibroker.create_topic("orders")
    minibroker.fail("Produce", "TOPIC_AUTHORIZATION_FAILED", topic="orders")
    errors = []
    producer = Producer({"bootstrap.servers": minibroker.bootstrap})
    producer.produce("orders", b"tea", on_delivery=lambda error, _: errors.append(error.code()))
    producer.flush(30)
    assert errors == [KafkaError.TOPIC_AUTHORIZATION_FAILED]


def test_the_brokers_of_a_session_and_of_a_test_are_two(minibroker: Broker, minibroker_session: Broker) -> None:
    assert minibroker.bootstrap != minibroker_session.bootstrap
    minibroker_session.create_topic("kept")


def test_what_is_in_the_broker_of_the_session_stays(minibroker_session: Broker) -> None:
    if "kept" not in minibroker_session.topics():  # this test runs alone, or in another process
        minibroker_session.create_topic("kept")
    minibroker_session.produce("kept", b"tea")
    assert len(minibroker_session.records("kept")) >= 1


def test_an_open_transaction_is_seen_and_its_records_are_not(minibroker: Broker) -> None:
    minibroker.create_topic("orders")
    producer = Producer({"bootstrap.servers": minibroker.bootstrap, "transactional.id": "shop", "client.id": "till"})
    producer.init_transactions(30)
    minibroker.wait_for_client("till")
    producer.begin_transaction()
    producer.produce("orders", b"tea")
    producer.flush(30)
    minibroker.wait_for_transaction("shop", "Ongoing")
    assert [open["id"] for open in minibroker.transactions(open=True)] == ["shop"]
    assert len(minibroker.records("orders")) == 1 and minibroker.records("orders", committed=True) == []
    producer.commit_transaction(30)
    minibroker.wait_for_transaction("shop", "CompleteCommit")
    assert minibroker.transactions(open=True) == [] and len(minibroker.records("orders", committed=True)) == 1


@pytest.mark.minibroker("--brokers", "3", "--set", "default.replication.factor=3", "--topic", "orders:1")
def test_a_producer_goes_on_when_brokers_stop_and_the_network_is_slow(minibroker: Broker) -> None:
    minibroker.move_leader("orders", 0, 2)
    minibroker.stop_broker(2)
    slow = minibroker.slow_request("Produce", rate=10_000, topic="orders")
    cut = minibroker.cut_answer("Produce", after=1)
    producer = Producer({"bootstrap.servers": minibroker.bootstrap, "enable.idempotence": True, "retry.backoff.ms": 10})
    for drink in [b"tea", b"coffee"]:
        producer.produce("orders", drink)
        assert producer.flush(30) == 0
    assert (slow.hits, cut.hits) == (1, 1)
    minibroker.start_broker(2)
    assert [record.value for record in minibroker.records("orders")] == [b"tea", b"coffee"]
