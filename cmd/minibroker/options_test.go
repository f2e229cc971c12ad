package main

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// gathered parses a command line with an environment ("NAME=value") as the
// program does.
func gathered(t *testing.T, args []string, env ...string) (*options, error) {
	t.Helper()
	vars := map[string]string{}
	for _, e := range env {
		name, value, _ := strings.Cut(e, "=")
		vars[name] = value
	}
	cmd := command(nil)
	if err := cmd.ParseFlags(args); err != nil {
		t.Fatal(err)
	}
	return gather(cmd.Flags(), func(name string) (string, bool) { v, ok := vars[name]; return v, ok })
}

func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestFlagsGoBeforeTheEnvironmentAndThatBeforeTheFile(t *testing.T) {
	path := write(t, "b.yaml", `
port: 1001
http-port: 1002
host: 127.0.0.3
num.partitions: 7
auto.create.topics.enable: false
message.max.bytes: 5000
topics: [a:1, b:1, c:1]
advertise: [10.0.0.0/8=file:1, "*=file:2"]
`)
	o, err := gathered(t, []string{"--config", path, "--port", "3001", "--set", "num.partitions=9", "--topic", "a:9", "--topic", "d:9"},
		"MINIBROKER_PORT=2001", "MINIBROKER_HTTP_PORT=2002", "MINIBROKER_SET=num.partitions=8;auto.create.topics.enable=true",
		"MINIBROKER_TOPIC=b:8; a:8\ne:8", "MINIBROKER_HOST=")
	if err != nil {
		t.Fatal(err)
	}
	if o.port != 3001 || o.httpPort != 2002 || o.host != "127.0.0.3" {
		t.Errorf("port %d of the flag, http-port %d of the environment, host %q of the file; want 3001, 2002, 127.0.0.3", o.port, o.httpPort, o.host)
	}
	if want := map[string]string{"num.partitions": "9", "auto.create.topics.enable": "true", "message.max.bytes": "5000"}; !maps.Equal(o.configs, want) {
		t.Errorf("configs are %v, want %v", o.configs, want)
	}
	want := []topicSpec{{"a", 9, nil}, {"b", 8, nil}, {"c", 1, nil}, {"e", 8, nil}, {"d", 9, nil}}
	if !reflect.DeepEqual(o.topics, want) {
		t.Errorf("topics are %v, want %v", o.topics, want)
	}
	if o.advertise != "10.0.0.0/8=file:1,*=file:2" {
		t.Errorf("advertise is %q", o.advertise)
	}
	o, err = gathered(t, []string{"--config", path, "--advertise", "10.0.0.0/8=flag:1", "--advertise", "auto"}, "MINIBROKER_ADVERTISE=*=env:1")
	if err != nil || o.advertise != "10.0.0.0/8=flag:1,auto" {
		t.Errorf("the flags replace all other rules: %q, %v", o.advertise, err)
	}
}

func TestWithoutSettingsTheDefaultsHold(t *testing.T) {
	o, err := gathered(t, nil)
	if err != nil {
		t.Fatal(err)
	}
	if o.port != 9092 || o.httpPort != 7080 || o.host != "" || o.json || len(o.topics) != 0 || len(o.configs) != 0 {
		t.Errorf("defaults are %+v", o)
	}
	for _, off := range []string{"off", "-1"} {
		if o, err := gathered(t, []string{"--http-port", off}); err != nil || o.httpPort != -1 {
			t.Errorf("--http-port %s: %v, %v", off, o, err)
		}
	}
}

func TestYAMLAndPropertiesSayTheSame(t *testing.T) {
	yaml := write(t, "b.yml", `# the same twice
port: 9093
log-format: json
log.retention.hours: 24
sasl.enabled.mechanisms: [PLAIN, SCRAM-SHA-256]
broker.rack: "r: 1"
log.dirs:
topics:
  orders: 3
  logs: {partitions: 1, cleanup.policy: [compact, delete], retention.ms: 60000}
  any:
`)
	props := write(t, "b.properties", `# the same twice
port=9093
log-format = json
log.retention.hours:24
sasl.enabled.mechanisms=PLAIN,\
    SCRAM-SHA-256
broker.rack=r\u003a 1
topics=orders:3;logs:1:cleanup.policy=compact,delete,retention.ms=60000;any
`)
	a, err := gathered(t, []string{"--config", yaml})
	if err != nil {
		t.Fatal(err)
	}
	b, err := gathered(t, nil, "MINIBROKER_CONFIG="+props)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(a, b) {
		t.Errorf("YAML gives\n%+v\nproperties give\n%+v", a, b)
	}
	want := []topicSpec{{"orders", 3, nil}, {"logs", 1, map[string]string{"cleanup.policy": "compact,delete", "retention.ms": "60000"}}, {"any", 0, nil}}
	if !reflect.DeepEqual(a.topics, want) {
		t.Errorf("topics are %v, want %v", a.topics, want)
	}
	if a.port != 9093 || !a.json || a.configs["broker.rack"] != "r: 1" || a.configs["sasl.enabled.mechanisms"] != "PLAIN,SCRAM-SHA-256" {
		t.Errorf("read %+v", a)
	}
}

