package clients_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"

	"minibroker/test/harness"
	"minibroker/test/venv"
)

// This file runs the snippets of the first page in languages that have to be compiled, or started slowly.

var kafkajs = []string{"kafkajs@2.2.4", "kafkajs-snappy@1.1.0"}

// languages run a snippet with what stands around it in a program, in a directory.
var languages = map[string]func(t *testing.T, dir, snippet string) *exec.Cmd{
	"java": javaSnippet, "go": goSnippet, "node": nodeSnippet,
}

// TestTheSnippetsOfTheFirstPageProduce is for those that send one message and end.
func TestTheSnippetsOfTheFirstPageProduce(t *testing.T) {
	t.Parallel()
	slow(t)
	for _, c := range []struct {
		mechanism string
		vias      []string
	}{
		{"PLAIN", []string{"SASL_SSL", "SASL_PLAINTEXT", "SSL", "PLAINTEXT"}},
		{"SCRAM-SHA-256", []string{"SASL_SSL"}},
		{"SCRAM-SHA-512", []string{"SASL_PLAINTEXT"}},
	} {
		web, plaintext := snippetBroker(t, c.mechanism)
		for _, via := range c.vias {
			programs, _ := snippetsOf(t, web, via)
			for language, program := range languages {
				t.Run(c.mechanism+" "+via+" "+language, func(t *testing.T) {
					before := endOfDemo(t, plaintext)
					runSnippet(t, program, programs[language])
					if end := endOfDemo(t, plaintext); end != before+1 {
						t.Errorf("%d messages arrived, want 1", end-before)
					}
				})
			}
		}
	}
}

// TestTheSnippetForSparkReads logs in as the course's consumer.
func TestTheSnippetForSparkReads(t *testing.T) {
	t.Parallel()
	slow(t)
	web, _ := snippetBroker(t, "SCRAM-SHA-256")
	programs, _ := snippetsOf(t, web, "SASL_SSL")
	runSnippet(t, goSnippet, programs["go"]) // sends what Spark reads
	takeJVM(t)
	if out := runSnippet(t, sparkSnippet, programs["spark"]); !strings.Contains(out, "|user-1|hello|") {
		t.Errorf("Spark printed %s", out)
	}
}

// snippetBroker starts a broker with a topic demo that anna may log in to by one mechanism, by ports of each kind.
func snippetBroker(t *testing.T, mechanism string) (web, plaintext string) {
	t.Helper()
	s := harness.Start(t, harness.Options{Args: []string{"--http-port", "0", "--user", "anna:secret", "--topic", "demo:1", "--set", "sasl.enabled.mechanisms=" + mechanism,
		"--security-protocol", "SASL_SSL", "--tls-ca-out", filepath.Join(t.TempDir(), "ca.pem"), "--extra-port", "SASL_PLAINTEXT:0", "--extra-port", "SSL:0", "--extra-port", "PLAINTEXT:0"}})
	web = s.Await(t, `(?m)^(http://\S+)`)[1]
	_, plaintext = snippetsOf(t, web, "PLAINTEXT")
	return web, plaintext
}

// endOfDemo is how many messages were sent to the topic demo.
func endOfDemo(t *testing.T, bootstrap string) int64 {
	t.Helper()
	ends, err := kadm.NewClient(kgoClient(t, bootstrap)).ListEndOffsets(timeout(t), "demo")
	if err != nil {
		t.Fatal(err)
	}
	end, ok := ends.Lookup("demo", 0)
	if !ok || end.Err != nil {
		t.Fatalf("%+v", end)
	}
	return end.Offset
}

var fetchesCA = regexp.MustCompile(`(?m)^(?://|#) (curl .*)$`)

// runSnippet does what a snippet's reader does, and returns what it prints.
func runSnippet(t *testing.T, program func(t *testing.T, dir, snippet string) *exec.Cmd, snippet string) string {
	t.Helper()
	dir := t.TempDir()
	if m := fetchesCA.FindStringSubmatch(snippet); m != nil {
		curl := exec.CommandContext(t.Context(), "sh", "-ec", m[1])
		curl.Dir = dir
		if out, err := curl.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v: %s", m[1], err, out)
		}
	}
	cmd := program(t, dir, strings.NewReplacer("USER", "anna", "PASSWORD", "secret").Replace(snippet))
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s\n%s", err, out, snippet)
	}
	return string(out)
}

