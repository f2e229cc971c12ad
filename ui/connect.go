package ui

// This file owns the "how to connect" box: what a program must be given to
// reach the broker from where the reader is, and to be let in.

import (
	"cmp"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"

	"minibroker/broker/auth"
)

// snippet is a program that connects.
type snippet struct {
	ID   string `json:"id"` // of the tab
	Name string `json:"name"`
	Code string `json:"code"`
}

// way is one way to connect: a kind of port, and what a client says there. The
// password is never in it.
type way struct {
	Protocol  string `json:"security_protocol"`
	Bootstrap string `json:"bootstrap_servers"`
	Mechanism string `json:"sasl_mechanism,omitempty"`
	User      string `json:"sasl_username,omitempty"` // USER, where any will do
	// CA is where the certificate to trust can be had; empty where clients know it,
	// or have to be given it by whoever runs the cluster.
	CA       string `json:"ca_url,omitempty"`
	trustsCA bool   // ca.pem is needed
	// Certificate: a client must show one of its own, which programs have in client.pem.
	Certificate bool   `json:"client_certificate,omitempty"`
	Link        string `json:"-"` // to the same page by this way
}

func (w *way) tls() bool  { return strings.HasSuffix(w.Protocol, "SSL") }
func (w *way) sasl() bool { return strings.HasPrefix(w.Protocol, "SASL") }

// ways are all ways to connect; the first is the one that the request asks for
// by "via", or else the main port's.
func (s *site) ways(r *http.Request) []way {
	if s.broker == nil {
		w := way{Protocol: s.remote.protocol(), Bootstrap: strings.Join(s.cluster.seeds, ","), Mechanism: s.remote.Mechanism, User: s.remote.User}
		if s.remote.TLS != nil {
			w.trustsCA, w.Certificate = s.remote.TLS.RootCAs != nil, len(s.remote.TLS.Certificates) > 0
		}
		return []way{w}
	}
	var all []way
	for i, protocol := range s.broker.SecurityProtocols() {
		w := way{Protocol: protocol, Bootstrap: s.published, Link: "/?via=" + protocol + "#connect"}
		if i > 0 || w.Bootstrap == "" {
			var at []string
			for address := range strings.SplitSeq(s.broker.BootstrapOf(protocol), ",") {
				at = append(at, fromReader(r, address))
			}
			w.Bootstrap = strings.Join(at, ",")
		}
		if w.tls() && s.broker.CA() != nil {
			w.trustsCA, w.CA = true, "http://"+r.Host+caPath
		}
		w.Certificate = protocol == "SSL" && s.broker.WantsCertificates()
		if offered := s.broker.SASLMechanisms(); w.sasl() && len(offered) > 0 {
			// Users made since the start have SCRAM passwords only.
			w.User, w.Mechanism = "USER", offered[max(0, slices.Index(offered, auth.ScramSHA256))]
		}
		all = append(all, w)
	}
	if i := slices.IndexFunc(all, func(w way) bool { return w.Protocol == r.Form.Get("via") }); i > 0 {
		all = slices.Concat(all[i:i+1], all[:i], all[i+1:])
	}
	return all
}

// bootstrapFor is the address that a client beside the reader's browser uses:
// the host under which the browser reached this page, with Kafka's port. Where
// the port is published under another number, only --published knows it.
func (s *site) bootstrapFor(r *http.Request) string { return s.ways(r)[0].Bootstrap }

// fromReader is a broker's address with the host under which the reader's
// browser reached this page.
func fromReader(r *http.Request, address string) string {
	_, port, err := net.SplitHostPort(address)
	if host := hostOf(r); err == nil && host != "" {
		return net.JoinHostPort(host, port)
	}
	return address
}