func TestAServerPropertiesOfKafkaLoads(t *testing.T) {
	o, err := gathered(t, []string{"--config", "testdata/server.properties"})
	if err != nil {
		t.Fatal(err)
	}
	if o.configs["num.partitions"] != "1" || o.configs["log.retention.hours"] != "168" {
		t.Errorf("configs are %v", o.configs)
	}
	if _, ok := o.configs["listeners"]; ok || o.port != 9092 {
		t.Error("the file's listeners are taken for our own")
	}
	for _, name := range []string{"listeners", "log.dirs", "num.io.threads"} {
		if !strings.Contains(strings.Join(o.ignored, " "), name) {
			t.Errorf("%s is not among what is said to be ignored: %v", name, o.ignored)
		}
	}
}

func TestNodeZeroOfAFileForKafkaIsLeftOut(t *testing.T) {
	o, err := gathered(t, []string{"--config", write(t, "server.properties", "broker.id=0\nnum.partitions=2\n")})
	if err != nil {
		t.Fatal(err)
	}
	if len(o.configs) != 1 || !slices.Equal(o.ignored, []string{"broker.id"}) {
		t.Errorf("configs are %v and %v is ignored, want broker.id ignored", o.configs, o.ignored)
	}
}

func TestTopicSpecsAreRead(t *testing.T) {
	for text, want := range map[string]topicSpec{
		"orders":                                {"orders", 0, nil},
		"orders:3":                              {"orders", 3, nil},
		" orders : 3 ":                          {"orders", 3, nil},
		"orders:3:":                             {"orders", 3, nil},
		"orders::retention.ms=5":                {"orders", 0, map[string]string{"retention.ms": "5"}},
		"o:1:cleanup.policy=compact,delete":     {"o", 1, map[string]string{"cleanup.policy": "compact,delete"}},
		"o:1:segment.ms=1,compression.type=lz4": {"o", 1, map[string]string{"segment.ms": "1", "compression.type": "lz4"}},
		"o:1:leader.replication.throttled.replicas=0:1,1:1": {"o", 1, map[string]string{"leader.replication.throttled.replicas": "0:1,1:1"}},
	} {
		if got, err := parseTopic(text); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%q is read as %v (%v), want %v", text, got, err, want)
		}
	}
}

func TestWhatTheEnvironmentMistypesIsNamed(t *testing.T) {
	for env, want := range map[string]string{
		"MINIBROKER_PORT=abc":         `MINIBROKER_PORT: "abc" is not a port: use 1 to 65535, or 0 for any free one (see minibroker --help)`,
		"MINIBROKER_LOG_LEVEL=loud":   `MINIBROKER_LOG_LEVEL: "loud" is not a level: use debug, info, warn or error (see minibroker --help)`,
		"MINIBROKER_LOG_FORMAT=xml":   `MINIBROKER_LOG_FORMAT: "xml" is not a format: use text or json (see minibroker --help)`,
		"MINIBROKER_SET=num.partions": `MINIBROKER_SET "num.partions": write name=value, such as num.partitions=3`,
	} {
		_, err := gathered(t, nil, env)
		if err == nil || err.Error() != want {
			t.Errorf("%s\n got  %v\n want %s", env, err, want)
		}
		if strings.Contains(want, "--help") != errors.As(err, new(usageError)) {
			t.Errorf("%s: the wrong exit status", env)
		}
	}
}

func TestBrokersAndTheirRacksAreRead(t *testing.T) {
	path := write(t, "b.yaml", "brokers: 2\nrack: [x, y]\n")
	for _, c := range []struct {
		args, env []string
		brokers   int
		racks     string
	}{
		{nil, nil, 1, ""},
		{[]string{"--brokers", "3", "--rack", "a,b", "--rack", "c"}, nil, 3, "a b c"},
		{nil, []string{"MINIBROKER_BROKERS=4", "MINIBROKER_RACK=a;b"}, 4, "a b"},
		{[]string{"--config", path}, nil, 2, "x y"},
		{[]string{"--config", path, "--rack", "z"}, nil, 2, "z"},
	} {
		o, err := gathered(t, c.args, c.env...)
		if err != nil || o.brokers != c.brokers || strings.Join(o.racks, " ") != c.racks {
			t.Errorf("%v %v: %d brokers in %v, %v", c.args, c.env, o.brokers, o.racks, err)
		}
	}
	for _, bad := range []string{"0", "-1", "many"} {
		if _, err := gathered(t, []string{"--brokers", bad}); err == nil || !strings.Contains(err.Error(), "use 1 or more") {
			t.Errorf("--brokers %s: %v", bad, err)
		}
	}
}
