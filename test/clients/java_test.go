package clients_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"minibroker/test/harness"
	"minibroker/test/venv"
)

// jvms bounds how many JVMs run at a time: each takes a core and some hundred MiB.
var jvms = make(chan struct{}, 2)

// javaClients are the releases of kafka-clients: the first that speaks as it does to this day (0.10.2 asks for the
// broker's versions), the last before headers reached every tool, and the last of each later line.
func javaClients() []client {
	var all []client
	for _, c := range []struct {
		version string
		codecs  []string
	}{
		{"4.3.1", codecs}, {"3.9.1", codecs}, {"2.8.2", codecs}, {"2.0.1", codecs[:4]}, {"1.1.1", codecs[:4]}, {"0.10.2.2", codecs[:4]},
	} {
		all = append(all, client{
			name: "kafka-clients " + c.version, codecs: c.codecs, headers: !strings.HasPrefix(c.version, "0.10"), jvm: true,
			command: func(t *testing.T) []string { return java(t, c.version) },
		})
	}
	return all
}

// java returns the command that runs RoundTrip with a version of kafka-clients.
func java(t *testing.T, version string) []string {
	path := harness.NeedTool(t, "java", "default-jdk-headless")
	jars := jars(t, "org.apache.kafka:kafka-clients:"+version)
	classes := compile(t, version, jars)
	path, _ = filepath.EvalSymlinks(path)
	return []string{path, "-Xmx128m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
		"-cp", classes + string(os.PathListSeparator) + filepath.Join(jars, "*"), "RoundTrip"}
}

// once makes a directory of the cache at the first call, by calling fill with it, and keeps it: two processes that make
// it at once both do, and one of them wins.
func once(t *testing.T, fill func(dir string), names ...string) string {
	t.Helper()
	cache, err := venv.CacheDir()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(append([]string{cache}, names...)...)
	if _, err := os.Stat(dir); err == nil {
		return dir
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		t.Fatal(err)
	}
	tmp, err := os.MkdirTemp(filepath.Dir(dir), "new-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(tmp)
	fill(tmp)
	if err := os.Rename(tmp, dir); err != nil {
		if _, gone := os.Stat(dir); gone != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// jars returns a directory with the jar of an artifact (group:name:version) and those that it needs.
func jars(t *testing.T, artifact string) string {
	t.Helper()
	part := strings.Split(artifact, ":")
	return once(t, func(dir string) {
		mvn := harness.NeedTool(t, "mvn", "maven")
		pom := fmt.Sprintf(`<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>minibroker</groupId><artifactId>jars</artifactId><version>1</version><dependencies><dependency>
<groupId>%s</groupId><artifactId>%s</artifactId><version>%s</version></dependency></dependencies></project>`, part[0], part[1], part[2])
		path := filepath.Join(t.TempDir(), "pom.xml")
		if err := os.WriteFile(path, []byte(pom), 0o644); err != nil {
			t.Fatal(err)
		}
		run(t, mvn, "-q", "-B", "-f", path, "dependency:copy-dependencies", "-DoutputDirectory="+dir)
	}, "jars", part[1]+"-"+part[2])
}

// compile compiles the lines of RoundTrip.java that are for this version.
func compile(t *testing.T, version, jars string) string {
	t.Helper()
	source, err := os.ReadFile("java/RoundTrip.java")
	if err != nil {
		t.Fatal(err)
	}
	text := linesFor(string(source), version)
	sum := sha256.Sum256([]byte(text))
	return once(t, func(dir string) {
		javac := harness.NeedTool(t, "javac", "default-jdk-headless")
		path := filepath.Join(t.TempDir(), "RoundTrip.java")
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		run(t, javac, "-nowarn", "-Xlint:none", "-cp", filepath.Join(jars, "*"), "-d", dir, path)
	}, "classes", version+"-"+hex.EncodeToString(sum[:4]))
}

// A mark at a line's end, or alone on a line before a part that ends with a line "//end".
var mark = regexp.MustCompile(`//(begin)?([<>]) ([0-9.]+)$`)

// linesFor keeps the lines that are for a version; the others are left empty, so that line numbers stay.
func linesFor(source, version string) string {
	var b strings.Builder
	part := true
	for line := range strings.Lines(source) {
		line = strings.TrimRight(line, "\n")
		keep := true
		if m := mark.FindStringSubmatch(line); m != nil {
			keep = older(version, m[3]) == (m[2] == "<")
			if m[1] != "" {
				part = keep
			}
		}
		if strings.HasSuffix(line, "//end") {
			part = true
		}
		if keep && part {
			b.WriteString(line)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// older compares versions by number.
func older(a, b string) bool {
	x, y := strings.Split(a, "."), strings.Split(b, ".")
	for i := range min(len(x), len(y)) {
		m, _ := strconv.Atoi(x[i])
		n, _ := strconv.Atoi(y[i])
		if m != n {
			return m < n
		}
	}
	return len(x) < len(y)
}

func run(t *testing.T, name string, args ...string) {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
}
