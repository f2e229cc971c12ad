"""kafka-python or confluent-kafka logs in, by a port that speaks --protocol: it writes to both partitions of the topic,
reads them in a group and commits, and is not let in with a wrong password. See secure_test.go; a failure is a Python
traceback and exit status 1.
"""
import argparse
import time

p = argparse.ArgumentParser()
p.add_argument("--client", required=True)
p.add_argument("--bootstrap", required=True)
p.add_argument("--topic", required=True)
p.add_argument("--protocol", required=True)
p.add_argument("--mechanism", required=True)
p.add_argument("--ca", required=True)
a = p.parse_args()
SENT = sorted(b"%d" % i for i in range(10))


def kafka_python():
    from kafka import KafkaConsumer, KafkaProducer, TopicPartition
    from kafka.errors import KafkaError

    login = dict(bootstrap_servers=a.bootstrap.split(","), security_protocol=a.protocol, sasl_mechanism=a.mechanism, sasl_plain_username="anna")
    if a.protocol == "SASL_SSL":
        login["ssl_cafile"] = a.ca
    right = dict(login, sasl_plain_password="secret")
    producer = KafkaProducer(**right)
    sent = [producer.send(a.topic, value, partition=i % 2) for i, value in enumerate(SENT)]
    for future in sent:
        future.get(30)
    producer.close()
    c = KafkaConsumer(group_id=a.topic, auto_offset_reset="earliest", enable_auto_commit=False, consumer_timeout_ms=30000, **right)
    # Once it is in a group its heartbeat thread may take the answer to a login on a new connection, which then waits
    # for request_timeout_ms (305 s): it connects to both brokers before.
    c.end_offsets([TopicPartition(a.topic, 0), TopicPartition(a.topic, 1)])
    c.subscribe([a.topic])
    got = sorted(next(c).value for _ in SENT)
    assert got == SENT, got
    c.commit()
    c.close()
    try:
        KafkaProducer(sasl_plain_password="wrong", max_block_ms=3000, **login).send(a.topic, b"wrong").get(10)
    except KafkaError:
        pass
    else:
        raise AssertionError("a wrong password was let in")


def confluent_kafka():
    from confluent_kafka import Consumer, KafkaError, Producer

    login = {"bootstrap.servers": a.bootstrap, "security.protocol": a.protocol, "sasl.mechanism": a.mechanism, "sasl.username": "anna"}
    if a.protocol == "SASL_SSL":
        login["ssl.ca.location"] = a.ca
    right = dict(login, **{"sasl.password": "secret"})
    producer = Producer(right)
    for i, value in enumerate(SENT):
        producer.produce(a.topic, value, partition=i % 2)
    assert producer.flush(30) == 0, "messages are left"
    c = Consumer(dict(right, **{"group.id": a.topic, "auto.offset.reset": "earliest", "enable.auto.commit": False}))
    c.subscribe([a.topic])
    got, until = [], time.time() + 60
    while len(got) < len(SENT):
        assert time.time() < until, "%d of %d messages came" % (len(got), len(SENT))
        m = c.poll(1)
        if m is not None:
            assert m.error() is None, m.error()
            got.append(m.value())
    assert sorted(got) == SENT, got
    c.commit(asynchronous=False)
    c.close()
    errors = []
    stranger = Producer(dict(login, **{"sasl.password": "wrong", "error_cb": errors.append}))
    while KafkaError._AUTHENTICATION not in [e.code() for e in errors]:
        assert time.time() < until, "a wrong password is told as %s" % errors
        stranger.poll(0.1)


{"kafka-python": kafka_python, "confluent-kafka": confluent_kafka}[a.client]()
