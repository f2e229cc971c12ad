/* librdkafka in C against one broker. See clients_test.go for the topics it is given; a failure is a line on stderr and
 * exit status 1.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <rdkafka.h>

#define PATIENCE_MS 30000

static const char *bootstrap, *topic;
static const char *codecs[] = {"none", "gzip", "snappy", "lz4", "zstd"};

static void fail(const char *format, ...) {
	va_list args;
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	exit(1);
}

static void must(rd_kafka_resp_err_t err, const char *what) {
	if (err)
		fail("%s: %s", what, rd_kafka_err2str(err));
}

/* must_error is must for the calls of transactions, which return objects. */
static void must_error(rd_kafka_error_t *error, const char *what) {
	if (error)
		fail("%s: %s", what, rd_kafka_error_string(error));
}

static void expect(long long got, long long want, const char *what) {
	if (got != want)
		fail("%s is %lld, want %lld", what, got, want);
}

/* name is the topic's name and a suffix. */
static const char *name(const char *suffix) {
	static char names[16][256];
	static int next;
	char *buf = names[next++ % 16];
	snprintf(buf, sizeof names[0], "%s%s", topic, suffix);
	return buf;
}

static void delivered(rd_kafka_t *rk, const rd_kafka_message_t *m, void *opaque) {
	(void)rk, (void)opaque;
	if (m->err == RD_KAFKA_RESP_ERR__PURGE_QUEUE || m->err == RD_KAFKA_RESP_ERR__PURGE_INFLIGHT)
		return; /* its transaction was aborted or fenced */
	if (m->err)
		fail("a message was not delivered: %s", rd_kafka_err2str(m->err));
	if (m->_private)
		*(int64_t *)m->_private = m->offset;
}

/* new_client takes pairs of config and value that end with NULL. */
static rd_kafka_t *new_client(rd_kafka_type_t type, ...) {
	char err[512];
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	if (rd_kafka_conf_set(conf, "bootstrap.servers", bootstrap, err, sizeof err))
		fail("%s", err);
	va_list args;
	va_start(args, type);
	for (const char *key; (key = va_arg(args, const char *));)
		if (rd_kafka_conf_set(conf, key, va_arg(args, const char *), err, sizeof err))
			fail("%s", err);
	va_end(args);
	if (type == RD_KAFKA_PRODUCER)
		rd_kafka_conf_set_dr_msg_cb(conf, delivered);
	rd_kafka_t *rk = rd_kafka_new(type, conf, err, sizeof err);
	if (!rk)
		fail("%s", err);
	return rk;
}

static rd_kafka_t *new_consumer(const char *group, const char *protocol, const char *isolation) {
	rd_kafka_t *rk = new_client(RD_KAFKA_CONSUMER, "group.id", group, "group.protocol", protocol, "isolation.level", isolation,
		"auto.offset.reset", "earliest", "enable.auto.commit", "false", NULL);
	must(rd_kafka_poll_set_consumer(rk), "poll_set_consumer");
	return rk;
}

static void subscribe(rd_kafka_t *rk, const char *to) {
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
	rd_kafka_topic_partition_list_add(list, to, RD_KAFKA_PARTITION_UA);
	must(rd_kafka_subscribe(rk, list), "subscribe");
	rd_kafka_topic_partition_list_destroy(list);
}

static void assign(rd_kafka_t *rk, const char *to, int64_t offset) {
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
	rd_kafka_topic_partition_list_add(list, to, 0)->offset = offset;
	must(rd_kafka_assign(rk, list), "assign");
	rd_kafka_topic_partition_list_destroy(list);
}

/* next is the next message; the caller destroys it. */
static rd_kafka_message_t *next(rd_kafka_t *rk) {
	rd_kafka_message_t *m = rd_kafka_consumer_poll(rk, PATIENCE_MS);
	if (!m)
		fail("no message came");
	if (m->err)
		fail("consume: %s", rd_kafka_message_errstr(m));
	return m;
}

static int is(const void *got, size_t len, const char *want) { return len == strlen(want) && memcmp(got, want, len) == 0; }

static void close_consumer(rd_kafka_t *rk) {
	must(rd_kafka_consumer_close(rk), "close");
	rd_kafka_destroy(rk);
}

/* text_of is what message i of a codec says: "CODEC i " twenty times. */
static void text_of(char *buf, const char *codec, int i) {
	for (int n = 0; n < 20; n++)
		buf += sprintf(buf, "%s %d ", codec, i);
}