func javaSnippet(t *testing.T, dir, snippet string) *exec.Cmd {
	takeJVM(t)
	writeFile(t, filepath.Join(dir, "Snippet.java"), `import java.util.*;
import org.apache.kafka.clients.producer.*;

class Snippet {
	public static void main(String[] args) {
`+snippet+`
	}
}
`)
	command := jvm(t, 256, "Snippet.java", jars(t, "org.apache.kafka:kafka-clients:"+kafkaVersion, simpleLogger))
	return exec.CommandContext(t.Context(), command[0], command[1:]...)
}

func nodeSnippet(t *testing.T, dir, snippet string) *exec.Cmd {
	if err := os.Symlink(nodeModules(t, kafkajs...), filepath.Join(dir, "node_modules")); err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(dir, "snippet.mjs"), snippet)
	return exec.CommandContext(t.Context(), harness.NeedTool(t, "node", "nodejs"), "snippet.mjs")
}

func goSnippet(t *testing.T, dir, snippet string) *exec.Cmd {
	imports := []string{"context", "log", "github.com/twmb/franz-go/pkg/kgo"}
	for use, path := range map[string]string{
		"os.": "os", "tls.": "crypto/tls", "x509.": "crypto/x509", "plain.": "github.com/twmb/franz-go/pkg/sasl/plain", "scram.": "github.com/twmb/franz-go/pkg/sasl/scram",
	} {
		if regexp.MustCompile(`\b` + regexp.QuoteMeta(use)).MatchString(snippet) {
			imports = append(imports, path)
		}
	}
	// A module's packages are seen from inside it only. The leading dot hides the directory from ./... .
	inside, err := os.MkdirTemp(harness.Root(), ".snippet")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(inside) })
	writeFile(t, filepath.Join(inside, "main.go"), fmt.Sprintf("package main\n\nimport (\n\"%s\"\n)\n\nfunc main() {\nctx := context.Background()\n%s\n}\n", strings.Join(imports, "\"\n\""), snippet))
	build := exec.CommandContext(t.Context(), "go", "build", "-o", filepath.Join(dir, "snippet"), ".")
	build.Dir = inside
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s\n%s", err, out, snippet)
	}
	return exec.CommandContext(t.Context(), filepath.Join(dir, "snippet"))
}

// sparkSnippet ends when everything that is there was read.
func sparkSnippet(t *testing.T, dir, snippet string) *exec.Cmd {
	spark := sparks[len(sparks)-1]
	env := venv.Make(t, venv.Find(t, sparkPython(spark.version)), venv.Venv{}, "pyspark=="+spark.version)
	found, err := filepath.Glob(filepath.Join(jars(t, "org.apache.spark:spark-sql-kafka-0-10_"+spark.scala+":"+spark.version), "*.jar"))
	if err != nil {
		t.Fatal(err)
	}
	ends := strings.Replace(snippet, ".awaitTermination()", ".processAllAvailable()", 1)
	if ends == snippet {
		t.Fatalf("the snippet does not wait:\n%s", snippet)
	}
	writeFile(t, filepath.Join(dir, "snippet.py"), `from pyspark.sql import SparkSession
spark = (SparkSession.builder.master("local[2]").config("spark.jars", "`+strings.Join(found, ",")+`")
         .config("spark.ui.enabled", "false").config("spark.driver.memory", "512m").config("spark.sql.shuffle.partitions", "2")
         .config("spark.driver.host", "127.0.0.1").config("spark.driver.bindAddress", "127.0.0.1").getOrCreate())
`+ends+`
spark.stop()
`)
	cmd := exec.CommandContext(t.Context(), env.Python, "snippet.py")
	cmd.Env = append(os.Environ(), "SPARK_LOCAL_IP=127.0.0.1")
	return cmd
}
