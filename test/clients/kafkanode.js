// kafka-node, whose protocol is that of Kafka 0.8 to 0.11, against one broker. See clients_test.go for the topics it is
// given; a failure is a stack trace and exit status 1.
const assert = require('node:assert/strict');
const { once } = require('node:events');
const { promisify } = require('node:util');
const kafka = require('kafka-node');

const option = (name) => process.argv[process.argv.indexOf(name) + 1];
const topic = option('--topic'), kafkaHost = option('--bootstrap');
const codecs = ['none', 'gzip']; // attributes 0 and 1 of a message set
const call = (object, method, ...args) => promisify(object[method]).apply(object, args);
const place = { topic, partition: 0 };

async function produce(client) {
  const producer = new kafka.Producer(client, { requireAcks: 1 }); // ready, as its client is
  for (const [attributes, codec] of codecs.entries()) {
    for (let i = 0; i < 10; i++) {
      const value = `${codec} ${i} `.repeat(20);
      const told = await call(producer, 'send', [{ ...place, key: `${codec}-${i}`, messages: [value], attributes, timestamp: 1600000000000 + i }]);
      assert.deepEqual(told, { [topic]: { 0: 10 * attributes + i } });
    }
  }
}

// take resolves to the next n messages of a consumer of either kind.
const take = (consumer, n) => new Promise((resolve, reject) => {
  const got = [];
  consumer.on('error', reject);
  consumer.on('message', (m) => { if (got.push(m) === n) resolve(got); });
});

const member = (groupId, name) => new kafka.ConsumerGroup({
  kafkaHost, groupId, fromOffset: 'earliest', protocol: ['roundrobin'], autoCommit: false, heartbeatInterval: 100, retryMinTimeout: 100,
}, name);

async function consume() {
  const total = 10 * codecs.length;
  const group = member(topic + '-group', topic);
  const got = await take(group, total);
  got.forEach((m, offset) => {
    const codec = codecs[Math.floor(offset / 10)], i = offset % 10;
    assert.deepEqual([m.offset, `${m.key}`, m.value, m.timestamp.getTime()], [offset, `${codec}-${i}`, `${codec} ${i} `.repeat(20), 1600000000000 + i]);
  });
  await call(group, 'commit', true);
  await call(group, 'close', false);

  // A consumer without a group starts where it is told; a client has one of them at a time.
  const from = (name, offset) => new kafka.Consumer(new kafka.KafkaClient({ kafkaHost }), [{ topic: name, partition: 0, offset }], { fromOffset: true, autoCommit: false });
  assert.deepEqual((await take(from(topic, 15), 5)).map((m) => m.offset), [15, 16, 17, 18, 19]);
  assert.deepEqual((await take(from(topic + '-in', 0), 10)).map((m) => m.value), [...'0123456789']);
}

async function offsets(client) {
  const offset = new kafka.Offset(client);
  assert.deepEqual(await call(offset, 'fetchLatestOffsets', [topic]), { [topic]: { 0: 10 * codecs.length } });
  assert.deepEqual(await call(offset, 'fetchEarliestOffsets', [topic]), { [topic]: { 0: 0 } });
  await call(offset, 'commit', topic + '-old', [{ ...place, offset: 7, metadata: 'a note' }]);
  for (const fetch of ['fetchCommits', 'fetchCommitsV1']) {
    assert.deepEqual(await call(offset, fetch, topic + '-old', [place]), { [topic]: { 0: 7 } });
  }
}

// Two members share four partitions, and the one that stays gets them all.
async function rebalance(client) {
  const owned = (m) => (m.topicPayloads || []).length;
  const until = async (ready, ...members) => { while (!ready()) await Promise.race(members.map((m) => once(m, 'rebalanced'))); };
  const first = member(topic + '-members', topic + '-shared');
  await until(() => owned(first) === 4, first);
  const second = member(topic + '-members', topic + '-shared');
  await until(() => owned(first) === 2 && owned(second) === 2, first, second);
  const described = await call(new kafka.Admin(client), 'describeGroups', [topic + '-members']);
  const { state, members } = described[topic + '-members'];
  assert.deepEqual([state, members.length], ['Stable', 2]);
  await call(second, 'close', false);
  await until(() => owned(first) === 4, first);
  await call(first, 'close', false);
}

async function administration(client) {
  const name = topic + '-admin', admin = new kafka.Admin(client);
  assert.deepEqual(await call(client, 'createTopics', [{ topic: name, partitions: 3, replicationFactor: 1, configEntries: [{ name: 'retention.ms', value: '12345' }] }]), []);
  const [{ error }] = await call(client, 'createTopics', [{ topic: name, partitions: 3, replicationFactor: 1 }]);
  assert.match(error, /already exists/);
  const [, { metadata }] = await call(admin, 'listTopics');
  assert.equal(Object.keys(metadata[name]).length, 3);
  const [{ configEntries }] = await call(admin, 'describeConfigs', { resources: [{ resourceType: admin.RESOURCE_TYPES.topic, resourceName: name, configNames: ['retention.ms'] }], includeSynonyms: false });
  assert.deepEqual(configEntries.map((e) => [e.configName, e.configValue]), [['retention.ms', '12345']]);
  assert.equal((await call(admin, 'listGroups'))[topic + '-members'], 'consumer');
}

(async () => {
  const client = new kafka.KafkaClient({ kafkaHost, connectRetryOptions: { retries: 0 } });
  await once(client, 'ready');
  await produce(client);
  await consume();
  await offsets(client);
  await rebalance(client);
  await administration(client);
  console.log('kafka-node', require('kafka-node/package.json').version);
  process.exit(0);
})().catch((e) => { console.error(e); process.exit(1); });
