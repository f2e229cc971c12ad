package broker

import (
	"bytes"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// syncBuffer is a bytes.Buffer for many goroutines.
type syncBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

// take returns what was written since the last take.
func (b *syncBuffer) take() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	defer b.buf.Reset()
	return b.buf.String()
}

// changeLogger does one operation on one logger.
func changeLogger(c *rawClient, resource, logger string, op kmsg.IncrementalAlterConfigOp, level *string) kmsg.IncrementalAlterConfigsResponseResource {
	c.t.Helper()
	req := kmsg.NewPtrIncrementalAlterConfigsRequest()
	req.Version = 1
	r := kmsg.NewIncrementalAlterConfigsRequestResource()
	r.ResourceType, r.ResourceName = kmsg.ConfigResourceTypeBrokerLogger, resource
	r.Configs = []kmsg.IncrementalAlterConfigsRequestResourceConfig{{Name: logger, Op: op, Value: level}}
	req.Resources = append(req.Resources, r)
	return ask[*kmsg.IncrementalAlterConfigsResponse](c, req).Resources[0]
}

// levelsOf describes the loggers.
func levelsOf(c *rawClient, version int16, resource string) (map[string]string, kmsg.DescribeConfigsResponseResource) {
	c.t.Helper()
	req := kmsg.NewPtrDescribeConfigsRequest()
	req.Version = version
	req.Resources = []kmsg.DescribeConfigsRequestResource{{ResourceType: kmsg.ConfigResourceTypeBrokerLogger, ResourceName: resource}}
	got := ask[*kmsg.DescribeConfigsResponse](c, req).Resources[0]
	levels := make(map[string]string)
	for _, e := range got.Configs {
		levels[e.Name] = *e.Value
		if version >= 1 && e.Source != kmsg.ConfigSourceDynamicBrokerLoggerConfig || e.ReadOnly {
			c.t.Errorf("%+v", e)
		}
	}
	return levels, got
}

func TestLevelsOfLoggersTakeEffect(t *testing.T) {
	var out syncBuffer
	log := slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelError}))
	b := Start(t, WithLogger(log))
	c := dial(t, b)
	for version := int16(0); version <= 4; version++ {
		if levels, _ := levelsOf(c, version, "1"); len(levels) != 5 || levels["root"] != "ERROR" || levels["kafka.server.KafkaApis"] != "ERROR" {
			t.Fatalf("v%d: %v", version, levels)
		}
	}
	// A bad request is worth a warning, of the socket server.
	offend := func() string {
		bad := dial(t, b)
		bad.sendRaw(frameOf(999, 0))
		bad.ended()
		return out.take()
	}
	if said := offend(); said != "" {
		t.Fatalf("a warning passed the level ERROR: %s", said)
	}
	set := func(logger, level string) {
		t.Helper()
		if got := changeLogger(c, "1", logger, kmsg.IncrementalAlterConfigOpSet, &level); got.ErrorCode != 0 {
			t.Fatalf("[%d] %s", got.ErrorCode, text(got.ErrorMessage))
		}
	}
	set("kafka.network.SocketServer", "WARN")
	if said := offend(); !strings.Contains(said, "level=WARN") {
		t.Errorf("with the logger at WARN: %q", said)
	}
	set("kafka.network.SocketServer", "FATAL")
	set("root", "DEBUG")
	if said := offend(); said != "" {
		t.Errorf("the root's level goes before the logger's own: %q", said)
	}
	if got := changeLogger(c, "1", "kafka.network.SocketServer", kmsg.IncrementalAlterConfigOpDelete, nil); got.ErrorCode != 0 {
		t.Fatalf("[%d] %s", got.ErrorCode, text(got.ErrorMessage))
	}
	if levels, _ := levelsOf(c, 4, "1"); levels["kafka.network.SocketServer"] != "DEBUG" {
		t.Errorf("a logger without a level has not the root's: %v", levels)
	}
	if said := offend(); !strings.Contains(said, "level=WARN") {
		t.Errorf("with the root at DEBUG: %q", said)
	}
}

func TestLoggerRefusals(t *testing.T) {
	c := dial(t, Start(t))
	info, loud, lower := "INFO", "LOUD", "debug"
	apis := "kafka.server.KafkaApis"
	const set, del = kmsg.IncrementalAlterConfigOpSet, kmsg.IncrementalAlterConfigOpDelete
	for _, k := range []struct {
		resource, logger string
		op               kmsg.IncrementalAlterConfigOp
		level            *string
		code             int16
		message          string
	}{
		{"1", apis, set, &loud, 40, "Cannot set the log level of kafka.server.KafkaApis to LOUD as it is not a supported log level. Valid log levels are DEBUG, ERROR, FATAL, INFO, TRACE, WARN"}, // behaviour 159
		{"1", apis, set, &lower, 40, "Cannot set the log level of kafka.server.KafkaApis to debug as it is not a supported log level. Valid log levels are DEBUG, ERROR, FATAL, INFO, TRACE, WARN"},
		{"1", apis, kmsg.IncrementalAlterConfigOpAppend, &info, 42, "APPEND operation is not allowed for the BROKER_LOGGER resource"},
		{"1", apis, kmsg.IncrementalAlterConfigOpSubtract, &info, 42, "SUBTRACT operation is not allowed for the BROKER_LOGGER resource"},
		{"1", "no.such", set, &info, 40, "Logger no.such does not exist!"},
		{"1", "no.such", del, nil, 40, "Logger no.such does not exist!"},
		{"1", "root", del, nil, 42, "Removing the log level of the root logger is not allowed"},
		{"1", apis, set, nil, 42, "Null value not supported for : kafka.server.KafkaApis"},
		{"", apis, set, &info, 42, "Node id must be an integer, but it is: "},
		{"abc", apis, set, &info, 42, "Node id must be an integer, but it is: abc"},
		{"9", apis, set, &info, 42, "Unexpected node id. Expected 1, but received 9"},
	} {
		if got := changeLogger(c, k.resource, k.logger, k.op, k.level); got.ErrorCode != k.code || text(got.ErrorMessage) != k.message {
			t.Errorf("%q %s: [%d] %s, want [%d] %s", k.resource, k.logger, got.ErrorCode, text(got.ErrorMessage), k.code, k.message)
		}
	}
	for resource, message := range map[string]string{
		"":    "Broker id must not be empty",
		"9":   "Unexpected broker id, expected 1 but received 9",
		"abc": "Broker id must be an integer, but it is: abc",
	} {
		if _, got := levelsOf(c, 4, resource); got.ErrorCode != 42 || text(got.ErrorMessage) != message {
			t.Errorf("describe %q: [%d] %s", resource, got.ErrorCode, text(got.ErrorMessage))
		}
	}
	legacy := kmsg.NewPtrAlterConfigsRequest()
	legacy.Resources = []kmsg.AlterConfigsRequestResource{{ResourceType: kmsg.ConfigResourceTypeBrokerLogger, ResourceName: "1"}}
	if got := ask[*kmsg.AlterConfigsResponse](c, legacy).Resources[0]; got.ErrorCode != 42 || text(got.ErrorMessage) != "Unknown resource type 8" {
		t.Errorf("AlterConfigs: [%d] %s", got.ErrorCode, text(got.ErrorMessage))
	}
}
