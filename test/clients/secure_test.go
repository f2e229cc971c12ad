package clients_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/IBM/sarama"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/xdg-go/scram"

	"minibroker/test/harness"
	"minibroker/test/venv"
)

// TestClientsLogIn has clients come in by ports that speak SASL, with TLS and without, to two brokers: what they are
// told must lead to the other broker's port of the same kind.
func TestClientsLogIn(t *testing.T) {
	t.Parallel()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	s := harness.Start(t, harness.Options{Args: []string{"--brokers", "2", "--user", "anna:secret", "--tls-ca-out", ca, "--extra-port", "SASL_PLAINTEXT:0", "--extra-port", "SASL_SSL:0"}})
	warm(t, strings.Split(s.Bootstrap, ",")[0])
	for _, protocol := range []string{"SASL_PLAINTEXT", "SASL_SSL"} {
		at := s.Await(t, `(?m)^`+protocol+`: bootstrap\.servers=(\S+)`)
		for _, mechanism := range []string{"PLAIN", "SCRAM-SHA-256"} {
			for name, login := range map[string]func(*testing.T, way){"kafka-python": pythonLogin, "confluent-kafka": pythonLogin, "sarama": saramaLogin} {
				t.Run(protocol+" "+mechanism+" "+name, func(t *testing.T) {
					t.Parallel()
					w := way{client: name, bootstrap: at[1], protocol: protocol, mechanism: mechanism, ca: ca, topic: topicOf(t)}
					admin := kadm.NewClient(kgoClient(t, s.Bootstrap))
					if r, err := admin.CreateTopic(timeout(t), 2, 1, nil, w.topic); err != nil || r.Err != nil {
						t.Fatal(err, r.Err)
					}
					login(t, w)
					committed, err := admin.FetchOffsets(timeout(t), w.topic)
					if err != nil {
						t.Fatal(err)
					}
					for partition := range int32(2) {
						if o, ok := committed.Lookup(w.topic, partition); !ok || o.At != 5 {
							t.Errorf("the group committed %d of partition %d (found: %v), want 5", o.At, partition, ok)
						}
					}
				})
			}
		}
	}
}

// TestAJavaClientLogsIn has a Java client trust the broker's certificate, its name checked.
func TestAJavaClientLogsIn(t *testing.T) {
	t.Parallel()
	slow(t)
	dir := t.TempDir()
	ca, client := filepath.Join(dir, "ca.pem"), filepath.Join(dir, "client.properties")
	s := harness.Start(t, harness.Options{Args: []string{"--user", "anna:secret", "--tls-ca-out", ca, "--topic", "orders:1"}})
	writeFile(t, client, `security.protocol=SASL_SSL
ssl.truststore.type=PEM
ssl.truststore.location=`+ca+`
sasl.mechanism=SCRAM-SHA-256
sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required username="anna" password="secret";
`)
	out, status := startKafkaTools(t, s.Bootstrap).run(t, "", "topics", "--describe", "--command-config", client)
	if status != 0 || !strings.Contains(out, "Topic: orders") {
		t.Errorf("status %d\n%s", status, out)
	}
}

// way is how a client comes in.
type way struct{ client, bootstrap, protocol, mechanism, ca, topic string }

func pythonLogin(t *testing.T, w way) {
	var env venv.Venv
	if w.client == "kafka-python" {
		env, _ = venv.KafkaPython(t, "2.2.*")
	} else {
		env = venv.Make(t, venv.Find(t, 0), venv.Venv{}, w.client)
	}
	run(t, env.Python, "secure.py", "--client", w.client, "--bootstrap", w.bootstrap, "--topic", w.topic, "--protocol", w.protocol, "--mechanism", w.mechanism, "--ca", w.ca)
}

func saramaLogin(t *testing.T, w way) {
	conf := func(password string) *sarama.Config {
		c := sarama.NewConfig()
		c.Version = sarama.V2_1_0_0
		c.Metadata.Retry.Max = 0
		c.Producer.Return.Successes = true
		c.Producer.Partitioner = sarama.NewManualPartitioner
		c.Consumer.Offsets.AutoCommit.Enable = false
		c.Net.SASL.Enable, c.Net.SASL.User, c.Net.SASL.Password = true, "anna", password
		if c.Net.SASL.Mechanism = sarama.SASLMechanism(w.mechanism); w.mechanism != sarama.SASLTypePlaintext {
			c.Net.SASL.SCRAMClientGeneratorFunc = func() sarama.SCRAMClient { return &saramaScram{} }
		}
		if w.protocol == "SASL_SSL" {
			text, err := os.ReadFile(w.ca)
			if err != nil {
				t.Fatal(err)
			}
			pool := x509.NewCertPool()
			pool.AppendCertsFromPEM(text)
			c.Net.TLS.Enable, c.Net.TLS.Config = true, &tls.Config{RootCAs: pool}
		}
		return c
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	client, err := sarama.NewClient(strings.Split(w.bootstrap, ","), conf("secret"))
	must(err)
	defer client.Close()
	producer, err := sarama.NewSyncProducerFromClient(client)
	must(err)
	consumer, err := sarama.NewConsumerFromClient(client)
	must(err)
	offsets, err := sarama.NewOffsetManagerFromClient(w.topic, client)
	must(err)
	for partition := range int32(2) {
		for i := range 5 {
			_, _, err := producer.SendMessage(&sarama.ProducerMessage{Topic: w.topic, Partition: partition, Value: sarama.StringEncoder(fmt.Sprint(i))})
			must(err)
		}
		messages, err := consumer.ConsumePartition(w.topic, partition, sarama.OffsetOldest)
		must(err)
		for i := range 5 {
			if m := <-messages.Messages(); string(m.Value) != fmt.Sprint(i) {
				t.Errorf("message %d of partition %d is %q", i, partition, m.Value)
			}
		}
		must(messages.Close())
		o, err := offsets.ManagePartition(w.topic, partition)
		must(err)
		o.MarkOffset(5, "")
	}
	offsets.Commit()
	must(offsets.Close())
	if wrong, err := sarama.NewClient(strings.Split(w.bootstrap, ","), conf("wrong")); err == nil {
		wrong.Close()
		t.Error("a wrong password was let in")
	} else if !errors.Is(err, sarama.ErrSASLAuthenticationFailed) {
		t.Errorf("a wrong password is told as %v", err)
	}
}

// saramaScram is SCRAM-SHA-256 as sarama wants it.
type saramaScram struct{ talk *scram.ClientConversation }

func (s *saramaScram) Begin(user, password, id string) error {
	client, err := scram.SHA256.NewClient(user, password, id)
	if err == nil {
		s.talk = client.NewConversation()
	}
	return err
}
func (s *saramaScram) Step(challenge string) (string, error) { return s.talk.Step(challenge) }
func (s *saramaScram) Done() bool                            { return s.talk.Done() }
