"""confluent-kafka, and so the newest librdkafka, against one broker. See clients_test.go for the topics it is given; a
failure is a Python traceback and exit status 1.
"""
import argparse
import subprocess
import sys
import threading
import time

import confluent_kafka
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka import admin as adm

p = argparse.ArgumentParser()
p.add_argument("--bootstrap", required=True)
p.add_argument("--topic", required=True)
p.add_argument("--join", help="only be a member of this group, which reads the topic of the same name, until killed")
p.add_argument("--protocol", default="classic")
a = p.parse_args()
DEADLINE = time.time() + 100
CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]
COMMON = {"bootstrap.servers": a.bootstrap}
admin = adm.AdminClient(COMMON)


def done(futures):
    """The result of an admin call of one resource."""
    (future,) = futures.values()
    return future.result(30)


def fails(code, call):
    try:
        call()
    except KafkaException as e:
        assert e.args[0].code() == code, "%s, want error %d" % (e, code)
        return
    raise AssertionError("no error, want %d" % code)


def consumer(group, **more):
    conf = dict(COMMON, **{"group.id": group, "auto.offset.reset": "earliest", "enable.auto.commit": False})
    return Consumer(dict(conf, **{k.replace("_", "."): v for k, v in more.items()}))


def take(c, n):
    got = []
    while len(got) < n:
        assert time.time() < DEADLINE, "%d of %d messages came" % (len(got), n)
        m = c.poll(1)
        if m is not None:
            assert m.error() is None, m.error()
            got.append(m)
    return got


def produce_and_consume():
    sent = []
    for codec in CODECS:
        producer = Producer(dict(COMMON, **{"compression.codec": codec, "linger.ms": 20, "enable.idempotence": True}))
        told = []
        for i in range(10):
            key, value = b"%s-%d" % (codec.encode(), i), b"%s %d " % (codec.encode(), i) * 20
            producer.produce(
                a.topic, value, key, partition=0, timestamp=1600000000000 + i, headers=[("n", b"%d" % i), ("null", None)],
                on_delivery=lambda err, m: told.append((err, m.offset())),
            )
            sent.append((key, value, 1600000000000 + i, [("n", b"%d" % i), ("null", None)]))
        assert producer.flush(30) == 0, "%s: messages are left" % codec
        assert told == [(None, len(sent) - 10 + i) for i in range(10)], "%s: told of %s" % (codec, told)
    c = consumer(a.topic + "-group")
    c.subscribe([a.topic])
    got = take(c, len(sent))
    for i, (m, want) in enumerate(zip(got, sent)):
        assert (m.offset(), m.partition()) == (i, 0), "message %d is at %d" % (i, m.offset())
        assert (m.key(), m.value(), m.timestamp()[1], m.headers()) == want, "message %d is %r %r" % (i, m.key(), m.headers())
        assert m.timestamp()[0] == confluent_kafka.TIMESTAMP_CREATE_TIME
    (o,) = c.commit(asynchronous=False)
    assert (o.offset, o.error) == (len(sent), None), o
    (o,) = c.committed([TopicPartition(a.topic, 0)], 30)
    assert o.offset == len(sent), o
    assert c.get_watermark_offsets(TopicPartition(a.topic, 0), 30) == (0, len(sent))
    c.seek(TopicPartition(a.topic, 0, 25))
    assert take(c, 1)[0].offset() == 25
    # The first record of timestamp 1600000000005 or later, and none later than all.
    for at, offset in (1600000000005, 5), (1600000000010, confluent_kafka.OFFSET_END):
        (o,) = c.offsets_for_times([TopicPartition(a.topic, 0, at)], 30)
        assert o.offset == offset, "offset of time %d is %r" % (at, o)
    c.close()

    c = consumer(a.topic + "-other")
    c.assign([TopicPartition(a.topic + "-in", 0, 0)])
    for i, m in enumerate(take(c, 10)):
        assert (m.offset(), m.key(), m.value()) == (i, None, b"%d" % i), "message %d is %r" % (i, m.value())
        assert m.headers() == [("new", b"header")], m.headers()
    c.close()


