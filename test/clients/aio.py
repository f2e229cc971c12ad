"""aiokafka against one broker. See clients_test.go for the topics it is given; a failure is a Python traceback and exit
status 1.
"""
import argparse
import asyncio
import sys
import time

import aiokafka
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic, RecordsToDelete
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor
from aiokafka.errors import OffsetOutOfRangeError, ProducerFenced, for_code

p = argparse.ArgumentParser()
p.add_argument("--bootstrap", required=True)
p.add_argument("--topic", required=True)
p.add_argument("--join", help="only be a member of this group, which reads the topic of the same name, until killed")
a = p.parse_args()
CODECS = [None, "gzip", "snappy", "lz4", "zstd"]


async def take(c, n):
    return [await asyncio.wait_for(c.getone(), 30) for _ in range(n)]


async def produce_and_consume():
    sent = []
    for codec in CODECS:
        async with AIOKafkaProducer(bootstrap_servers=a.bootstrap, compression_type=codec, enable_idempotence=True, linger_ms=20) as producer:
            futures = []
            for i in range(10):
                name = (codec or "none").encode()
                m = (b"%s-%d" % (name, i), b"%s %d " % (name, i) * 20, 1600000000000 + i, (("n", b"%d" % i), ("empty", b"")))
                futures.append(await producer.send(a.topic, m[1], m[0], partition=0, timestamp_ms=m[2], headers=list(m[3])))
                sent.append(m)
            for i, f in enumerate(futures):
                told = await asyncio.wait_for(f, 30)
                # Its timestamp is that of the batch's first message: a mistake of aiokafka 0.14.
                assert told.offset == len(sent) - 10 + i, told
    tp = TopicPartition(a.topic, 0)
    options = dict(bootstrap_servers=a.bootstrap, auto_offset_reset="earliest", enable_auto_commit=False)
    async with AIOKafkaConsumer(a.topic, group_id=a.topic + "-group", **options) as c:
        for i, (m, want) in enumerate(zip(await take(c, len(sent)), sent)):
            assert (m.offset, m.partition, m.timestamp_type) == (i, 0, 0), m
            assert (m.key, m.value, m.timestamp, m.headers) == want, m
        await c.commit()
        assert await c.committed(tp) == len(sent)
        assert await c.position(tp) == len(sent)
        c.seek(tp, 25)
        assert (await c.getone()).offset == 25
        assert await c.beginning_offsets([tp]) == {tp: 0} and await c.end_offsets([tp]) == {tp: len(sent)}
        found = await c.offsets_for_times({tp: 1600000000005})
        assert (found[tp].offset, found[tp].timestamp) == (5, 1600000000005), found
        assert await c.offsets_for_times({tp: 1600000000010}) == {tp: None}
    async with AIOKafkaConsumer(a.topic, group_id=a.topic + "-group", **options) as c:  # begins where the group was
        await c.seek_to_committed()
        assert await c.position(tp) == len(sent)
    async with AIOKafkaConsumer(**dict(options, auto_offset_reset="none")) as c:
        c.assign([tp])
        c.seek(tp, 1000)
        try:
            await asyncio.wait_for(c.getone(), 30)
        except OffsetOutOfRangeError:
            pass
        else:
            raise AssertionError("no error for an offset out of range")
    async with AIOKafkaConsumer(**options) as c:
        c.assign([TopicPartition(a.topic + "-in", 0)])
        for i, m in enumerate(await take(c, 10)):
            assert (m.offset, m.key, m.value, m.headers) == (i, None, b"%d" % i, (("new", b"header"),)), m


async def member(topic, **more):
    c = AIOKafkaConsumer(topic, bootstrap_servers=a.bootstrap, group_id=topic, heartbeat_interval_ms=100, session_timeout_ms=6000, **more)
    await c.start()
    return c


