package clients_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"

	"minibroker/test/harness"
)

// librdkafka is where the C library and its header are: confluent-kafka-go, which the module examples/confluent needs,
// brings them compiled. Debian's library, which kcat has, is years older.
func librdkafka(t *testing.T) (dir string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "mod", "download", "-json", "github.com/confluentinc/confluent-kafka-go/v2")
	cmd.Dir = filepath.Join(harness.Root(), "examples", "confluent")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go mod download: %v\n%s", err, out)
	}
	var module struct{ Dir string }
	if err := json.Unmarshal(out, &module); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(module.Dir, "kafka", "librdkafka_vendor")
}

// c compiles c/roundtrip.c once, and keeps the program.
func c(t *testing.T) []string {
	cc := harness.NeedTool(t, "cc", "gcc")
	lib := librdkafka(t)
	archive := filepath.Join(lib, "librdkafka_glibc_linux_"+runtime.GOARCH+".a")
	if runtime.GOOS == "darwin" {
		archive = filepath.Join(lib, "librdkafka_darwin_"+runtime.GOARCH+".a")
	}
	_, err := os.Stat(archive)
	harness.Need(t, err == nil, "confluent-kafka-go brings no librdkafka for this machine: %v", err)
	source, err := os.ReadFile("c/roundtrip.c")
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(append(source, archive...))
	dir := once(t, func(dir string) {
		args := []string{"-O1", "-Wall", "-isystem", lib, "-o", filepath.Join(dir, "roundtrip"), "c/roundtrip.c", archive, "-lm", "-ldl", "-lpthread"}
		if runtime.GOOS == "darwin" {
			args = append(args, "-framework", "CoreFoundation", "-framework", "SystemConfiguration")
		} else {
			args = append(args, "-lrt")
		}
		run(t, cc, args...)
	}, "c", hex.EncodeToString(sum[:4]))
	return []string{filepath.Join(dir, "roundtrip")}
}

// The module examples/confluent is one of its own, which ./... of this one does not reach.
func TestTheExamplesForConfluentKafkaGoRun(t *testing.T) {
	t.Parallel()
	harness.NeedTool(t, "cc", "gcc")
	// It must not have to be tidied after each change of minibroker's go.mod.
	dir, modfile := filepath.Join(harness.Root(), "examples", "confluent"), filepath.Join(t.TempDir(), "go.mod")
	for _, name := range []string{"go.mod", "go.sum"} {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err == nil {
			err = os.WriteFile(filepath.Join(filepath.Dir(modfile), name), text, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), "go", "test", "-mod=mod", "-modfile="+modfile, "-count=1", "-timeout=5m", "./...")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("go test: %v\n%s", err, out)
	}
}
