// kafkajs against one broker. See clients_test.go for the topics it is given; a failure is a stack trace and exit status 1.
const assert = require('node:assert/strict');
const { Kafka, CompressionTypes, CompressionCodecs, ConfigResourceTypes, AssignerProtocol, logLevel } = require('kafkajs');

CompressionCodecs[CompressionTypes.Snappy] = require('kafkajs-snappy');
const option = (name) => process.argv[process.argv.indexOf(name) + 1];
const topic = option('--topic');
const kafka = new Kafka({ brokers: [option('--bootstrap')], logLevel: logLevel.NOTHING, retry: { initialRetryTime: 50 } });
const codecs = ['none', 'gzip', 'snappy'];
const fails = (type, promise) => assert.rejects(promise, (e) => { assert.equal((e.errors || [e])[0].type, type); return true; });

// consume reads a topic in a group until n messages have come; then it commits through done, if given.
async function consume(name, groupId, n, done) {
  const consumer = kafka.consumer({ groupId, heartbeatInterval: 100, maxWaitTimeInMs: 100 });
  await consumer.connect();
  await consumer.subscribe({ topics: [name], fromBeginning: true });
  const got = [];
  await new Promise((resolve, reject) => {
    consumer.on(consumer.events.CRASH, (e) => reject(e.payload.error));
    consumer.run({ autoCommit: false, eachMessage: async ({ partition, message }) => {
      assert.equal(partition, 0);
      if (got.push(message) === n) resolve();
    } }).catch(reject);
  });
  if (done) await done(consumer);
  await consumer.disconnect();
  return got;
}

async function produceAndConsume() {
  const producer = kafka.producer({ idempotent: true, maxInFlightRequests: 1 });
  await producer.connect();
  const sent = [];
  for (const codec of codecs) {
    const messages = [...Array(10).keys()].map((i) => ({
      key: `${codec}-${i}`, value: `${codec} ${i} `.repeat(20), partition: 0, timestamp: `${1600000000000 + i}`, headers: { n: `${i}` },
    }));
    const [told] = await producer.send({ topic, messages, acks: -1, compression: CompressionTypes[{ none: 'None', gzip: 'GZIP', snappy: 'Snappy' }[codec]] });
    assert.equal(told.baseOffset, `${sent.length}`);
    sent.push(...messages);
  }
  await producer.disconnect();
  const got = await consume(topic, topic + '-group', sent.length, (c) => c.commitOffsets([{ topic, partition: 0, offset: `${sent.length}`, metadata: 'a note' }]));
  got.forEach((m, i) => {
    const want = sent[i];
    assert.deepEqual([m.offset, `${m.key}`, `${m.value}`, m.timestamp, `${m.headers.n}`], [`${i}`, want.key, want.value, want.timestamp, want.headers.n]);
  });
  const read = await consume(topic + '-in', topic + '-other', 10);
  read.forEach((m, i) => assert.deepEqual([m.offset, `${m.value}`, `${m.headers.new}`], [`${i}`, `${i}`, 'header']));
}

// Two members share four partitions, and the one that stays gets them all.
async function rebalance() {
  const groupId = topic + '-members';
  const join = async () => {
    const consumer = kafka.consumer({ groupId, heartbeatInterval: 100, rebalanceTimeout: 10000, maxWaitTimeInMs: 100 });
    const seen = [];
    let wake = () => {};
    consumer.on(consumer.events.GROUP_JOIN, (e) => { seen.push((e.payload.memberAssignment[topic + '-shared'] || []).length); wake(); });
    await consumer.connect();
    await consumer.subscribe({ topics: [topic + '-shared'] });
    await consumer.run({ eachMessage: async () => {} });
    const until = async (n) => {
      while (!seen.includes(n)) await new Promise((resolve) => { wake = resolve; });
      seen.length = 0;
    };
    return { consumer, until };
  };
  const first = await join();
  await first.until(4);
  const second = await join();
  await Promise.all([first.until(2), second.until(2)]);
  const admin = kafka.admin();
  await admin.connect();
  const { groups: [group] } = await admin.describeGroups([groupId]);
  assert.deepEqual([group.state, group.members.length, group.protocol], ['Stable', 2, 'RoundRobinAssigner']);
  const parts = group.members.flatMap((m) => AssignerProtocol.MemberAssignment.decode(m.memberAssignment).assignment[topic + '-shared']);
  assert.deepEqual(parts.sort(), [0, 1, 2, 3]);
  await admin.disconnect();
  await second.consumer.disconnect();
  await first.until(4);
  await first.consumer.disconnect();
}