async def until(want, *members):
    """Polls the members until they have so many partitions."""
    async with asyncio.timeout(60):
        while [len(c.assignment()) for c in members] != want:
            await asyncio.gather(*(c.getmany(timeout_ms=50) for c in members))


async def create(topic, partitions):
    admin = AIOKafkaAdminClient(bootstrap_servers=a.bootstrap)
    await admin.start()
    await admin.create_topics([NewTopic(topic, partitions, 1)])
    await admin.close()


async def crash():
    """A member is killed: the other gets its partitions when the session is over."""
    topic = a.topic + "-crash"
    await create(topic, 4)
    stays = await member(topic)
    await until([4], stays)
    dies = await asyncio.create_subprocess_exec(sys.executable, __file__, "--bootstrap", a.bootstrap, "--topic", topic, "--join", topic)
    try:
        await until([2], stays)
    finally:
        dies.kill()
        await dies.wait()
    killed = time.monotonic()
    await until([4], stays)
    assert time.monotonic() - killed > 3, "the dead member's partitions were given away at once"
    await stays.stop()


async def join():
    c = await member(a.join)
    while True:
        await c.getmany(timeout_ms=1000)


async def static_members():
    """A static member goes and comes back: nobody's partitions change."""
    topic = a.topic + "-static"
    await create(topic, 4)
    first = await member(topic, group_instance_id="first")
    await until([4], first)
    second = await member(topic, group_instance_id="second")
    await until([2, 2], first, second)
    had, generation = second.assignment(), first._coordinator.generation
    await second.stop()
    second = await member(topic, group_instance_id="second")
    await until([2, 2], first, second)
    assert second.assignment() == had, (had, second.assignment())
    assert first._coordinator.generation == generation, "the group rebalanced"
    await first.stop()
    await second.stop()


async def transactions():
    topic, tp = a.topic + "-txn", TopicPartition(a.topic + "-txn", 0)
    await create(topic, 1)
    async with AIOKafkaProducer(bootstrap_servers=a.bootstrap, transactional_id=topic) as producer:
        try:
            async with producer.transaction():
                await producer.send_and_wait(topic, b"aborted", partition=0)
                raise ZeroDivisionError
        except ZeroDivisionError:
            pass
        async with producer.transaction():
            await producer.send_and_wait(topic, b"committed", partition=0)
            await producer.send_offsets_to_transaction({TopicPartition(a.topic + "-in", 0): 7}, a.topic + "-txn-group")
        async with AIOKafkaConsumer(bootstrap_servers=a.bootstrap, group_id=a.topic + "-txn-group") as c:
            c.assign([TopicPartition(a.topic + "-in", 0)])
            assert await c.committed(TopicPartition(a.topic + "-in", 0)) == 7
        async with AIOKafkaProducer(bootstrap_servers=a.bootstrap, transactional_id=topic) as newer:  # fences
            try:
                async with producer.transaction():
                    await producer.send_and_wait(topic, b"fenced", partition=0)
            except ProducerFenced:
                pass
            else:
                raise AssertionError("a producer of an older epoch commits")
            async with newer.transaction():
                await newer.send_and_wait(topic, b"last", partition=0)
    for level, want in ("read_committed", [b"committed", b"last"]), ("read_uncommitted", [b"aborted", b"committed", b"last"]):
        async with AIOKafkaConsumer(bootstrap_servers=a.bootstrap, isolation_level=level) as c:
            c.assign([tp])
            await c.seek_to_beginning(tp)
            got = [m.value for m in await take(c, len(want))]
            assert got == want, "%s: %s" % (level, got)


