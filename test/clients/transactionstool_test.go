package clients_test

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"
)

// testTransactionsTool runs Apache Kafka's tool for transactions (KIP-664) on one that is open, and on one that hangs:
// its coordinator knows nothing of it.
func testTransactionsTool(t *testing.T, bootstrap string, tools *kafkaTools) {
	topic := topicOf(t)
	cl, ctx := kgoClient(t, bootstrap), timeout(t)
	if _, err := kadm.NewClient(cl).CreateTopics(ctx, 2, 1, nil, topic); err != nil {
		t.Fatal(err)
	}
	open := kgoClient(t, bootstrap, kgo.TransactionalID(topic+"-open"), kgo.TransactionTimeout(10*time.Minute), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err := open.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	if err := open.ProduceSync(ctx, &kgo.Record{Topic: topic, Value: []byte("open")}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	hanging := hang(t, cl, topic+"-hanging", topic, 1)

	for _, step := range []struct {
		args  string   // {T} stands for the topic, {H} for the hanging producer's id
		want  []string // patterns of lines; each of one line that is printed
		never string   // a pattern of no line
	}{
		{args: "list", want: []string{`TransactionalId +Coordinator +ProducerId +TransactionState`, `{T}-open +1 +\d+ +Ongoing`, `{T}-hanging +1 +{H} +Empty`}},
		{args: "list --transactional-id-pattern {T}-o.*n", want: []string{`{T}-open +1 +\d+ +Ongoing`}, never: `.*{T}-hanging.*`},
		{args: "list --duration-filter 3600000", want: []string{`{T}-hanging +1 +{H} +Empty`}, never: `{T}-open +.*`},
		{args: "describe --transactional-id {T}-open", want: []string{
			`CoordinatorId +TransactionalId +ProducerId +ProducerEpoch +TransactionState +TransactionTimeoutMs +CurrentTransactionStartTimeMs +TransactionDurationMs +TopicPartitions`,
			`1 +{T}-open +\d+ +\d+ +Ongoing +600000 +1\d{12} +\d+ +{T}-0`}},
		{args: "describe --transactional-id {T}-nope", want: []string{`Failed to describe transaction state of transactional-id .{T}-nope.: .* because the ID could not be found.*`}},
		{args: "describe-producers --topic {T} --partition 1 --broker-id 1", want: []string{
			`ProducerId +ProducerEpoch +LatestCoordinatorEpoch +LastSequence +LastTimestamp +CurrentTransactionStartOffset`, `{H} +\d+ +-1 +0 +1\d{12} +0`}},
		{args: "find-hanging --broker-id 1 --max-transaction-timeout 120", want: []string{
			`Topic +Partition +ProducerId +ProducerEpoch +CoordinatorEpoch +StartOffset +LastTimestamp +Duration\(min\)`, `{T} +1 +{H} +\d+ +-1 +0 +1\d{12} +18\d`}, never: `{T} +0 +.*`},
		{args: "abort --topic {T} --partition 1 --start-offset 7", want: []string{`Could not find any open transactions starting at offset 7 on partition {T}-1`}},
		{args: "abort --topic {T} --partition 1 --start-offset 0"},
		{args: "describe-producers --topic {T} --partition 1", want: []string{`{H} +\d+ +\d+ +0 +1\d{12} +None`}},
		{args: "find-hanging --topic {T}", never: `{T} +1 +.*`},
		{args: "forceTerminateTransaction --transactionalId {T}-open"},
		{args: "list --transactional-id-pattern {T}-open", want: []string{`{T}-open +1 +\d+ +Empty`}},
	} {
		fill := strings.NewReplacer("{T}", topic, "{H}", fmt.Sprint(hanging)).Replace
		args := fill(step.args)
		out, _ := tools.run(t, "", append([]string{"transactions"}, strings.Fields(args)...)...) // it says what is wrong
		lines := strings.Split(out, "\n")
		matches := func(pattern string) bool {
			re := regexp.MustCompile("^" + strings.ReplaceAll(fill(pattern), " +", `\s+`) + "$")
			return slices.ContainsFunc(lines, func(line string) bool { return re.MatchString(strings.TrimSpace(line)) })
		}
		for _, want := range step.want {
			if !matches(want) {
				t.Errorf("%s printed\n%s\nwant a line that matches %s", args, out, want)
			}
		}
		if step.never != "" && matches(step.never) {
			t.Errorf("%s printed\n%s\nwant no line that matches %s", args, out, step.never)
		}
		if len(step.want) == 0 && step.never == "" && len(strings.TrimSpace(out)) > 0 && strings.Contains(out, "rror") {
			t.Errorf("%s printed\n%s", args, out)
		}
	}
	if err := open.EndTransaction(ctx, kgo.TryCommit); err == nil {
		t.Error("a transaction that the tool ended could be committed")
	}
}

// hang leaves a transaction open on a partition that its coordinator was not told of, as clients could before KIP-890.
// Its records are three hours old. It returns the producer's id.
func hang(t *testing.T, cl *kgo.Client, id, topic string, partition int32) int64 {
	t.Helper()
	ctx := timeout(t)
	verify := func(op kmsg.IncrementalAlterConfigOp) {
		t.Helper()
		r := kmsg.NewPtrIncrementalAlterConfigsRequest()
		broker := kmsg.NewIncrementalAlterConfigsRequestResource()
		broker.ResourceType = kmsg.ConfigResourceTypeBroker
		broker.Configs = []kmsg.IncrementalAlterConfigsRequestResourceConfig{{Name: "transaction.partition.verification.enable", Op: op, Value: kmsg.StringPtr("false")}}
		r.Resources = append(r.Resources, broker)
		if resp, err := r.RequestWith(ctx, cl); err != nil || resp.Resources[0].ErrorCode != 0 {
			t.Fatalf("%+v, %v", resp, err)
		}
	}
	verify(kmsg.IncrementalAlterConfigOpSet)
	defer verify(kmsg.IncrementalAlterConfigOpDelete)

	init := kmsg.NewPtrInitProducerIDRequest()
	init.TransactionalID, init.TransactionTimeoutMillis = &id, 60000
	producer, err := init.RequestWith(ctx, cl)
	if err != nil || producer.ErrorCode != 0 {
		t.Fatalf("%+v, %v", producer, err)
	}
	r := kmsg.NewPtrProduceRequest()
	r.Acks, r.TimeoutMillis, r.TransactionID = -1, 10000, &id
	p := kmsg.NewProduceRequestTopicPartition()
	p.Partition, p.Records = partition, transactionalRecord(producer.ProducerID, producer.ProducerEpoch, time.Now().Add(-3*time.Hour))
	r.Topics = []kmsg.ProduceRequestTopic{{Topic: topic, Partitions: []kmsg.ProduceRequestTopicPartition{p}}}
	old := kgoClient(t, cl.OptValue(kgo.SeedBrokers).([]string)[0], kgo.MaxVersions(kversion.V3_7_0()))
	for {
		resp, err := r.RequestWith(ctx, old)
		if err != nil {
			t.Fatal(err)
		}
		switch code := resp.Topics[0].Partitions[0].ErrorCode; code {
		case 0:
			return producer.ProducerID
		case kerr.InvalidTxnState.Code, kerr.TransactionAbortable.Code: // the config has not reached the partition yet
		default:
			t.Fatalf("producing: %v", kerr.ErrorForCode(code))
		}
	}
}

// transactionalRecord is a batch of one record.
func transactionalRecord(id int64, epoch int16, at time.Time) []byte {
	r := kmsg.Record{Length: 8, Value: []byte("hi")}
	b := kmsg.RecordBatch{Magic: 2, PartitionLeaderEpoch: -1, Attributes: 16, FirstTimestamp: at.UnixMilli(), MaxTimestamp: at.UnixMilli(),
		ProducerID: id, ProducerEpoch: epoch, NumRecords: 1, Records: r.AppendTo(nil)}
	raw := b.AppendTo(nil)
	binary.BigEndian.PutUint32(raw[8:], uint32(len(raw)-12))
	binary.BigEndian.PutUint32(raw[17:], crc32.Checksum(raw[21:], crc32.MakeTable(crc32.Castagnoli)))
	return raw
}