// One transaction is aborted, one committed with a group's offset; a second producer of the same id fences the first.
async function transactions() {
  const name = topic + '-txn';
  const admin = kafka.admin();
  await admin.connect();
  await admin.createTopics({ topics: [{ topic: name, numPartitions: 1 }] });
  const connect = async () => {
    const p = kafka.producer({ transactionalId: name, idempotent: true, maxInFlightRequests: 1 });
    await p.connect();
    return p;
  };
  const send = async (p, value) => {
    const t = await p.transaction();
    await t.send({ topic: name, messages: [{ value, partition: 0 }] });
    return t;
  };
  const old = await connect();
  await (await send(old, 'aborted')).abort();
  const t = await send(old, 'committed');
  await t.sendOffsets({ consumerGroupId: name, topics: [{ topic: topic + '-in', partitions: [{ partition: 0, offset: '7' }] }] });
  await t.commit();
  const [offsets] = await admin.fetchOffsets({ groupId: name, topics: [topic + '-in'] });
  assert.equal(offsets.partitions[0].offset, '7');
  const newer = await connect();
  await (await send(newer, 'last')).commit();
  await assert.rejects(send(old, 'fenced'));
  await Promise.all([old.disconnect(), newer.disconnect(), admin.disconnect()]);
  const got = await consume(name, name + '-reader', 2);
  assert.deepEqual(got.map((m) => `${m.value}`), ['committed', 'last']);
}

async function administration() {
  const name = topic + '-admin';
  const admin = kafka.admin();
  await admin.connect();
  const create = () => admin.createTopics({ topics: [{ topic: name, numPartitions: 2, configEntries: [{ name: 'retention.ms', value: '123456789' }] }] });
  assert.equal(await create(), true);
  assert.equal(await create(), false); // it is there
  await fails('INVALID_REPLICATION_FACTOR', admin.createTopics({ topics: [{ topic: name + '2', replicationFactor: 3 }] }));
  await admin.createPartitions({ topicPartitions: [{ topic: name, count: 3 }] });
  const { topics: [described] } = await admin.fetchTopicMetadata({ topics: [name] });
  assert.deepEqual(described.partitions.map((p) => [p.partitionId, p.leader, p.isr]).sort(), [[0, 1, [1]], [1, 1, [1]], [2, 1, [1]]]);
  const resource = { type: ConfigResourceTypes.TOPIC, name };
  const config = async (n) => (await admin.describeConfigs({ resources: [{ ...resource, configNames: [n] }] })).resources[0].configEntries[0].configValue;
  assert.equal(await config('retention.ms'), '123456789');
  await admin.alterConfigs({ resources: [{ ...resource, configEntries: [{ name: 'cleanup.policy', value: 'compact' }] }] });
  assert.equal(await config('cleanup.policy'), 'compact');
  assert.equal(await config('retention.ms'), '604800000');
  const cluster = await admin.describeCluster();
  assert.deepEqual([cluster.brokers.length, cluster.controller], [1, 1]);
  await admin.setOffsets({ groupId: name, topic: name, partitions: [{ partition: 1, offset: '0' }] });
  const [offsets] = await admin.fetchOffsets({ groupId: name, topics: [name] });
  assert.equal(offsets.partitions.find((p) => p.partition === 1).offset, '0');
  assert.ok((await admin.listGroups()).groups.some((g) => g.groupId === name));
  await admin.deleteGroups([name]);
  await fails('GROUP_ID_NOT_FOUND', admin.deleteGroups([name]).catch((e) => { throw e.groups[0].error; }));
  await admin.deleteTopics({ topics: [name] });
  assert.ok(!(await admin.listTopics()).includes(name));
  await admin.disconnect();
}

Promise.all([produceAndConsume(), rebalance(), administration(), transactions()]).then(
  () => { console.log('kafkajs', require('kafkajs/package.json').version); process.exit(0); },
  (e) => { console.error(e); process.exit(1); },
);
