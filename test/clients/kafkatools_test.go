package clients_test

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// toolClasses are the names of Apache Kafka's tools in bin, and their classes.
var toolClasses = map[string]string{
	"broker-api-versions": "org.apache.kafka.tools.BrokerApiVersionsCommand",
	"configs":             "kafka.admin.ConfigCommand",
	"console-consumer":    "org.apache.kafka.tools.consumer.ConsoleConsumer",
	"console-producer":    "org.apache.kafka.tools.ConsoleProducer",
	"consumer-groups":     "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
	"delete-records":      "org.apache.kafka.tools.DeleteRecordsCommand",
	"get-offsets":         "org.apache.kafka.tools.GetOffsetShell",
	"groups":              "org.apache.kafka.tools.GroupsCommand",
	"leader-election":     "org.apache.kafka.tools.LeaderElectionCommand",
	"log-dirs":            "org.apache.kafka.tools.LogDirsCommand",
	"metadata-quorum":     "org.apache.kafka.tools.MetadataQuorumCommand",
	"producer-perf-test":  "org.apache.kafka.tools.ProducerPerformance",
	"reassign-partitions": "org.apache.kafka.tools.reassign.ReassignPartitionsCommand",
	"share-groups":        "org.apache.kafka.tools.consumer.group.ShareGroupCommand",
	"streams-groups":      "org.apache.kafka.tools.streams.StreamsGroupCommand",
	"topics":              "org.apache.kafka.tools.TopicCommand",
	"transactions":        "org.apache.kafka.tools.TransactionsCommand",
}

// kafkaTools is a JVM that runs Apache Kafka's command-line tools by name, one after the other.
type kafkaTools struct {
	t         *testing.T
	bootstrap string
	in        io.Writer
	out       *bufio.Reader
}

// startKafkaTools starts the JVM; it takes one of jvms until the test ends.
func startKafkaTools(t *testing.T, bootstrap string) *kafkaTools {
	t.Helper()
	jars := jars(t, "org.apache.kafka:kafka-tools:"+kafkaVersion, "org.apache.kafka:kafka_2.13:"+kafkaVersion, simpleLogger)
	command := jvm(t, 256, "Tools", compile(t, kafkaVersion, jars, "Tools.java"), jars)
	takeJVM(t)
	cmd := exec.CommandContext(t.Context(), command[0], command[1:]...)
	cmd.Env = append(os.Environ(), "TZ=UTC")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Wait()
	})
	return &kafkaTools{t: t, bootstrap: bootstrap, in: in, out: bufio.NewReader(out)}
}

// start starts a tool that reads stdin. What it prints comes at its end, with a last line that says how it ended.
func (k *kafkaTools) start(stdin string, args ...string) <-chan string {
	class := toolClasses[args[0]]
	if class == "" {
		k.t.Fatalf("toolClasses has no %s", args[0])
	}
	words := slices.Concat([]string{class, "--bootstrap-server", k.bootstrap}, args[1:])
	if _, err := fmt.Fprintf(k.in, "%s\n%s\n", strings.Join(words, "\t"), strings.ReplaceAll(stdin, "\n", "\t")); err != nil {
		k.t.Fatal(err)
	}
	done := make(chan string, 1)
	go func() {
		var out strings.Builder
		for {
			line, err := k.out.ReadString('\n')
			out.WriteString(line)
			if err != nil || strings.HasPrefix(line, "--- ") {
				break
			}
		}
		done <- out.String()
	}()
	return done
}

var ending = regexp.MustCompile(`(?m)^--- (-?\d+)\n$`)

// run runs a tool to its end and returns what it prints, and its exit status.
func (k *kafkaTools) run(t *testing.T, stdin string, args ...string) (printed string, status int) {
	t.Helper()
	select {
	case out := <-k.start(stdin, args...):
		end := ending.FindStringSubmatchIndex(out)
		if end == nil {
			t.Fatalf("the tools ended in %s, which printed\n%s", strings.Join(args, " "), out)
		}
		status, _ = strconv.Atoi(out[end[2]:end[3]])
		return out[:end[0]], status
	case <-timeout(t).Done():
		t.Fatalf("%s does not end", strings.Join(args, " "))
	}
	return "", 0
}