static void produce(void) {
	for (int c = 0; c < 5; c++) {
		rd_kafka_t *rk = new_client(RD_KAFKA_PRODUCER, "compression.codec", codecs[c], "linger.ms", "20", "enable.idempotence", "true", NULL);
		int64_t offsets[10];
		for (int i = 0; i < 10; i++) {
			char key[32], value[1024], header[16];
			snprintf(key, sizeof key, "%s-%d", codecs[c], i);
			text_of(value, codecs[c], i);
			snprintf(header, sizeof header, "%d", i);
			must(rd_kafka_producev(rk, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_PARTITION(0), RD_KAFKA_V_KEY(key, strlen(key)),
				RD_KAFKA_V_VALUE(value, strlen(value)), RD_KAFKA_V_TIMESTAMP(1600000000000 + i), RD_KAFKA_V_HEADER("n", header, -1),
				RD_KAFKA_V_HEADER("null", NULL, 0), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_OPAQUE(&offsets[i]), RD_KAFKA_V_END), "produce");
		}
		must(rd_kafka_flush(rk, PATIENCE_MS), "flush");
		for (int i = 0; i < 10; i++)
			expect(offsets[i], 10 * c + i, "the offset that the producer was told");
		rd_kafka_destroy(rk);
	}
}

static void consume(void) {
	rd_kafka_t *rk = new_consumer(name("-group"), "classic", "read_committed");
	subscribe(rk, topic);
	for (int i = 0; i < 50; i++) {
		char key[32], value[1024], header[16];
		snprintf(key, sizeof key, "%s-%d", codecs[i / 10], i % 10);
		text_of(value, codecs[i / 10], i % 10);
		snprintf(header, sizeof header, "%d", i % 10);
		rd_kafka_message_t *m = next(rk);
		expect(m->offset, i, "the offset of the next message");
		if (!is(m->key, m->key_len, key) || !is(m->payload, m->len, value))
			fail("message %d is %.*s: %.*s", i, (int)m->key_len, (char *)m->key, (int)m->len, (char *)m->payload);
		rd_kafka_timestamp_type_t type;
		expect(rd_kafka_message_timestamp(m, &type), 1600000000000 + i % 10, "its timestamp");
		expect(type, RD_KAFKA_TIMESTAMP_CREATE_TIME, "its timestamp's type");
		rd_kafka_headers_t *headers;
		const void *got;
		size_t len;
		must(rd_kafka_message_headers(m, &headers), "headers");
		expect(rd_kafka_header_cnt(headers), 2, "the number of headers");
		must(rd_kafka_header_get_last(headers, "n", &got, &len), "header n");
		if (!is(got, len, header))
			fail("header n of message %d is %.*s", i, (int)len, (char *)got);
		must(rd_kafka_header_get_last(headers, "null", &got, &len), "header null");
		if (got)
			fail("a header without a value comes back with one");
		rd_kafka_message_destroy(m);
	}
	must(rd_kafka_commit(rk, NULL, 0), "commit");
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
	rd_kafka_topic_partition_t *p = rd_kafka_topic_partition_list_add(list, topic, 0);
	must(rd_kafka_committed(rk, list, PATIENCE_MS), "committed");
	expect(p->offset, 50, "the committed offset");
	p->offset = 1600000000005;
	must(rd_kafka_offsets_for_times(rk, list, PATIENCE_MS), "offsets_for_times");
	expect(p->offset, 5, "the offset of the fifth timestamp");
	rd_kafka_topic_partition_list_destroy(list);
	int64_t low, high;
	must(rd_kafka_query_watermark_offsets(rk, topic, 0, &low, &high, PATIENCE_MS), "watermarks");
	expect(low, 0, "the log's start");
	expect(high, 50, "the log's end");
	close_consumer(rk);

	rk = new_consumer(name("-other"), "classic", "read_committed");
	assign(rk, name("-in"), 0);
	for (int i = 0; i < 10; i++) {
		char want[16];
		snprintf(want, sizeof want, "%d", i);
		rd_kafka_message_t *m = next(rk);
		if (m->offset != i || !is(m->payload, m->len, want))
			fail("message %d of franz-go is %.*s", i, (int)m->len, (char *)m->payload);
		rd_kafka_message_destroy(m);
	}
	close_consumer(rk);
}

static int assigned(rd_kafka_t *rk) {
	rd_kafka_topic_partition_list_t *list;
	must(rd_kafka_assignment(rk, &list), "assignment");
	int n = list->cnt;
	rd_kafka_topic_partition_list_destroy(list);
	return n;
}

