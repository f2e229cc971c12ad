package ui

// This file owns the "how to connect" box: what a program must be given to
// reach the broker from where the reader is.

import (
	"net"
	"net/http"
	"strings"
)

// snippet is a program that connects.
type snippet struct {
	ID   string `json:"id"` // of the tab
	Name string `json:"name"`
	Code string `json:"code"`
}

// bootstrapFor is the address that a client beside the reader's browser uses:
// the host under which the browser reached this page, with Kafka's port. Where
// the port is published under another number, only --published knows it.
func (s *site) bootstrapFor(r *http.Request) string {
	if s.published != "" {
		return s.published
	}
	if s.broker == nil {
		return strings.Join(s.cluster.seeds, ",")
	}
	var all []string
	for address := range strings.SplitSeq(s.broker.Bootstrap(), ",") {
		all = append(all, fromReader(r, address))
	}
	return strings.Join(all, ",")
}

// fromReader is a broker's address with the host under which the reader's
// browser reached this page.
func fromReader(r *http.Request, address string) string {
	_, port, err := net.SplitHostPort(address)
	if host := hostOf(r); err == nil && host != "" {
		return net.JoinHostPort(host, port)
	}
	return address
}

var programs = []snippet{
	{"python", "Python", `# pip install kafka-python
from kafka import KafkaProducer, KafkaConsumer

producer = KafkaProducer(bootstrap_servers="BOOTSTRAP")
producer.send("demo", key=b"user-1", value=b'{"hello": "world"}')
producer.flush()

consumer = KafkaConsumer("demo", bootstrap_servers="BOOTSTRAP",
                         group_id="demo-group", auto_offset_reset="earliest")
for record in consumer:
    print(record.partition, record.offset, record.key, record.value)`},
	{"java", "Java", `// org.apache.kafka:kafka-clients
Properties props = new Properties();
props.put("bootstrap.servers", "BOOTSTRAP");
props.put("key.serializer", "org.apache.kafka.common.serialization.StringSerializer");
props.put("value.serializer", "org.apache.kafka.common.serialization.StringSerializer");

try (var producer = new KafkaProducer<String, String>(props)) {
    producer.send(new ProducerRecord<>("demo", "user-1", "{\"hello\": \"world\"}"));
}`},
	{"go", "Go", `// go get github.com/twmb/franz-go/pkg/kgo
client, err := kgo.NewClient(
	kgo.SeedBrokers("BOOTSTRAP"),
	kgo.AllowAutoTopicCreation(),
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
import { Kafka } from "kafkajs";

const kafka = new Kafka({ clientId: "demo", brokers: ["BOOTSTRAP"] });
const producer = kafka.producer();
await producer.connect();
await producer.send({ topic: "demo", messages: [{ key: "user-1", value: "hello" }] });
await producer.disconnect();`},
	{"spark", "Spark", `# spark-submit --packages org.apache.spark:spark-sql-kafka-0-10_2.13:4.0.0
df = (spark.readStream.format("kafka")
      .option("kafka.bootstrap.servers", "BOOTSTRAP")
      .option("subscribe", "demo")
      .option("startingOffsets", "earliest")
      .load())
(df.selectExpr("CAST(key AS STRING)", "CAST(value AS STRING)")
   .writeStream.format("console").start().awaitTermination())`},
	{"cli", "CLI", `kafka-topics.sh --bootstrap-server BOOTSTRAP --create --topic demo --partitions 3
kafka-console-producer.sh --bootstrap-server BOOTSTRAP --topic demo
kafka-console-consumer.sh --bootstrap-server BOOTSTRAP --topic demo --from-beginning

# or with kcat
echo hello | kcat -b BOOTSTRAP -t demo -P
kcat -b BOOTSTRAP -t demo -C -e`},
}

func snippets(bootstrap string) []snippet {
	all := make([]snippet, len(programs))
	for i, p := range programs {
		all[i] = snippet{p.ID, p.Name, strings.ReplaceAll(p.Code, "BOOTSTRAP", bootstrap)}
	}
	return all
}