// programs connect. A line that begins with a word and | is for ways of that kind
// only: plain, secure (not plain), tls, ca (ca.pem is needed), fetch (it can be
// had here), cert (client.pem is needed: a certificate and its key), file (one of these),
// sasl, scram or pw (SASL without SCRAM). Words in capitals are put in.
var programs = []snippet{
	{"python", "Python", `# pip install kafka-python
fetch|# curl -o ca.pem CAURL
from kafka import KafkaProducer, KafkaConsumer

plain|producer = KafkaProducer(bootstrap_servers="BOOTSTRAP")
secure|login = dict(PYTHON)
secure|producer = KafkaProducer(**login)
producer.send("demo", key=b"user-1", value=b'{"hello": "world"}')
producer.flush()

plain|consumer = KafkaConsumer("demo", bootstrap_servers="BOOTSTRAP",
plain|                         group_id="demo-group", auto_offset_reset="earliest")
secure|consumer = KafkaConsumer("demo", group_id="demo-group",
secure|                         auto_offset_reset="earliest", **login)
for record in consumer:
    print(record.partition, record.offset, record.key, record.value)`},
	{"java", "Java", `// org.apache.kafka:kafka-clients
fetch|// curl -o ca.pem CAURL
Properties props = new Properties();
props.put("bootstrap.servers", "BOOTSTRAP");
secure|props.put("security.protocol", "PROTOCOL");
ca|props.put("ssl.truststore.type", "PEM");
ca|props.put("ssl.truststore.location", "ca.pem");
cert|props.put("ssl.keystore.type", "PEM");
cert|props.put("ssl.keystore.location", "client.pem");
sasl|props.put("sasl.mechanism", "MECHANISM");
sasl|props.put("sasl.jaas.config", "MODULE required"
sasl|    + " username=\"USER\" password=\"PASSWORD\";");
props.put("key.serializer", "org.apache.kafka.common.serialization.StringSerializer");
props.put("value.serializer", "org.apache.kafka.common.serialization.StringSerializer");

try (var producer = new KafkaProducer<String, String>(props)) {
    producer.send(new ProducerRecord<>("demo", "user-1", "{\"hello\": \"world\"}"));
}`},
	{"go", "Go", `// go get github.com/twmb/franz-go/pkg/kgo
fetch|// curl -o ca.pem CAURL
ca|pem, err := os.ReadFile("ca.pem")
ca|if err != nil {
ca|	log.Fatal(err)
ca|}
ca|roots := x509.NewCertPool()
ca|roots.AppendCertsFromPEM(pem)
cert|mine, err := tls.LoadX509KeyPair("client.pem", "client.pem")
cert|if err != nil {
cert|	log.Fatal(err)
cert|}
client, err := kgo.NewClient(
	kgo.SeedBrokers(SEEDS),
	kgo.AllowAutoTopicCreation(),
tls|	kgo.DialTLSConfig(GOTLS),
scram|	kgo.SASL(scram.Auth{User: "USER", Pass: "PASSWORD"}.AsSHAMechanism()),
pw|	kgo.SASL(plain.Auth{User: "USER", Pass: "PASSWORD"}.AsMechanism()),
)
if err != nil {
	log.Fatal(err)
}
defer client.Close()
record := &kgo.Record{Topic: "demo", Key: []byte("user-1"), Value: []byte("hello")}
if err := client.ProduceSync(ctx, record).FirstErr(); err != nil {
	log.Fatal(err)
}`},
	{"node", "Node", `// npm install kafkajs
fetch|// curl -o ca.pem CAURL
file|import fs from "node:fs";
import { Kafka } from "kafkajs";

plain|const kafka = new Kafka({ clientId: "demo", brokers: [SEEDS] });
secure|const kafka = new Kafka({
secure|  clientId: "demo", brokers: [SEEDS],
tls|  ssl: NODETLS,
sasl|  sasl: { mechanism: "LOWER", username: "USER", password: "PASSWORD" },
secure|});
const producer = kafka.producer();
await producer.connect();
await producer.send({ topic: "demo", messages: [{ key: "user-1", value: "hello" }] });
await producer.disconnect();`},
	{"spark", "Spark", `# spark-submit --packages org.apache.spark:spark-sql-kafka-0-10_2.13:4.0.0
fetch|# curl -o ca.pem CAURL
df = (spark.readStream.format("kafka")
      .option("kafka.bootstrap.servers", "BOOTSTRAP")
secure|      .option("kafka.security.protocol", "PROTOCOL")
ca|      .option("kafka.ssl.truststore.type", "PEM")
ca|      .option("kafka.ssl.truststore.location", "ca.pem")
cert|      .option("kafka.ssl.keystore.type", "PEM")
cert|      .option("kafka.ssl.keystore.location", "client.pem")
sasl|      .option("kafka.sasl.mechanism", "MECHANISM")
sasl|      .option("kafka.sasl.jaas.config", "MODULE required"
sasl|              ' username="USER" password="PASSWORD";')
      .option("subscribe", "demo")
      .option("startingOffsets", "earliest")
      .load())
(df.selectExpr("CAST(key AS STRING)", "CAST(value AS STRING)")
   .writeStream.format("console").start().awaitTermination())`},
	{"cli", "CLI", `fetch|curl -o ca.pem CAURL
secure|cat > client.properties <<'END'
secure|security.protocol=PROTOCOL
ca|ssl.truststore.type=PEM
ca|ssl.truststore.location=ca.pem
cert|ssl.keystore.type=PEM
cert|ssl.keystore.location=client.pem
sasl|sasl.mechanism=MECHANISM
sasl|sasl.jaas.config=MODULE required username="USER" password="PASSWORD";
secure|END
kafka-topics.sh --bootstrap-server BOOTSTRAPADMINCONFIG --create --topic demo --partitions 3
kafka-console-producer.sh --bootstrap-server BOOTSTRAPPRODUCERCONFIG --topic demo
kafka-console-consumer.sh --bootstrap-server BOOTSTRAPCONSUMERCONFIG --topic demo --from-beginning

# or with kcat
secure|cat > kcat.conf <<'END'
secure|security.protocol=PROTOCOL
ca|ssl.ca.location=ca.pem
cert|ssl.certificate.location=client.pem
cert|ssl.key.location=client.pem
sasl|sasl.mechanism=MECHANISM
sasl|sasl.username=USER
sasl|sasl.password=PASSWORD
secure|END
echo hello | kcat -b BOOTSTRAPKCATCONFIG -t demo -P
kcat -b BOOTSTRAPKCATCONFIG -t demo -C -e`},
}