def until(members, want):
    """Polls the members until they have so many partitions."""
    while [len(c.assignment()) for c in members] != want:
        assert time.time() < DEADLINE, "%s, want %s" % ([c.assignment() for c in members], want)
        for c in members:
            m = c.poll(0.1)
            assert m is None or m.error() is None, m.error()


def rebalance(protocol):
    """Two members share four partitions, and the one that stays gets them all."""
    topic = a.topic + "-" + protocol
    done(admin.create_topics([adm.NewTopic(topic, 4, 1)]))
    first, second = (consumer(topic, partition_assignment_strategy=protocol) for _ in range(2))
    first.subscribe([topic])
    until([first], [4])
    second.subscribe([topic])
    until([first, second], [2, 2])
    parts = sorted(o.partition for c in (first, second) for o in c.assignment())
    assert parts == [0, 1, 2, 3], parts
    group = done(admin.describe_consumer_groups([topic]))
    assert group.state == confluent_kafka.ConsumerGroupState.STABLE, group.state
    assert sorted(len(m.assignment.topic_partitions) for m in group.members) == [2, 2]
    assert group.partition_assignor == protocol, group.partition_assignor
    second.close()
    until([first], [4])
    first.close()
    group = done(admin.describe_consumer_groups([topic]))
    # A group without offsets is forgotten with its last member.
    assert group.state in (confluent_kafka.ConsumerGroupState.EMPTY, confluent_kafka.ConsumerGroupState.DEAD), group.state


def new_protocol():
    """The same by KIP-848, where the broker assigns."""
    topic = a.topic + "-848"
    done(admin.create_topics([adm.NewTopic(topic, 4, 1)]))
    first, second = (consumer(topic, group_protocol="consumer", group_remote_assignor="uniform") for _ in range(2))
    first.subscribe([topic])
    until([first], [4])
    second.subscribe([topic])
    until([first, second], [2, 2])
    assert sorted(o.partition for c in (first, second) for o in c.assignment()) == [0, 1, 2, 3]
    producer = Producer(COMMON)
    for i in range(4):
        producer.produce(topic, b"%d" % i, partition=i)
    producer.flush(30)
    got = take(first, 2) + take(second, 2)
    assert sorted(m.value() for m in got) == [b"0", b"1", b"2", b"3"], got
    for c in first, second:
        assert all(o.error is None for o in c.commit(asynchronous=False))
    group = done(admin.describe_consumer_groups([topic]))
    assert group.type == confluent_kafka.ConsumerGroupType.CONSUMER and group.partition_assignor == "uniform", group.type
    assert group.state == confluent_kafka.ConsumerGroupState.STABLE and len(group.members) == 2, group.state
    second.close()
    until([first], [4])
    first.close()
    listed = done(admin.list_consumer_group_offsets([confluent_kafka.ConsumerGroupTopicPartitions(topic)]))
    assert sorted((o.partition, o.offset) for o in listed.topic_partitions) == [(i, 1) for i in range(4)], listed.topic_partitions


def crash(protocol):
    """A member is killed: the other gets its partitions when the session is over."""
    topic = "%s-crash-%s" % (a.topic, protocol)
    done(admin.create_topics([adm.NewTopic(topic, 4, 1)]))
    if protocol == "consumer":
        stays = consumer(topic, group_protocol=protocol)
    else:
        stays = consumer(topic, session_timeout_ms=6000)
    stays.subscribe([topic])
    until([stays], [4])
    dies = subprocess.Popen([sys.executable, __file__, "--bootstrap", a.bootstrap, "--topic", topic, "--join", topic, "--protocol", protocol])
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
    more = {"group_protocol": "consumer"} if a.protocol == "consumer" else {"session_timeout_ms": 6000}
    c = consumer(a.join, **more)
    c.subscribe([a.join])
    while True:
        c.poll(1)


