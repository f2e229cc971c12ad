"""kafka-python, 2.0 and newer, against one broker. See clients_test.go for the topics it is given; a failure is a Python
traceback and exit status 1.
"""
import argparse
import subprocess
import sys
import threading
import time

import kafka
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, NewPartitions, NewTopic
from kafka.errors import TopicAlreadyExistsError, UnknownTopicOrPartitionError
from kafka.structs import OffsetAndMetadata

p = argparse.ArgumentParser()
p.add_argument("--bootstrap", required=True)
p.add_argument("--topic", required=True)
p.add_argument("--join", help="only be a member of this group, which reads the topic of the same name, until killed")
a = p.parse_args()
DEADLINE = time.time() + 100
VERSION = tuple(int(n) for n in kafka.__version__.split(".")[:2])
COMMON = {"bootstrap_servers": a.bootstrap}


def offset_of(n):
    """2.1 added a leader epoch."""
    return OffsetAndMetadata(n, "", -1) if len(OffsetAndMetadata._fields) == 3 else OffsetAndMetadata(n, "")


def consumer(group=None, **more):
    conf = dict(COMMON, group_id=group, auto_offset_reset="earliest", enable_auto_commit=False, consumer_timeout_ms=30000)
    return KafkaConsumer(**dict(conf, **more))


def take(c, n):
    return [next(c) for _ in range(n)]


def member(topic, **more):
    c = consumer(topic, session_timeout_ms=6000, heartbeat_interval_ms=100, **more)
    c.subscribe([topic])
    return c


def until(members, want):
    """Polls the members until they have so many partitions."""
    while [len(c.assignment()) for c in members] != want:
        assert time.time() < DEADLINE, "%s, want %s" % ([c.assignment() for c in members], want)
        polls = [threading.Thread(target=c.poll, args=(100,)) for c in members]  # a poll waits while the group joins
        for t in polls:
            t.start()
        for t in polls:
            t.join()


def call(admin, *names):
    """The first of the names that this version has."""
    return next(getattr(admin, name) for name in names if hasattr(admin, name))


def create(topic, partitions, **more):
    admin = KafkaAdminClient(**COMMON)
    admin.create_topics([NewTopic(topic, partitions, 1, **more)])
    return admin


def produce_and_consume():
    sent = []
    for codec in ["none", "gzip", "snappy", "lz4", "zstd"]:
        producer = KafkaProducer(compression_type=None if codec == "none" else codec, linger_ms=20, acks="all", **COMMON)
        futures = []
        for i in range(10):
            m = (b"%s-%d" % (codec.encode(), i), b"%s %d " % (codec.encode(), i) * 20, 1600000000000 + i, [("n", b"%d" % i), ("empty", b"")])
            futures.append(producer.send(a.topic, key=m[0], value=m[1], partition=0, timestamp_ms=m[2], headers=m[3]))
            sent.append(m)
        producer.flush(30)
        for i, f in enumerate(futures):
            assert f.get(30).offset == len(sent) - 10 + i, f.get()
        producer.close()
    tp = TopicPartition(a.topic, 0)
    c = consumer(a.topic + "-group")
    c.subscribe([a.topic])
    for i, (m, want) in enumerate(zip(take(c, len(sent)), sent)):
        assert (m.offset, m.partition, m.timestamp_type) == (i, 0, 0), m
        assert (m.key, m.value, m.timestamp, list(m.headers)) == want, m
    c.commit()
    assert c.committed(tp) == len(sent)
    assert c.beginning_offsets([tp]) == {tp: 0} and c.end_offsets([tp]) == {tp: len(sent)}
    assert c.offsets_for_times({tp: 1600000000005})[tp].offset == 5
    c.seek(tp, 25)
    assert next(c).offset == 25
    c.close()
    c = consumer()
    c.assign([TopicPartition(a.topic + "-in", 0)])
    for i, m in enumerate(take(c, 10)):
        assert (m.offset, m.key, m.value, list(m.headers)) == (i, None, b"%d" % i, [("new", b"header")]), m
    c.close()


def rebalance():
    """Two members share four partitions, and the one that stays gets them all."""
    topic = a.topic + "-members"
    create(topic, 4).close()
    first, second = member(topic), member(topic)
    until([first, second], [2, 2])
    assert {tp.partition for c in (first, second) for tp in c.assignment()} == {0, 1, 2, 3}
    second.close()
    until([first], [4])
    first.close()