// python are the arguments that a client of kafka-python takes.
func (w *way) python() string {
	args := fmt.Sprintf("bootstrap_servers=%q", w.Bootstrap)
	if w.tls() || w.sasl() {
		args += fmt.Sprintf(", security_protocol=%q", w.Protocol)
	}
	if w.trustsCA {
		args += `, ssl_cafile="ca.pem"`
	}
	if w.Certificate {
		args += ",\n    " + `ssl_certfile="client.pem", ssl_keyfile="client.pem"`
	}
	if w.sasl() {
		args += fmt.Sprintf(",\n    sasl_mechanism=%q, sasl_plain_username=%q, sasl_plain_password=\"PASSWORD\"", w.Mechanism, w.User)
	}
	return args
}

// goTLS and nodeTLS are what clients of these languages need for TLS.
func (w *way) goTLS() string {
	var fields []string
	if w.trustsCA {
		fields = append(fields, "RootCAs: roots")
	}
	if w.Certificate {
		fields = append(fields, "Certificates: []tls.Certificate{mine}")
	}
	return "&tls.Config{" + strings.Join(fields, ", ") + "}"
}

func (w *way) nodeTLS() string {
	var fields []string
	if w.trustsCA {
		fields = append(fields, `ca: [fs.readFileSync("ca.pem")]`)
	}
	if w.Certificate {
		fields = append(fields, `cert: fs.readFileSync("client.pem"), key: fs.readFileSync("client.pem")`)
	}
	if fields == nil {
		return "true"
	}
	return "{ " + strings.Join(fields, ", ") + " }"
}

// fetch is the line that says where ca.pem is to be had.
func (w *way) fetch() string {
	if w.CA == "" {
		return ""
	}
	return "# curl -o ca.pem " + w.CA + "\n"
}

// snippets are the programs for a way to connect.
func (w *way) snippets() []snippet {
	scram := strings.HasPrefix(w.Mechanism, "SCRAM")
	kinds := map[string]bool{
		"plain": !w.tls() && !w.sasl(), "secure": w.tls() || w.sasl(), "tls": w.tls(), "ca": w.trustsCA, "fetch": w.CA != "", "cert": w.Certificate,
		"file": w.trustsCA || w.Certificate, "sasl": w.sasl(), "scram": w.sasl() && scram, "pw": w.sasl() && !scram,
	}
	module, sha := "org.apache.kafka.common.security.plain.PlainLoginModule", "Sha256"
	if scram {
		module = "org.apache.kafka.common.security.scram.ScramLoginModule"
	}
	if w.Mechanism == auth.ScramSHA512 {
		sha = "Sha512"
	}
	config := func(text string) string {
		if kinds["plain"] {
			return ""
		}
		return " " + text
	}
	words := strings.NewReplacer("BOOTSTRAP", w.Bootstrap, "SEEDS", `"`+strings.ReplaceAll(w.Bootstrap, ",", `", "`)+`"`, "CAURL", w.CA, "PROTOCOL", w.Protocol,
		"MECHANISM", w.Mechanism, "MODULE", module, "AsSHA", "As"+sha, "LOWER", strings.ToLower(w.Mechanism), "USER", cmp.Or(w.User, "USER"), "PYTHON", w.python(), "GOTLS", w.goTLS(), "NODETLS", w.nodeTLS(),
		"ADMINCONFIG", config("--command-config client.properties"), "PRODUCERCONFIG", config("--producer.config client.properties"),
		"CONSUMERCONFIG", config("--consumer.config client.properties"), "KCATCONFIG", config("-F kcat.conf"))
	all := make([]snippet, len(programs))
	for i, p := range programs {
		var code []string
		for line := range strings.SplitSeq(p.Code, "\n") {
			if kind, rest, ok := strings.Cut(line, "|"); ok && !strings.Contains(kind, " ") {
				if !kinds[kind] {
					continue
				}
				line = rest
			}
			code = append(code, line)
		}
		all[i] = snippet{p.ID, p.Name, words.Replace(strings.Join(code, "\n"))}
	}
	return all
}