/* until polls both until they have so many partitions; b may be NULL. */
static void until(rd_kafka_t *a, int na, rd_kafka_t *b, int nb) {
	time_t deadline = time(NULL) + PATIENCE_MS / 1000;
	while (assigned(a) != na || (b && assigned(b) != nb)) {
		if (time(NULL) > deadline)
			fail("the members have %d and %d partitions, want %d and %d", assigned(a), b ? assigned(b) : 0, na, nb);
		for (int i = 0; i < 2; i++) {
			rd_kafka_t *rk = i ? b : a;
			rd_kafka_message_t *m = rk ? rd_kafka_consumer_poll(rk, 50) : NULL;
			if (!m)
				continue;
			if (m->err)
				fail("poll: %s", rd_kafka_message_errstr(m));
			rd_kafka_message_destroy(m);
		}
	}
}

/* rebalance has two members share four partitions; the one that stays gets them all. */
static void rebalance(const char *protocol) {
	char group[300];
	snprintf(group, sizeof group, "%s-%s", topic, protocol);
	rd_kafka_t *first = new_consumer(group, protocol, "read_committed"), *second = new_consumer(group, protocol, "read_committed");
	subscribe(first, name("-shared"));
	until(first, 4, NULL, 0);
	subscribe(second, name("-shared"));
	until(first, 2, second, 2);
	close_consumer(second);
	until(first, 4, NULL, 0);
	close_consumer(first);
}

static void put(rd_kafka_t *rk, const char *to, const char *value) {
	must(rd_kafka_producev(rk, RD_KAFKA_V_TOPIC(to), RD_KAFKA_V_PARTITION(0), RD_KAFKA_V_VALUE((void *)value, strlen(value)),
		RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END), "produce");
}

/* transactions: one is aborted, one is committed with an offset of a group; a new producer of the same id fences the old. */
static void transactions(const char *to) {
	rd_kafka_t *rk = new_client(RD_KAFKA_PRODUCER, "transactional.id", to, NULL);
	must_error(rd_kafka_init_transactions(rk, PATIENCE_MS), "init_transactions");
	must_error(rd_kafka_begin_transaction(rk), "begin_transaction");
	put(rk, to, "aborted");
	must(rd_kafka_flush(rk, PATIENCE_MS), "flush");
	must_error(rd_kafka_abort_transaction(rk, PATIENCE_MS), "abort_transaction");
	must_error(rd_kafka_begin_transaction(rk), "begin_transaction");
	put(rk, to, "committed");
	rd_kafka_t *group = new_consumer(name("-txn-group"), "classic", "read_committed");
	rd_kafka_consumer_group_metadata_t *metadata = rd_kafka_consumer_group_metadata(group);
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
	rd_kafka_topic_partition_t *p = rd_kafka_topic_partition_list_add(list, name("-in"), 0);
	p->offset = 7;
	must_error(rd_kafka_send_offsets_to_transaction(rk, list, metadata, PATIENCE_MS), "send_offsets_to_transaction");
	rd_kafka_consumer_group_metadata_destroy(metadata);
	must_error(rd_kafka_commit_transaction(rk, PATIENCE_MS), "commit_transaction");
	must(rd_kafka_committed(group, list, PATIENCE_MS), "committed");
	expect(p->offset, 7, "the offset of the transaction");
	rd_kafka_topic_partition_list_destroy(list);
	close_consumer(group);

	rd_kafka_t *newer = new_client(RD_KAFKA_PRODUCER, "transactional.id", to, NULL);
	must_error(rd_kafka_init_transactions(newer, PATIENCE_MS), "init_transactions");
	rd_kafka_error_t *error = rd_kafka_begin_transaction(rk);
	if (!error) {
		put(rk, to, "fenced");
		error = rd_kafka_commit_transaction(rk, PATIENCE_MS);
	}
	if (!error || !rd_kafka_error_is_fatal(error))
		fail("a producer of an older epoch is not fenced: %s", error ? rd_kafka_error_string(error) : "no error");
	rd_kafka_error_destroy(error);
	rd_kafka_destroy(rk);
	must_error(rd_kafka_begin_transaction(newer), "begin_transaction");
	put(newer, to, "last");
	must_error(rd_kafka_commit_transaction(newer, PATIENCE_MS), "commit_transaction");
	rd_kafka_destroy(newer);

	static const char *want[2][3] = {{"committed", "last", NULL}, {"aborted", "committed", "last"}};
	static const char *levels[] = {"read_committed", "read_uncommitted"};
	for (int level = 0; level < 2; level++) {
		rd_kafka_t *c = new_consumer(name("-txn-other"), "classic", levels[level]);
		assign(c, to, 0);
		for (int i = 0; i < 3 && want[level][i]; i++) {
			rd_kafka_message_t *m = next(c);
			if (!is(m->payload, m->len, want[level][i]))
				fail("%s gets %.*s, want %s", levels[level], (int)m->len, (char *)m->payload, want[level][i]);
			rd_kafka_message_destroy(m);
		}
		close_consumer(c);
	}
}

