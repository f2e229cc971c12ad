"""kafka-python against one broker: lists, produces, consumes in a group. Prints one JSON object; a failure is a Python
traceback and exit status 1.

Options: --bootstrap HOST:PORT --topic T, --api-version 0.10, --codec gzip (repeatable), --admin, --count N, and --read T,
a topic whose values must be "0", "1", ... to N-1.
"""
import argparse
import json
import time

import kafka
from kafka import KafkaConsumer, KafkaProducer, TopicPartition

p = argparse.ArgumentParser()
p.add_argument("--bootstrap", required=True)
p.add_argument("--topic", required=True)
p.add_argument("--group", help="by default, one named for the topic")
p.add_argument("--api-version")
p.add_argument("--codec", action="append")
p.add_argument("--admin", action="store_true", help="list the topics with KafkaAdminClient first, as the notebook does")
p.add_argument("--read", help="a topic that another client wrote")
p.add_argument("--count", type=int, default=10)
a = p.parse_args()

version = tuple(int(n) for n in a.api_version.split(".")) if a.api_version else None
common = {"bootstrap_servers": a.bootstrap}
if version:
    common["api_version"] = version
begin = time.time()
result = {"kafka_python": kafka.__version__, "codecs": []}

if a.admin:
    from kafka import KafkaAdminClient

    admin = KafkaAdminClient(**common)
    result["topics"] = sorted(admin.list_topics())
    admin.close()

sent = []
for codec in a.codec or ["none"]:
    producer = KafkaProducer(
        compression_type=None if codec == "none" else codec, linger_ms=5, acks="all", request_timeout_ms=30000, **common
    )
    futures = []
    for i in range(a.count):
        key, value = b"%s-%d" % (codec.encode(), i), (b"%s %d " % (codec.encode(), i)) * 20
        more = {}
        if version is None or version >= (0, 10):
            more["timestamp_ms"] = 1600000000000 + i
        if version is None or version >= (0, 11):
            more["headers"] = [("n", b"%d" % i)]
        futures.append(producer.send(a.topic, key=key, value=value, partition=0, **more))
        sent.append((key, value, more))
    producer.flush()
    for i, f in enumerate(futures):
        m = f.get(timeout=30)
        want = len(sent) - a.count + i
        assert m.offset == want, "message %d of codec %s has offset %d, want %d" % (i, codec, m.offset, want)
    producer.close()
    result["codecs"].append(codec)

group = None if version == (0, 8, 2) else a.group or "group-" + a.topic
consumer = KafkaConsumer(group_id=group, auto_offset_reset="earliest", enable_auto_commit=False, consumer_timeout_ms=30000, **common)
if group:
    consumer.subscribe([a.topic])
else:
    consumer.assign([TopicPartition(a.topic, 0)])  # groups came with 0.9
got = []
for m in consumer:
    got.append(m)
    if len(got) == len(sent):
        break
assert len(got) == len(sent), "consumed %d messages of %d" % (len(got), len(sent))
for i, (m, (key, value, more)) in enumerate(zip(got, sent)):
    assert m.offset == i, "offset %d, want %d" % (m.offset, i)
    assert (m.key, m.value) == (key, value), "message %d came back as %r" % (i, m)
    if "timestamp_ms" in more:
        assert m.timestamp == more["timestamp_ms"], "timestamp of message %d is %r" % (i, m.timestamp)
    # 2.0 compares (0, 11) with (0, 11, 0), finds it older, and fetches by a version that has no headers yet.
    if "headers" in more and not (version == (0, 11) and kafka.__version__.startswith("2.0")):
        assert list(m.headers) == more["headers"], "headers of message %d are %r" % (i, m.headers)
if group:
    consumer.commit()
    committed = consumer.committed(TopicPartition(a.topic, 0))
    assert committed == len(sent), "committed %r, want %d" % (committed, len(sent))
consumer.close()

if a.read:
    consumer = KafkaConsumer(auto_offset_reset="earliest", consumer_timeout_ms=30000, **common)
    consumer.assign([TopicPartition(a.read, 0)])
    for i in range(a.count):
        m = next(consumer)
        assert (m.offset, m.value) == (i, b"%d" % i), "message %d of %s is %r" % (i, a.read, m)
    consumer.close()

result["messages"] = len(got)
result["seconds"] = round(time.time() - begin, 2)
print(json.dumps(result))
