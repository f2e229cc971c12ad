package diff

import (
	"os"
	"testing"
	"time"

	"minibroker/broker"
)

// This file owns the comparison where users log in and ACLs say what they may
// do.

// secureRecording holds the answers of an Apache Kafka with users and ACLs.
const secureRecording = "testdata/apache-kafka-4.3.1-secure.txt"

func startSecureMinibroker(t *testing.T) *target {
	t.Helper()
	opts := []broker.Option{broker.WithHost("127.0.0.1"), broker.WithSuperUser("admin", "admin-secret"), broker.WithUser("alice", "alice-secret"), broker.WithUser("bob", "bob-secret"),
		broker.WithConfig("delegation.token.secret.key", "secret")}
	for name, value := range settings {
		opts = append(opts, broker.WithConfig(name, value))
	}
	return securely(t, minibroker, broker.Start(t, opts...).Addr())
}

func securely(t *testing.T, name, addr string) *target {
	t.Helper()
	tg, err := connect(name, addr, true)
	if err != nil {
		t.Fatalf("%s at %s: %v", name, addr, err)
	}
	return tg
}

func TestASecureMinibrokerAnswersAsApacheKafkaDid(t *testing.T) {
	p := &pair{recordedIn(t, secureRecording), startSecureMinibroker(t)}
	check(t, p, playAll(t, p, nil, secureScripts), secureTable)
}

// MINIBROKER_DIFF_SECURE_KAFKA names a running Apache Kafka instead of one that
// the test starts.
func TestASecureMinibrokerAnswersAsApacheKafkaDoes(t *testing.T) {
	addr := os.Getenv("MINIBROKER_DIFF_SECURE_KAFKA")
	switch {
	case os.Getenv("MINIBROKER_DIFF_KAFKA") == "" && addr == "":
		t.Skip("set MINIBROKER_DIFF_KAFKA=1 to compare with a running Apache Kafka; its recorded answers are compared with in any case")
	case addr == "":
		addr, _ = startKafka(t, "--secure")
	}
	kafka := securely(t, apache, addr)
	kafka.settles, kafka.silence, kafka.retakes = patience, 2*time.Second, 2
	p := &pair{kafka, startSecureMinibroker(t)}
	now := newRecording(p.ref.serves)
	check(t, p, playAll(t, p, now, secureScripts), secureTable)
	if *update {
		if err := now.write(secureRecording, secureScripts); err != nil {
			t.Fatal(err)
		}
	}
}
