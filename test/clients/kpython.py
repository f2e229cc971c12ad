"""kafka-python, 2.0 and newer, against one broker. See clients_test.go for the topics it is given; a failure is a Python
traceback and exit status 1.
"""
import argparse
import multiprocessing
import multiprocessing.connection
import time

import kafka
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, NewPartitions, NewTopic
from kafka.errors import TopicAlreadyExistsError, UnknownTopicOrPartitionError
from kafka.structs import OffsetAndMetadata

p = argparse.ArgumentParser()
p.add_argument("--bootstrap", required=True)
p.add_argument("--topic", required=True)
a = p.parse_args()
DEADLINE = time.time() + 100
VERSION = tuple(int(n) for n in kafka.__version__.split(".")[:2])
COMMON = {"bootstrap_servers": a.bootstrap}
# Clients that work at the same time are in processes of their own: in 3.0 two threads that make the class of the same
# message at once can break it, and then nobody in their process hears the broker's answers.
fork = multiprocessing.get_context("fork")


def offset_of(n):
    """2.1 added a leader epoch."""
    return OffsetAndMetadata(n, "", -1) if len(OffsetAndMetadata._fields) == 3 else OffsetAndMetadata(n, "")


def consumer(group=None, **more):
    conf = dict(COMMON, group_id=group, auto_offset_reset="earliest", enable_auto_commit=False, consumer_timeout_ms=30000)
    return KafkaConsumer(**dict(conf, **more))


def take(c, n):
    return [next(c) for _ in range(n)]


class Member:
    """A member of the group that has the topic's name, in a process of its own."""

    def __init__(self, topic, **more):
        self.partitions = set()
        self.pipe, its = fork.Pipe()
        self.process = fork.Process(target=self.run, args=(its, topic), kwargs=more, daemon=True)
        self.process.start()
        its.close()

    def run(self, pipe, topic, **more):
        """Polls, and tells its partitions whenever they are others, until it is told to end."""
        c = consumer(topic, session_timeout_ms=6000, heartbeat_interval_ms=100, **more)
        c.subscribe([topic])
        # 3.0 may join before it knows the partitions. It joins again when it does, but if a poll ends meanwhile it
        # forgets to take the answer: it has no partitions for ever.
        while not c.partitions_for_topic(topic):
            assert time.time() < DEADLINE, "nobody knows the topic"
        has = set()
        while not pipe.poll():
            c.poll(100)
            if c.assignment() != has:
                has = c.assignment()
                pipe.send(has)
        c.close()

    def close(self):
        self.pipe.send("end")
        self.process.join(max(0, DEADLINE - time.time()))
        assert self.process.exitcode == 0, self.process.exitcode

    def kill(self):
        self.process.kill()
        self.process.join()


def until(members, want):
    """Waits until the members have so many partitions."""
    while [len(m.partitions) for m in members] != want:
        told = multiprocessing.connection.wait([m.pipe for m in members], DEADLINE - time.time())
        assert told, "%s, want %s" % ([m.partitions for m in members], want)
        for m in members:
            if m.pipe in told:
                m.partitions = m.pipe.recv()


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
    first, second = Member(topic), Member(topic)
    until([first, second], [2, 2])
    assert {tp.partition for m in (first, second) for tp in m.partitions} == {0, 1, 2, 3}
    second.close()
    until([first], [4])
    first.close()


def crash():
    """A member is killed: the other gets its partitions when the session is over."""
    topic = a.topic + "-crash"
    create(topic, 4).close()
    stays = Member(topic)
    until([stays], [4])
    dies = Member(topic)
    until([stays, dies], [2, 2])
    dies.kill()
    killed = time.time()
    until([stays], [4])
    assert time.time() - killed > 3, "the dead member's partitions were given away at once"
    stays.close()


def static_members():
    """A static member goes and comes back to its partitions."""
    topic = a.topic + "-static"
    create(topic, 4).close()
    first, second = Member(topic, group_instance_id="first"), Member(topic, group_instance_id="second")
    until([first, second], [2, 2])
    had = second.partitions
    second.close()
    second = Member(topic, group_instance_id="second")
    until([first, second], [2, 2])
    assert second.partitions == had, (had, second.partitions)
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


parts = [produce_and_consume, administration]
if VERSION >= (2, 1):
    # In 2.0 a member's own threads may wait for each other's locks when its group rebalances.
    parts += [rebalance, crash, transactions]
if "group_instance_id" in KafkaConsumer.DEFAULT_CONFIG:
    parts.append(static_members)
processes = [fork.Process(target=f, name=f.__name__) for f in parts]
for process in processes:
    process.start()
for process in processes:
    process.join()
failures = [process.name for process in processes if process.exitcode != 0]  # each has printed its traceback
if failures:
    raise SystemExit("failed: " + ", ".join(failures))
print("kafka-python", kafka.__version__)