async def rebalance(assignor):
    """Two members share four partitions, and the one that stays gets them all."""
    topic = a.topic + "-" + assignor.name
    admin = AIOKafkaAdminClient(bootstrap_servers=a.bootstrap)
    await admin.start()
    await admin.create_topics([NewTopic(topic, 4, 1)])

    first = await member(topic, partition_assignment_strategy=(assignor,))
    await until([4], first)
    second = await member(topic, partition_assignment_strategy=(assignor,))
    await until([2, 2], first, second)
    assert {tp.partition for c in (first, second) for tp in c.assignment()} == {0, 1, 2, 3}
    described = await admin.describe_consumer_groups([topic])
    ((_, group, state, kind, protocol, members, *_),) = described[0].groups
    assert (group, state, kind, protocol, len(members)) == (topic, "Stable", "consumer", assignor.name, 2), described
    assert (topic, "consumer") in [g[:2] for g in await admin.list_consumer_groups()]
    assert await admin.find_coordinator(topic) == 1
    await second.stop()
    await until([4], first)
    await first.stop()
    await admin.close()


async def administration():
    topic = a.topic + "-admin"
    admin = AIOKafkaAdminClient(bootstrap_servers=a.bootstrap)
    await admin.start()
    new = NewTopic(topic, 2, 1, topic_configs={"retention.ms": "123456789"})
    assert codes(await admin.create_topics([new])) == ["NoError"]
    assert codes(await admin.create_topics([new])) == ["TopicAlreadyExistsError"]
    assert topic in await admin.list_topics()
    (described,) = await admin.describe_topics([topic])
    assert sorted((p["partition"], p["leader"], tuple(p["isr"])) for p in described["partitions"]) == [(0, 1, (1,)), (1, 1, (1,))]
    assert [b["node_id"] for b in (await admin.describe_cluster())["brokers"]] == [1]
    resource = ConfigResource(ConfigResourceType.TOPIC, topic)
    assert await config(admin, resource, "retention.ms") == "123456789"
    await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, configs={"cleanup.policy": "compact,delete"})])
    assert await config(admin, resource, "retention.ms") == "604800000"
    assert await config(admin, resource, "cleanup.policy") == "compact,delete"
    await admin.create_partitions({topic: NewPartitions(3)})
    (described,) = await admin.describe_topics([topic])
    assert len(described["partitions"]) == 3
    async with AIOKafkaProducer(bootstrap_servers=a.bootstrap) as producer:
        for i in range(5):
            told = await producer.send_and_wait(topic, b"%d" % i, b"key", partition=1)
            assert told.offset == i, told
    tp = TopicPartition(topic, 1)
    assert await admin.delete_records({tp: RecordsToDelete(before_offset=3)}) == {tp: 3}
    async with AIOKafkaConsumer(bootstrap_servers=a.bootstrap, group_id=topic, auto_offset_reset="earliest", enable_auto_commit=False) as c:
        c.assign([tp])
        assert [m.value for m in await take(c, 2)] == [b"3", b"4"]
        await c.commit({tp: (4, "a note")})
    offsets = await admin.list_consumer_group_offsets(topic)
    assert (offsets[tp].offset, offsets[tp].metadata) == (4, "a note"), offsets
    assert codes(await admin.delete_topics([topic])) == ["NoError"]
    assert codes(await admin.delete_topics([topic])) == ["UnknownTopicOrPartitionError"]
    assert topic not in await admin.list_topics()
    await admin.close()


def codes(response):
    errors = response.topic_errors if hasattr(response, "topic_errors") else response.topic_error_codes
    return [for_code(e[1]).__name__ for e in errors]


async def config(admin, resource, name):
    (response,) = await admin.describe_configs([resource])
    ((code, _, _, _, entries),) = response.resources
    assert code == 0, response
    return next(e[1] for e in entries if e[0] == name)


async def main():
    async with asyncio.TaskGroup() as group:
        group.create_task(produce_and_consume())
        group.create_task(administration())
        group.create_task(rebalance(RangePartitionAssignor))
        group.create_task(rebalance(StickyPartitionAssignor))
        group.create_task(crash())
        group.create_task(static_members())
        group.create_task(transactions())


asyncio.run(join() if a.join else main())
print("aiokafka", aiokafka.__version__)