def static_members(protocol):
    """A static member goes and comes back: nobody's partitions change."""
    topic = "%s-static-%s" % (a.topic, protocol)
    done(admin.create_topics([adm.NewTopic(topic, 4, 1)]))
    revoked = []

    def member(instance):
        c = consumer(topic, group_instance_id=instance, group_protocol=protocol)
        c.subscribe([topic], on_revoke=lambda _, parts: revoked.append((instance, len(parts))))
        return c

    first = member("first")
    until([first], [4])
    second = member("second")
    until([first, second], [2, 2])
    had = sorted(o.partition for o in second.assignment())
    second.close()  # says nothing to the group, or that it comes back
    revoked.clear()
    second = member("second")
    until([first, second], [2, 2])
    assert sorted(o.partition for o in second.assignment()) == had, (had, second.assignment())
    assert revoked == [], revoked
    if protocol == "classic":
        group = done(admin.describe_consumer_groups([topic]))
        assert sorted(m.group_instance_id for m in group.members) == ["first", "second"], group.members
    for c in first, second:
        c.close()


def transactions():
    topic, group = a.topic + "-txn", a.topic + "-txn-group"
    done(admin.create_topics([adm.NewTopic(topic, 1, 1)]))
    producer = Producer(dict(COMMON, **{"transactional.id": topic}))
    producer.init_transactions(30)

    def send(value):
        producer.begin_transaction()
        producer.produce(topic, value, partition=0)
        assert producer.flush(30) == 0

    send(b"aborted")
    producer.abort_transaction(30)
    source = consumer(group)
    send(b"committed")
    producer.send_offsets_to_transaction([TopicPartition(a.topic + "-in", 0, 7)], source.consumer_group_metadata(), 30)
    producer.commit_transaction(30)
    (o,) = source.committed([TopicPartition(a.topic + "-in", 0)], 30)
    assert o.offset == 7, o
    source.close()

    send(b"open")
    described = done(admin.list_offsets({TopicPartition(topic, 0): adm.OffsetSpec.latest()}, isolation_level=confluent_kafka.IsolationLevel.READ_COMMITTED))
    assert described.offset == 4, described  # two records, two markers; the open transaction stands at 4
    newer = Producer(dict(COMMON, **{"transactional.id": topic}))
    newer.init_transactions(30)  # aborts what is open, and fences
    try:
        producer.commit_transaction(30)
    except KafkaException as e:
        assert e.args[0].fatal(), e
    else:
        raise AssertionError("a producer of an older epoch commits")
    newer.begin_transaction()
    newer.produce(topic, b"last", partition=0)
    newer.commit_transaction(30)
    for level, want in ("read_committed", [b"committed", b"last"]), ("read_uncommitted", [b"aborted", b"committed", b"open", b"last"]):
        c = consumer(group, isolation_level=level)
        c.assign([TopicPartition(topic, 0, 0)])
        got = [m.value() for m in take(c, len(want))]
        assert got == want, "%s: %s" % (level, got)
        c.close()


