package clients_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
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
		{"4.4.0", codecs}, {"4.3.1", codecs}, {"3.9.1", codecs}, {"2.8.2", codecs}, {"2.0.1", codecs[:4]}, {"1.1.1", codecs[:4]}, {"0.10.2.2", codecs[:4]},
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
	jars := jars(t, "org.apache.kafka:kafka-clients:"+version, simpleLogger)
	programs := []string{"RoundTrip.java", "Groups.java"}
	if !older(version, "1.0") {
		programs = append(programs, "Transactions.java")
	}
	if !older(version, "4.2") {
		programs = append(programs, "Shares.java")
	}
	return jvm(t, 128, "RoundTrip", compile(t, version, jars, programs...), jars)
}

// simpleLogger prints warnings of Java programs on stderr, so that a failure says more than an exit status.
const simpleLogger = "org.slf4j:slf4j-simple:1.7.36"

// jvm returns the command that runs a class with so many MiB of heap, and directories of classes or jars. Its flags are
// those for programs that live for seconds.
func jvm(t *testing.T, heap int, class string, path ...string) []string {
	java := harness.NeedTool(t, "java", "default-jdk-headless")
	java, _ = filepath.EvalSymlinks(java)
	var cp []string
	for _, dir := range path {
		cp = append(cp, dir, filepath.Join(dir, "*"))
	}
	return []string{java, fmt.Sprintf("-Xmx%dm", heap), "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC",
		"-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp", strings.Join(cp, string(os.PathListSeparator)), class}
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

// jars returns a directory with the jars of artifacts (group:name:version) and those that they need. It is named after
// the first of them. Hadoop's are left out: Spark, the only one to name them, brings its own.
func jars(t *testing.T, artifacts ...string) string {
	t.Helper()
	var dependencies strings.Builder
	for _, artifact := range artifacts {
		part := strings.Split(artifact, ":")
		fmt.Fprintf(&dependencies, "<dependency><groupId>%s</groupId><artifactId>%s</artifactId><version>%s</version></dependency>\n", part[0], part[1], part[2])
	}
	pom := `<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>minibroker</groupId><artifactId>jars</artifactId><version>1</version><dependencies>
` + dependencies.String() + "</dependencies></project>"
	sum := sha256.Sum256([]byte(pom))
	first := strings.Split(artifacts[0], ":")
	return once(t, func(dir string) {
		mvn := harness.NeedTool(t, "mvn", "maven")
		path := filepath.Join(t.TempDir(), "pom.xml")
		if err := os.WriteFile(path, []byte(pom), 0o644); err != nil {
			t.Fatal(err)
		}
		// -U: what could not be had the first time is asked for again, and not taken as missing.
		args := []string{"-q", "-B", "-U", "-f", path, "dependency:copy-dependencies", "-DincludeScope=runtime", "-DexcludeGroupIds=org.apache.hadoop", "-DoutputDirectory=" + dir}
		for try := 1; ; try++ {
			out, err := exec.CommandContext(t.Context(), mvn, args...).CombinedOutput()
			if err == nil {
				return
			}
			if try == 3 {
				t.Fatalf("the jars of %s could not be had in %d tries: %v\n%s", strings.Join(artifacts, ", "), try, err, out)
			}
		}
	}, "jars", first[1]+"-"+first[2]+"-"+hex.EncodeToString(sum[:4]))
}

// compile compiles programs of the directory java, the lines that are for this version, and returns where the classes are.
func compile(t *testing.T, version, jars string, programs ...string) string {
	t.Helper()
	src := t.TempDir()
	args := []string{"-nowarn", "-Xlint:none", "-cp", filepath.Join(jars, "*")}
	sum := sha256.New()
	for _, name := range programs {
		source, err := os.ReadFile(filepath.Join("java", name))
		if err != nil {
			t.Fatal(err)
		}
		text, path := linesFor(string(source), version), filepath.Join(src, name)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		args = append(args, path)
		fmt.Fprint(sum, name, "\n", text)
	}
	return once(t, func(dir string) {
		run(t, harness.NeedTool(t, "javac", "default-jdk-headless"), append([]string{"-d", dir}, args...)...)
	}, "classes", version+"-"+hex.EncodeToString(sum.Sum(nil)[:4]))
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

// TestTheListOfClientsNamesTheirVersions holds docs/clients.md to what runs.
func TestTheListOfClientsNamesTheirVersions(t *testing.T) {
	page, err := os.ReadFile(filepath.Join(harness.Root(), "docs/clients.md"))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"Kafka Connect": kafkaVersion, "MirrorMaker 2": kafkaVersion}
	for _, c := range javaClients() {
		want["kafka-clients (Java)"] += strings.TrimPrefix(c.name, "kafka-clients") + ","
	}
	for _, c := range streams {
		want["Kafka Streams"] += c.version + ","
	}
	for _, c := range sparks {
		want["Spark (PySpark)"] += c.version + ","
		for _, line := range []string{"pyspark==" + c.version + " ", "spark-sql-kafka-0-10_" + c.scala + ":" + c.version + `"`} {
			if !strings.Contains(string(page), line) {
				t.Errorf("docs/clients.md does not say %q", line)
			}
		}
	}
	for client, versions := range want {
		row := regexp.MustCompile(`(?m)^\| ` + regexp.QuoteMeta(client) + ` \|(.*?)\|`).FindStringSubmatch(string(page))
		if row == nil {
			t.Errorf("docs/clients.md has no row for %s", client)
			continue
		}
		listed := strings.Split(strings.ReplaceAll(row[1], " ", ""), ",")
		for version := range strings.SplitSeq(strings.Trim(strings.ReplaceAll(versions, " ", ""), ","), ",") {
			if !slices.Contains(listed, version) {
				t.Errorf("docs/clients.md lists versions %s of %s, without %s", row[1], client, version)
			}
		}
	}
}
