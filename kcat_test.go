package minibroker_test

import (
	"encoding/json"
	"os/exec"
	"strings"
	"testing"

	"minibroker/test/harness"
)

// testKcat is kcat, and so librdkafka, as Debian has it.
func testKcat(t *testing.T, s *harness.Server) {
	kcat := harness.NeedTool(t, "kcat", "kcat")
	topic := createTopic(t, s.Bootstrap, 1, nil)
	run := func(stdin string, args ...string) string {
		t.Helper()
		cmd := exec.CommandContext(timeout(t), kcat, append([]string{"-b", s.Bootstrap}, args...)...)
		cmd.Stdin = strings.NewReader(stdin)
		var stderr strings.Builder
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("kcat %s: %v\n%s", strings.Join(args, " "), err, stderr.String())
		}
		return string(out)
	}

	var want strings.Builder
	for _, codec := range []string{"none", "gzip", "snappy", "lz4", "zstd"} {
		run("k1:"+codec+" a\nk2:"+codec+" b\n", "-P", "-t", topic, "-p", "0", "-K:", "-z", codec, "-H", "codec="+codec, "-X", "enable.idempotence=true")
		for _, m := range []string{"k1|" + codec + " a|", "k2|" + codec + " b|"} {
			want.WriteString(m + "codec=" + codec + "\n")
		}
	}
	if got := run("", "-C", "-t", topic, "-p", "0", "-o", "beginning", "-e", "-q", "-f", "%k|%s|%h\\n"); got != want.String() {
		t.Errorf("kcat consumed\n%s\nwant\n%s", got, want.String())
	}
	if got := run("", "-G", topic+"-group", "-X", "auto.offset.reset=earliest", "-e", "-q", "-f", "%k|%s|%h\\n", topic); got != want.String() {
		t.Errorf("kcat consumed in a group\n%s\nwant\n%s", got, want.String())
	}
	if got := run("", "-G", topic+"-group", "-X", "auto.offset.reset=earliest", "-e", "-q", topic); got != "" {
		t.Errorf("the group's second run consumed again:\n%s", got)
	}
	for time, offset := range map[string]string{"-1": "10", "-2": "0", "1": "0"} {
		if got, want := run("", "-Q", "-t", topic+":0:"+time), topic+" [0] offset "+offset+"\n"; got != want {
			t.Errorf("kcat -Q of time %s says %q, want %q", time, got, want)
		}
	}

	var meta struct {
		Brokers []struct {
			ID   int
			Name string
		}
		Topics []struct {
			Topic      string
			Partitions []struct{ Partition, Leader int }
		}
	}
	if err := json.Unmarshal([]byte(run("", "-L", "-J", "-t", topic)), &meta); err != nil {
		t.Fatal(err)
	}
	if len(meta.Brokers) != 1 || meta.Brokers[0].ID != 1 || !s.Is(meta.Brokers[0].Name) {
		t.Errorf("kcat -L lists the brokers %+v, want 1 at %s", meta.Brokers, s.Bootstrap)
	}
	if len(meta.Topics) != 1 || meta.Topics[0].Topic != topic || len(meta.Topics[0].Partitions) != 1 || meta.Topics[0].Partitions[0].Leader != 1 {
		t.Errorf("kcat -L lists the topics %+v", meta.Topics)
	}
}