def administration():
    topic = a.topic + "-admin"
    new = lambda: done(admin.create_topics([adm.NewTopic(topic, 2, 1, config={"retention.ms": "123456789"})]))
    new()
    fails(KafkaError.TOPIC_ALREADY_EXISTS, new)
    fails(KafkaError.TOPIC_EXCEPTION, lambda: done(admin.create_topics([adm.NewTopic("a b", 1, 1)])))
    fails(KafkaError.INVALID_REPLICATION_FACTOR, lambda: done(admin.create_topics([adm.NewTopic(topic + "2", 1, 3)])))
    fails(KafkaError.INVALID_CONFIG, lambda: done(admin.create_topics([adm.NewTopic(topic + "2", 1, 1, config={"no": "1"})])))
    meta = admin.list_topics(timeout=30)
    assert sorted(meta.topics[topic].partitions) == [0, 1], meta.topics[topic].partitions
    assert [b.id for b in meta.brokers.values()] == [1] and meta.cluster_id
    described = done(admin.describe_topics(confluent_kafka.TopicCollection([topic])))
    assert len(described.partitions) == 2 and not described.is_internal and str(described.topic_id), described
    assert [(p.id, p.leader.id, len(p.isr)) for p in described.partitions] == [(0, 1, 1), (1, 1, 1)]
    cluster = admin.describe_cluster(request_timeout=30).result(30)
    assert [n.id for n in cluster.nodes] == [1] and cluster.cluster_id == meta.cluster_id, cluster

    resource = adm.ConfigResource(adm.ConfigResource.Type.TOPIC, topic)
    config = done(admin.describe_configs([resource]))
    entry = config["retention.ms"]
    assert (entry.value, entry.is_default) == ("123456789", False) and entry.synonyms, entry
    assert entry.source == adm.ConfigSource.DYNAMIC_TOPIC_CONFIG.value, entry.source
    assert config["cleanup.policy"].value == "delete" and config["cleanup.policy"].is_default
    changed = adm.ConfigResource(adm.ConfigResource.Type.TOPIC, topic, incremental_configs=[
        adm.ConfigEntry("retention.ms", None, incremental_operation=adm.AlterConfigOpType.DELETE),
        adm.ConfigEntry("cleanup.policy", "compact", incremental_operation=adm.AlterConfigOpType.APPEND),
    ])
    done(admin.incremental_alter_configs([changed]))
    config = done(admin.describe_configs([resource]))
    assert (config["retention.ms"].value, config["cleanup.policy"].value) == ("604800000", "delete,compact"), config
    broker = done(admin.describe_configs([adm.ConfigResource(adm.ConfigResource.Type.BROKER, "1")]))
    assert "log.retention.hours" in broker

    done(admin.create_partitions([adm.NewPartitions(topic, 3)]))
    assert len(admin.list_topics(topic, 30).topics[topic].partitions) == 3
    fails(KafkaError.INVALID_PARTITIONS, lambda: done(admin.create_partitions([adm.NewPartitions(topic, 1)])))

    producer, errors = Producer(COMMON), []
    for i in range(5):
        producer.produce(topic, b"%d" % i, b"key", partition=1, on_delivery=lambda err, m: errors.append(err))
    producer.flush(30)
    assert errors == [None] * 5, errors
    # A compacted topic takes no message without a key.
    producer.produce(topic, b"no key", partition=1, on_delivery=lambda err, m: errors.append(err.code()))
    producer.flush(30)
    assert errors[5:] == [KafkaError.INVALID_RECORD], errors
    deleted = done(admin.delete_records([TopicPartition(topic, 1, 3)]))
    assert deleted.low_watermark == 3, deleted
    for spec, offset in (adm.OffsetSpec.earliest(), 3), (adm.OffsetSpec.latest(), 5):
        listed = done(admin.list_offsets({TopicPartition(topic, 1): spec}))
        assert listed.offset == offset, listed
    c = consumer(topic)
    c.assign([TopicPartition(topic, 1, 0)])  # out of range: begins at the log's start
    assert [m.value() for m in take(c, 2)] == [b"3", b"4"]
    c.close()

    tp = TopicPartition(topic, 1, 4)
    done(admin.alter_consumer_group_offsets([confluent_kafka.ConsumerGroupTopicPartitions(topic, [tp])]))
    got = done(admin.list_consumer_group_offsets([confluent_kafka.ConsumerGroupTopicPartitions(topic)]))
    assert [(o.partition, o.offset) for o in got.topic_partitions] == [(1, 4)], got.topic_partitions
    groups = admin.list_consumer_groups(request_timeout=30).result(30)
    assert not groups.errors and topic in [g.group_id for g in groups.valid]
    done(admin.delete_consumer_groups([topic]))
    fails(KafkaError.GROUP_ID_NOT_FOUND, lambda: done(admin.delete_consumer_groups([topic])))
    done(admin.delete_topics([topic]))
    fails(KafkaError.UNKNOWN_TOPIC_OR_PART, lambda: done(admin.delete_topics([topic])))
    assert topic not in admin.list_topics(timeout=30).topics


if a.join:
    join()
failures = []


def run(f, *args):
    try:
        f(*args)
    except BaseException:
        failures.append(f.__name__)
        raise  # the thread prints it


threads = [threading.Thread(target=run, args=args) for args in (
    (produce_and_consume,), (administration,), (rebalance, "range"), (rebalance, "cooperative-sticky"),
    (new_protocol,), (crash, "classic"), (crash, "consumer"), (static_members, "classic"), (static_members, "consumer"), (transactions,))]
for t in threads:
    t.start()
for t in threads:
    t.join()
if failures:
    raise SystemExit("failed: " + ", ".join(failures))
print("confluent-kafka", confluent_kafka.__version__, "librdkafka", confluent_kafka.libversion()[0])