def crash():
    """A member is killed: the other gets its partitions when the session is over."""
    topic = a.topic + "-crash"
    create(topic, 4).close()
    stays = member(topic)
    until([stays], [4])
    dies = subprocess.Popen([sys.executable, __file__, "--bootstrap", a.bootstrap, "--topic", topic, "--join", topic])
    try:
        until([stays], [2])
    finally:
        dies.kill()
        dies.wait()
    killed = time.time()
    until([stays], [4])
    assert time.time() - killed > 3, "the dead member's partitions were given away at once"
    stays.close()


def join():
    c = member(a.join)
    while True:
        c.poll(1000)


def static_members():
    """A static member goes and comes back to its partitions."""
    topic = a.topic + "-static"
    create(topic, 4).close()
    first, second = member(topic, group_instance_id="first"), member(topic, group_instance_id="second")
    until([first, second], [2, 2])
    had = second.assignment()
    second.close()
    second = member(topic, group_instance_id="second")
    until([first, second], [2, 2])
    assert second.assignment() == had, (had, second.assignment())
    first.close()
    second.close()


def transactions():
    """One is aborted, one is committed with a group's offset."""
    topic, tp = a.topic + "-txn", TopicPartition(a.topic + "-txn", 0)
    create(topic, 1).close()
    producer = KafkaProducer(transactional_id=topic, **COMMON)
    producer.init_transactions()
    for value in b"aborted", b"committed":
        producer.begin_transaction()
        producer.send(topic, value, partition=0).get(30)
        if value == b"aborted":
            producer.abort_transaction()
        else:
            producer.send_offsets_to_transaction({TopicPartition(a.topic + "-in", 0): offset_of(7)}, topic)
            producer.commit_transaction()
    producer.close()
    c = consumer(topic)
    assert c.committed(TopicPartition(a.topic + "-in", 0)) == 7
    c.close()
    for level, want in ("read_committed", [b"committed"]), ("read_uncommitted", [b"aborted", b"committed"]):
        c = consumer(isolation_level=level)
        c.assign([tp])
        got = [m.value for m in take(c, len(want))]
        assert got == want, "%s: %s" % (level, got)
        c.close()


def administration():
    topic = a.topic + "-admin"
    admin = create(topic, 2, topic_configs={"retention.ms": "12345"})
    try:
        admin.create_topics([NewTopic(topic, 2, 1)])
    except TopicAlreadyExistsError:
        pass
    else:
        raise AssertionError("a topic was made twice")
    assert topic in admin.list_topics()
    admin.create_partitions({topic: NewPartitions(3)})
    (described,) = admin.describe_topics([topic])
    assert len(described["partitions"]) == 3, described
    resource = ConfigResource(ConfigResourceType.TOPIC, topic)
    assert "12345" in str(admin.describe_configs([resource]))
    admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, {"retention.ms": "54321"})])
    assert "54321" in str(admin.describe_configs([resource]))
    c = consumer(topic)
    c.assign([TopicPartition(topic, 1)])
    c.commit({TopicPartition(topic, 1): offset_of(0)})
    c.close()
    assert topic in str(call(admin, "list_groups", "list_consumer_groups")())
    assert topic in str(call(admin, "describe_groups", "describe_consumer_groups")([topic]))
    offsets = call(admin, "list_group_offsets", "list_consumer_group_offsets")(topic)
    assert "partition=1" in str(offsets) and "offset=0" in str(offsets), offsets
    call(admin, "delete_groups", "delete_consumer_groups")([topic])
    admin.delete_topics([topic])
    try:
        admin.delete_topics([topic])
    except UnknownTopicOrPartitionError:
        pass
    else:
        raise AssertionError("a topic was deleted twice")
    admin.close()


if a.join:
    join()
failures = []


def run(f):
    try:
        f()
    except BaseException:
        failures.append(f.__name__)
        raise  # the thread prints it


parts = [produce_and_consume, administration]
if VERSION >= (2, 1):
    # In 2.0 a member's own threads may wait for each other's locks when its group rebalances.
    parts += [rebalance, crash, transactions]
if "group_instance_id" in KafkaConsumer.DEFAULT_CONFIG:
    parts.append(static_members)
threads = [threading.Thread(target=run, args=(f,)) for f in parts]
for t in threads:
    t.start()
for t in threads:
    t.join()
if failures:
    raise SystemExit("failed: " + ", ".join(failures))
print("kafka-python", kafka.__version__)
