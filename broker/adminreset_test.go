package broker

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestResetForgetsWhatAdministratorsSet(t *testing.T) {
	b := Start(t)
	c := dial(t, b)
	setQuota(c, 1, "user", "producer_byte_rate", 1, false)
	users := kmsg.NewPtrAlterUserSCRAMCredentialsRequest()
	users.Upsertions = append(users.Upsertions, upsert("u", 1, 8192))
	ask[*kmsg.AlterUserSCRAMCredentialsResponse](c, users)
	level := "FATAL"
	changeLogger(c, "1", "kafka.server.KafkaApis", kmsg.IncrementalAlterConfigOpSet, &level)
	alterOne(c, kmsg.ConfigResourceTypeClientMetrics, "s", "interval.ms", "1000")
	id := getSubscription(c, [16]byte{}).ClientInstanceID
	b.Reset()
	if b.quotas.enforced(quotaProduce) {
		t.Error("a quota is left")
	}
	if got := ask[*kmsg.DescribeUserSCRAMCredentialsResponse](c, kmsg.NewPtrDescribeUserSCRAMCredentialsRequest()); len(got.Results) != 0 {
		t.Errorf("users are left: %+v", got.Results)
	}
	if levels, _ := levelsOf(c, 4, "1"); levels["kafka.server.KafkaApis"] == "FATAL" {
		t.Error("a logger's level is left")
	}
	if got := getSubscription(c, id); got.ErrorCode != 0 || got.PushIntervalMillis != 300_000 {
		t.Errorf("a subscription is left: %+v", got)
	}
}
