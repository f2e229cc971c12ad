package clients_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"minibroker/test/harness"
	"minibroker/test/venv"
)

// This file makes programs of the snippets of the first page: each function puts around one what a reader does, and
// returns what runs it in a directory.

var kafkajs = []string{"kafkajs@2.2.4", "kafkajs-snappy@1.1.0"}

// kcatSnippet is without the lines of Kafka's own tools, for which there may be no JVM.
func kcatSnippet(t *testing.T, _, snippet string) *exec.Cmd {
	var script strings.Builder
	for line := range strings.Lines(snippet) {
		if !strings.HasPrefix(line, "kafka-") {
			script.WriteString(line)
		}
	}
	kcat := harness.NeedTool(t, "kcat", "kcat")
	cmd := exec.CommandContext(t.Context(), "sh", "-ec", script.String())
	cmd.Env = append(os.Environ(), "PATH="+filepath.Dir(kcat)+":"+os.Getenv("PATH"))
	return cmd
}

// pythonSnippet ends with the first message that the snippet itself sent.
func pythonSnippet(t *testing.T, _, snippet string) *exec.Cmd {
	ends := strings.Replace(snippet, "record.key, record.value)", "record.key, record.value)\n    if record.key: break", 1)
	if ends == snippet {
		t.Fatalf("the snippet does not print what it reads:\n%s", snippet)
	}
	env, _ := venv.KafkaPython(t, "2.2.*")
	return exec.CommandContext(t.Context(), env.Python, "-c", ends)
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
	inside := harness.InsideModule(t)
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
	env, jars := pySpark(t, spark.version, spark.scala)
	ends := strings.Replace(snippet, ".awaitTermination()", ".processAllAvailable()", 1)
	if ends == snippet {
		t.Fatalf("the snippet does not wait:\n%s", snippet)
	}
	writeFile(t, filepath.Join(dir, "snippet.py"), `from pyspark.sql import SparkSession
spark = (SparkSession.builder.master("local[2]").config("spark.jars", "`+jars+`")
         .config("spark.ui.enabled", "false").config("spark.driver.memory", "512m").config("spark.sql.shuffle.partitions", "2")
         .config("spark.driver.host", "127.0.0.1").config("spark.driver.bindAddress", "127.0.0.1").getOrCreate())
`+ends+`
spark.stop()
`)
	cmd := exec.CommandContext(t.Context(), env.Python, "snippet.py")
	cmd.Env = append(os.Environ(), "SPARK_LOCAL_IP=127.0.0.1")
	return cmd
}
