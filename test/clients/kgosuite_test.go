package clients_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"minibroker/test/harness"
)

// ownSkips are the tests of franz-go that skip themselves, and why.
var ownSkips = map[string]string{
	"TestIssueProduceBrokerTooOldFailsRecords": "the broker takes produce v2, as it should",
}

// TestFranzGosOwnSuiteFindsWhatItExpects runs the tests that franz-go's authors run against Apache Kafka: producing,
// consuming, classic and KIP-848 groups with chains of members that come and go, and transactions. It takes about a
// minute, most of it waiting.
func TestFranzGosOwnSuiteFindsWhatItExpects(t *testing.T) {
	slow(t)
	t.Parallel()
	s := harness.Start(t, harness.Options{Args: []string{"--user", "anna:secret", "--extra-port", "SASL_PLAINTEXT:0"}})
	cmd := exec.CommandContext(t.Context(), "go", "test", "-json", "-count=1", "-vet=off", "-parallel=12", "-timeout=8m", "github.com/twmb/franz-go/pkg/kgo")
	cmd.Dir = harness.Root()
	cmd.Env = append(os.Environ(), "KGO_SEEDS="+s.Bootstrap, "KGO_TEST_RF=1", "KGO_TEST_RECORDS=50000", "KGO_LOG_LEVEL=none")
	if harness.Reference() == "" {
		cmd.Env = append(cmd.Env, "KGO_TEST_SCRAM=anna:secret", "KGO_TEST_SCRAM_SEEDS="+s.Await(t, `SASL_PLAINTEXT: bootstrap\.servers=(\S+)`)[1])
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	output := map[string]string{}
	passed := 0
	var skipped []string
	for d := json.NewDecoder(stdout); d.More(); {
		var e struct{ Action, Test, Output string }
		if err := d.Decode(&e); err != nil {
			t.Error(err)
			break
		}
		switch e.Action {
		case "output":
			output[e.Test] += e.Output
		case "pass":
			passed++
			delete(output, e.Test)
		case "skip":
			skipped = append(skipped, e.Test)
		case "fail":
			t.Errorf("%s fails:\n%s", e.Test, output[e.Test])
		}
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("go test: %v\n%s", err, stderr.String())
	}
	share := servesShareGroups(t, s.Bootstrap)
	for _, name := range skipped {
		_, known := ownSkips[name]
		known = known || harness.Reference() != "" && strings.HasPrefix(name, "TestSCRAM") // it has no second listener with SASL
		if !known && (share || !strings.Contains(name, "Share")) {
			t.Errorf("%s skips itself:\n%s", name, output[name])
		}
	}
	if passed < 300 {
		t.Errorf("only %d tests passed", passed)
	}
	t.Logf("%d of franz-go's tests pass, %d skip themselves", passed, len(skipped))
}

func servesShareGroups(t *testing.T, bootstrap string) bool {
	t.Helper()
	versions, err := kmsg.NewPtrApiVersionsRequest().RequestWith(timeout(t), kgoClient(t, bootstrap))
	if err != nil {
		t.Fatal(err)
	}
	return slices.ContainsFunc(versions.ApiKeys, func(k kmsg.ApiVersionsResponseApiKey) bool { return k.ApiKey == 78 && k.MaxVersion >= 2 })
}
