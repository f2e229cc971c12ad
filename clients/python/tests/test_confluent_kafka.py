"""The plugin with confluent-kafka, which is librdkafka."""

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