/* answer waits for an admin call's answer; the caller destroys it. */
static rd_kafka_event_t *answer(rd_kafka_queue_t *queue) {
	rd_kafka_event_t *event = rd_kafka_queue_poll(queue, PATIENCE_MS);
	if (!event)
		fail("no answer to an admin call");
	must(rd_kafka_event_error(event), "admin call");
	return event;
}

static rd_kafka_resp_err_t create(rd_kafka_t *rk, rd_kafka_queue_t *queue, const char *as, int partitions) {
	char err[512];
	size_t n;
	rd_kafka_NewTopic_t *t = rd_kafka_NewTopic_new(as, partitions, 1, err, sizeof err);
	must(rd_kafka_NewTopic_set_config(t, "retention.ms", "12345"), "set_config");
	rd_kafka_CreateTopics(rk, &t, 1, NULL, queue);
	rd_kafka_NewTopic_destroy(t);
	rd_kafka_event_t *event = answer(queue);
	rd_kafka_resp_err_t code = rd_kafka_topic_result_error(rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), &n)[0]);
	rd_kafka_event_destroy(event);
	return code;
}

static void administration(void) {
	size_t n, entries;
	const char *as = name("-admin");
	rd_kafka_t *rk = new_client(RD_KAFKA_PRODUCER, NULL);
	rd_kafka_queue_t *queue = rd_kafka_queue_new(rk);
	must(create(rk, queue, as, 2), "create a topic");
	expect(create(rk, queue, as, 2), RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS, "the error of creating it again");
	must(create(rk, queue, name("-txn"), 1), "create a topic");

	rd_kafka_ConfigResource_t *resource = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, as);
	rd_kafka_DescribeConfigs(rk, &resource, 1, NULL, queue);
	rd_kafka_event_t *event = answer(queue);
	const rd_kafka_ConfigResource_t **described = rd_kafka_DescribeConfigs_result_resources(rd_kafka_event_DescribeConfigs_result(event), &n);
	must(rd_kafka_ConfigResource_error(described[0]), "describe configs");
	const rd_kafka_ConfigEntry_t **configs = rd_kafka_ConfigResource_configs(described[0], &entries);
	const char *retention = NULL, *policy = NULL;
	for (size_t i = 0; i < entries; i++) {
		if (strcmp(rd_kafka_ConfigEntry_name(configs[i]), "retention.ms") == 0)
			retention = rd_kafka_ConfigEntry_value(configs[i]);
		if (strcmp(rd_kafka_ConfigEntry_name(configs[i]), "cleanup.policy") == 0)
			policy = rd_kafka_ConfigEntry_value(configs[i]);
	}
	if (!retention || strcmp(retention, "12345") || !policy || strcmp(policy, "delete"))
		fail("retention.ms is %s, cleanup.policy %s", retention, policy);
	rd_kafka_event_destroy(event);
	rd_kafka_ConfigResource_destroy(resource);

	const struct rd_kafka_metadata *metadata;
	rd_kafka_topic_t *handle = rd_kafka_topic_new(rk, as, NULL);
	must(rd_kafka_metadata(rk, 0, handle, &metadata, PATIENCE_MS), "metadata");
	expect(metadata->broker_cnt, 1, "the number of brokers");
	expect(metadata->topics[0].partition_cnt, 2, "the number of partitions");
	rd_kafka_metadata_destroy(metadata);
	rd_kafka_topic_destroy(handle);

	rd_kafka_DeleteTopic_t *gone = rd_kafka_DeleteTopic_new(as);
	for (int i = 0; i < 2; i++) {
		rd_kafka_DeleteTopics(rk, &gone, 1, NULL, queue);
		event = answer(queue);
		expect(rd_kafka_topic_result_error(rd_kafka_DeleteTopics_result_topics(rd_kafka_event_DeleteTopics_result(event), &n)[0]),
			i ? RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART : RD_KAFKA_RESP_ERR_NO_ERROR, "the error of deleting a topic");
		rd_kafka_event_destroy(event);
	}
	rd_kafka_DeleteTopic_destroy(gone);
	rd_kafka_queue_destroy(queue);
	rd_kafka_destroy(rk);
}

int main(int argc, char **argv) {
	for (int i = 1; i + 1 < argc; i += 2) {
		if (strcmp(argv[i], "--bootstrap") == 0)
			bootstrap = argv[i + 1];
		if (strcmp(argv[i], "--topic") == 0)
			topic = argv[i + 1];
	}
	if (!bootstrap || !topic)
		fail("usage: roundtrip --bootstrap HOST:PORT --topic TOPIC");
	produce();
	consume();
	rebalance("classic");
	rebalance("consumer");
	administration();
	transactions(name("-txn"));
	printf("librdkafka %s in C\n", rd_kafka_version_str());
	return 0;
}
