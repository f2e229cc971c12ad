// A Kafka Streams word count: lines of TOPIC-in, one message for each word that is counted to TOPIC-out. It runs until it
// is stopped. Started again with the same directory it goes on where it was.
//
// Lines with a mark at their end are for some versions only: see RoundTrip.java.

import java.util.*;
import org.apache.kafka.common.serialization.*;
import org.apache.kafka.streams.*;
import org.apache.kafka.streams.kstream.*;

public class WordCount {
    public static void main(String[] args) {
        Map<String, String> o = new HashMap<>();
        for (int i = 0; i < args.length; i += 2) o.put(args[i], args[i + 1]);
        String topic = o.get("--topic");
        Properties c = new Properties();
        c.put("application.id", topic);
        c.put("bootstrap.servers", o.get("--bootstrap"));
        c.put("state.dir", o.get("--dir"));
        c.put("processing.guarantee", o.get("--guarantee"));
        c.put("num.stream.threads", "2");
        c.put("commit.interval.ms", "100");
        c.put("cache.max.bytes.buffering", "0"); //< 3.4
        c.put("statestore.cache.max.bytes", "0"); //> 3.4
        c.put("replication.factor", "1"); //< 3.0
        c.put("default.key.serde", Serdes.StringSerde.class);
        c.put("default.value.serde", Serdes.StringSerde.class);
        c.put("consumer.auto.offset.reset", "earliest");
        c.put("consumer.session.timeout.ms", "6000"); // how soon the broker sees that a killed member is gone
        c.put("consumer.heartbeat.interval.ms", "500");
        if (o.get("--protocol") != null) c.put("group.protocol", o.get("--protocol"));

        StreamsBuilder b = new StreamsBuilder();
        KStream<String, String> lines = b.stream(topic + "-in");
        lines.flatMapValues(line -> Arrays.asList(line.split(" ")))
            .groupBy((key, word) -> word)
            .count(Materialized.as("counts"))
            .toStream()
            .mapValues(n -> "" + n)
            .to(topic + "-out");
        KafkaStreams streams = new KafkaStreams(b.build(), c);
        streams.setUncaughtExceptionHandler(e -> {
            e.printStackTrace();
            Runtime.getRuntime().halt(3);
            return null;
        });
        Runtime.getRuntime().addShutdownHook(new Thread(() -> streams.close(java.time.Duration.ofSeconds(30))));
        streams.start();
    }
}
