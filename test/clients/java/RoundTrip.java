// Java's kafka-clients against one broker. See clients_test.go for the topics it is given; a failure is a stack trace and
// exit status 1.
//
// One source for every version: a line that ends in "//> 2.3" is compiled for kafka-clients 2.3 and later, one that ends
// in "//< 2.3" for those before.

import java.time.Duration; //> 2.0
import java.util.*;
import java.util.concurrent.*;
import org.apache.kafka.clients.admin.*; //> 1.0
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.*;
import org.apache.kafka.common.acl.*; //> 1.0
import org.apache.kafka.common.config.ConfigResource; //> 1.0
import org.apache.kafka.common.errors.*;
import org.apache.kafka.common.header.*; //> 1.0
import org.apache.kafka.common.serialization.*;
import org.apache.kafka.common.utils.AppInfoParser; //< 4.4
import org.apache.kafka.common.utils.internals.AppInfoParser; //> 4.4

public class RoundTrip {
    static final List<String> codecs = new ArrayList<>(Arrays.asList("none", "gzip", "snappy", "lz4"));
    static final byte[] NO_KEY = null;
    static String bootstrap, topic;

    public static void main(String[] args) throws Exception {
        for (int i = 0; i < args.length; i += 2) {
            if (args[i].equals("--bootstrap")) bootstrap = args[i + 1];
            if (args[i].equals("--topic")) topic = args[i + 1];
        }
        codecs.add("zstd"); //> 2.1
        List<Callable<Void>> parts = new ArrayList<>();
        parts.add(() -> { produce(); consume(); read(); return null; });
        String strategy = "partition.assignment.strategy", assignors = "org.apache.kafka.clients.consumer.";
        parts.add(() -> { Groups.rebalance("range", strategy, assignors + "RangeAssignor"); return null; });
        parts.add(() -> { Groups.rebalance("round-robin", strategy, assignors + "RoundRobinAssignor"); return null; }); //> 1.0
        parts.add(() -> { Groups.rebalance("sticky", strategy, assignors + "StickyAssignor"); return null; }); //> 1.0
        parts.add(() -> { Groups.rebalance("cooperative", strategy, assignors + "CooperativeStickyAssignor"); return null; }); //> 2.4
        parts.add(() -> { Groups.comesBack("static"); return null; }); //> 2.3
        parts.add(() -> { Groups.rebalance("protocol", "group.protocol", "consumer"); return null; }); //> 3.9
        parts.add(() -> { Groups.comesBack("static-protocol", "group.protocol", "consumer"); return null; }); //> 4.0
        parts.add(() -> { Transactions.run(); return null; }); //> 1.0
        parts.add(() -> { Shares.run(); return null; }); //> 4.2
        parts.add(() -> { administration(); return null; }); //> 1.0
        // Threads of a pool that has failed end with the program.
        ExecutorService pool = Executors.newCachedThreadPool(r -> { Thread t = new Thread(r); t.setDaemon(true); return t; });
        for (Future<Void> f : pool.invokeAll(parts)) f.get();
        System.out.println("kafka-clients " + AppInfoParser.getVersion());
    }

    static void equal(Object got, Object want, String what) {
        if (!Objects.equals(got, want)) throw new AssertionError(what + ": " + got + ", want " + want);
    }

    static void fails(Class<? extends Exception> want, Callable<?> call) throws Exception {
        Throwable got = null;
        try { call.call(); } catch (ExecutionException e) { got = e.getCause(); } catch (KafkaException e) { got = e; }
        if (got == null || got.getClass() != want) throw new AssertionError("got " + got + ", want " + want, got);
    }

    static Map<String, Object> config(Object... more) {
        Map<String, Object> c = new HashMap<>();
        c.put("bootstrap.servers", bootstrap);
        for (int i = 0; i < more.length; i += 2) c.put((String) more[i], more[i + 1]);
        return c;
    }

    static KafkaProducer<byte[], byte[]> producer(Object... more) {
        return new KafkaProducer<>(config(more), new ByteArraySerializer(), new ByteArraySerializer());
    }

    static KafkaConsumer<byte[], byte[]> consumer(String group, Object... more) {
        Map<String, Object> c = config(more);
        c.put("group.id", group);
        c.put("auto.offset.reset", "earliest");
        c.put("enable.auto.commit", "false");
        // How soon a member hears of a rebalance; where the broker makes the assignments, it says how soon.
        if (!"consumer".equals(c.get("group.protocol"))) c.put("heartbeat.interval.ms", "100");
        return new KafkaConsumer<>(c, new ByteArrayDeserializer(), new ByteArrayDeserializer());
    }

    static ConsumerRecords<byte[], byte[]> poll(KafkaConsumer<byte[], byte[]> c) {
        return c.poll(Duration.ofMillis(100)); //> 2.0
        return c.poll(100); //< 2.0
    }

    static List<ConsumerRecord<byte[], byte[]>> take(KafkaConsumer<byte[], byte[]> c, int n) {
        List<ConsumerRecord<byte[], byte[]>> got = new ArrayList<>();
        for (long end = System.nanoTime() + 60_000_000_000L; got.size() < n; ) {
            if (System.nanoTime() > end) throw new AssertionError(got.size() + " of " + n + " records came");
            for (ConsumerRecord<byte[], byte[]> r : poll(c)) got.add(r);
        }
        equal(got.size(), n, "number of records");
        return got;
    }

    static String key(int i) { return codecs.get(i / 10) + "-" + i % 10; }

    static String value(int i) {
        StringBuilder b = new StringBuilder();
        for (int n = 0; n < 20; n++) b.append(codecs.get(i / 10)).append(' ').append(i % 10).append(' ');
        return b.toString();
    }

    static void produce() throws Exception {
        for (int c = 0; c < codecs.size(); c++) {
            KafkaProducer<byte[], byte[]> p = producer("compression.type", codecs.get(c), "linger.ms", "20", "acks", "all"
                , "enable.idempotence", "true" //> 1.0
            );
            List<Future<RecordMetadata>> told = new ArrayList<>();
            for (int i = 10 * c; i < 10 * c + 10; i++) {
                ProducerRecord<byte[], byte[]> r = new ProducerRecord<>(topic, 0, 1600000000000L + i % 10, key(i).getBytes(), value(i).getBytes());
                r.headers().add("n", ("" + i % 10).getBytes()).add("null", null).add("n", new byte[0]); //> 1.0
                told.add(p.send(r));
            }
            for (int i = 0; i < 10; i++) {
                RecordMetadata m = told.get(i).get(30, TimeUnit.SECONDS);
                equal(m.offset(), 10L * c + i, "offset told");
                equal(m.timestamp(), 1600000000000L + i, "timestamp told");
                equal(m.partition(), 0, "partition told");
            }
            equal(p.partitionsFor(topic).size(), 1, "partitions");
            p.close();
        }
    }

    static void consume() throws Exception {
        TopicPartition tp = new TopicPartition(topic, 0);
        int total = 10 * codecs.size();
        KafkaConsumer<byte[], byte[]> c = consumer(topic + "-group");
        c.subscribe(Collections.singletonList(topic));
        List<ConsumerRecord<byte[], byte[]>> got = take(c, total);
        for (int i = 0; i < total; i++) {
            ConsumerRecord<byte[], byte[]> r = got.get(i);
            equal(r.offset(), (long) i, "offset");
            equal(new String(r.key()), key(i), "key at " + i);
            equal(new String(r.value()), value(i), "value at " + i);
            equal(r.timestamp(), 1600000000000L + i % 10, "timestamp at " + i);
            equal(r.timestampType().name, "CreateTime", "timestamp type at " + i);
            Header[] h = r.headers().toArray(); //> 1.0
            equal(h.length + h[0].key() + new String(h[0].value()), "3n" + i % 10, "headers at " + i); //> 1.0
            equal(h[1].key() + h[1].value(), "nullnull", "second header at " + i); //> 1.0
            equal(h[2].key() + h[2].value().length, "n0", "third header at " + i); //> 1.0
        }
        c.commitSync(Collections.singletonMap(tp, new OffsetAndMetadata(total, "a note")));
        OffsetAndMetadata o;
        o = c.committed(Collections.singleton(tp)).get(tp); //> 2.4
        o = c.committed(tp); //< 2.4
        equal(o.offset() + o.metadata(), total + "a note", "committed");
        equal(c.position(tp), (long) total, "position");
        c.seek(tp, 25);
        equal(poll25(c), 25L, "offset after seek");
        equal(c.beginningOffsets(Collections.singleton(tp)).get(tp), 0L, "log start");
        equal(c.endOffsets(Collections.singleton(tp)).get(tp), (long) total, "log end");
        OffsetAndTimestamp t = c.offsetsForTimes(Collections.singletonMap(tp, 1600000000005L)).get(tp);
        equal(t.offset() + " " + t.timestamp(), "5 1600000000005", "offset for time");
        equal(c.offsetsForTimes(Collections.singletonMap(tp, 1600000000010L)).get(tp), null, "offset for a time after all");
        equal(c.listTopics().containsKey(topic), true, "listed");
        c.close();
        // The next member begins where the group was.
        c = consumer(topic + "-group");
        c.assign(Collections.singletonList(tp));
        equal(c.position(tp), (long) total, "position of the next member");
        c.close();
        c = new KafkaConsumer<>(config("group.id", topic, "auto.offset.reset", "none", "enable.auto.commit", "false"), new ByteArrayDeserializer(), new ByteArrayDeserializer());
        c.assign(Collections.singletonList(tp));
        KafkaConsumer<byte[], byte[]> none = c;
        fails(NoOffsetForPartitionException.class, () -> none.position(tp));
        c.seek(tp, 1000);
        fails(org.apache.kafka.clients.consumer.OffsetOutOfRangeException.class, () -> take(none, 1));
        c.close();
    }

    static long poll25(KafkaConsumer<byte[], byte[]> c) {
        for (long end = System.nanoTime() + 60_000_000_000L; System.nanoTime() < end; )
            for (ConsumerRecord<byte[], byte[]> r : poll(c)) return r.offset();
        return -1;
    }

    static void read() {
        KafkaConsumer<byte[], byte[]> c = consumer(topic + "-other");
        c.assign(Collections.singletonList(new TopicPartition(topic + "-in", 0)));
        List<ConsumerRecord<byte[], byte[]>> got = take(c, 10);
        for (int i = 0; i < 10; i++) {
            equal(got.get(i).offset() + " " + new String(got.get(i).value()), i + " " + i, "record of franz-go");
            equal(got.get(i).headers().lastHeader("new").value()[0], (byte) 'h', "header of franz-go"); //> 1.0
        }
        c.close();
    }

    //begin> 1.0
    static TopicDescription describe(AdminClient a, String t) throws Exception {
        return a.describeTopics(Collections.singleton(t)).allTopicNames().get().get(t); //> 3.1
        return a.describeTopics(Collections.singleton(t)).all().get().get(t); //< 3.1
    }

    static String config(AdminClient a, String t, String name) throws Exception {
        ConfigResource r = new ConfigResource(ConfigResource.Type.TOPIC, t);
        ConfigEntry e = a.describeConfigs(Collections.singleton(r)).all().get().get(r).get(name);
        return e.value() + (e.isDefault() ? " by default" : "");
    }

    static void administration() throws Exception {
        String t = topic + "-admin";
        AdminClient a = AdminClient.create(config());
        equal(a.describeCluster().nodes().get().size() + " " + a.describeCluster().controller().get().id(), "1 1", "nodes");
        NewTopic n = new NewTopic(t, 2, (short) 1).configs(Collections.singletonMap("retention.ms", "123456789"));
        a.createTopics(Collections.singleton(n), new CreateTopicsOptions().validateOnly(true)).all().get();
        CreateTopicsResult created = a.createTopics(Collections.singleton(n));
        created.all().get();
        equal(created.numPartitions(t).get() + " " + created.config(t).get().get("retention.ms").value(), "2 123456789", "created"); //> 2.4
        fails(TopicExistsException.class, () -> a.createTopics(Collections.singleton(n)).all().get());
        fails(InvalidReplicationFactorException.class, () -> a.createTopics(Collections.singleton(new NewTopic(t + "2", 1, (short) 3))).all().get());
        fails(InvalidPartitionsException.class, () -> a.createTopics(Collections.singleton(new NewTopic(t + "2", 0, (short) 1))).all().get());
        fails(InvalidTopicException.class, () -> a.createTopics(Collections.singleton(new NewTopic("a b", 1, (short) 1))).all().get());
        equal(a.listTopics().names().get().contains(t), true, "listed");
        equal(a.listTopics().names().get().contains(t + "2"), false, "listed what was refused");
        TopicDescription d = describe(a, t);
        equal(d.partitions().size() + " " + d.isInternal() + " " + d.partitions().get(0).leader().id() + " " + d.partitions().get(1).isr().size(), "2 false 1 1", "described");
        equal(d.topicId().equals(Uuid.ZERO_UUID), false, "no topic id"); //> 3.1
        fails(UnknownTopicOrPartitionException.class, () -> describe(a, t + "2"));
        equal(config(a, t, "retention.ms"), "123456789", "config");
        equal(config(a, t, "cleanup.policy"), "delete by default", "config");
        ConfigResource r = new ConfigResource(ConfigResource.Type.TOPIC, t);
        a.alterConfigs(Collections.singletonMap(r, new Config(Collections.singleton(new ConfigEntry("max.message.bytes", "4321"))))).all().get(); //< 4.0
        equal(config(a, t, "retention.ms") + ", " + config(a, t, "max.message.bytes"), "604800000 by default, 4321", "altered"); //< 4.0
        a.incrementalAlterConfigs(Collections.singletonMap(r, Arrays.asList( //> 2.3
            new AlterConfigOp(new ConfigEntry("max.message.bytes", ""), AlterConfigOp.OpType.DELETE), //> 2.3
            new AlterConfigOp(new ConfigEntry("cleanup.policy", "compact"), AlterConfigOp.OpType.APPEND)))).all().get(); //> 2.3
        equal(config(a, t, "cleanup.policy") + ", " + config(a, t, "max.message.bytes"), "delete,compact, 1048588 by default", "altered"); //> 2.3
        a.createPartitions(Collections.singletonMap(t, NewPartitions.increaseTo(3))).all().get();
        equal(describe(a, t).partitions().size(), 3, "partitions");
        fails(InvalidPartitionsException.class, () -> a.createPartitions(Collections.singletonMap(t, NewPartitions.increaseTo(1))).all().get());

        KafkaProducer<byte[], byte[]> p = producer();
        for (int i = 0; i < 5; i++)
            equal(p.send(new ProducerRecord<>(t, 1, "key".getBytes(), ("" + i).getBytes())).get().offset(), (long) i, "offset told");
        fails(RecordTooLargeException.class, () -> p.send(new ProducerRecord<>(t, 1, "key".getBytes(), new byte[5000])).get()); //< 2.3
        p.close();
        TopicPartition tp = new TopicPartition(t, 1);
        equal(a.deleteRecords(Collections.singletonMap(tp, RecordsToDelete.beforeOffset(3))).lowWatermarks().get(tp).get().lowWatermark(), 3L, "low watermark"); //> 1.1
        fails(org.apache.kafka.common.errors.OffsetOutOfRangeException.class, () -> a.deleteRecords(Collections.singletonMap(tp, RecordsToDelete.beforeOffset(9))).all().get()); //> 1.1
        equal(a.listOffsets(Collections.singletonMap(tp, OffsetSpec.earliest())).all().get().get(tp).offset(), 3L, "log start"); //> 2.5
        equal(a.listOffsets(Collections.singletonMap(tp, OffsetSpec.latest())).all().get().get(tp).offset(), 5L, "log end"); //> 2.5
        equal(a.listOffsets(Collections.singletonMap(tp, OffsetSpec.maxTimestamp())).all().get().get(tp).offset() >= 3, true, "newest"); //> 3.0
        equal(a.describeLogDirs(Collections.singleton(1)).all().get().get(1).size(), 1, "log directories"); //< 4.0
        equal(a.describeLogDirs(Collections.singleton(1)).allDescriptions().get().get(1).values().iterator().next().replicaInfos().get(tp).size() > 0, true, "size"); //> 2.7
        fails(SecurityDisabledException.class, () -> a.describeAcls(AclBindingFilter.ANY).values().get());
        fails(ElectionNotNeededException.class, () -> a.electLeaders(ElectionType.PREFERRED, Collections.singleton(tp)).partitions().get().get(tp).map(e -> { throw (RuntimeException) e; })); //> 2.4
        a.alterPartitionReassignments(Collections.singletonMap(tp, Optional.of(new NewPartitionReassignment(Collections.singletonList(1))))).all().get(); //> 2.4
        equal(a.listPartitionReassignments().reassignments().get().size(), 0, "reassignments"); //> 2.4
        equal(a.describeMetadataQuorum().quorumInfo().get().leaderId(), 1, "quorum leader"); //> 3.3
        groups(a, t, tp); //> 2.0
        a.deleteTopics(Collections.singleton(t)).all().get();
        fails(UnknownTopicOrPartitionException.class, () -> a.deleteTopics(Collections.singleton(t)).all().get());
        equal(a.listTopics().names().get().contains(t), false, "listed what was deleted");
        a.close();
    }
    //end

    //begin> 2.0
    static void groups(AdminClient a, String group, TopicPartition tp) throws Exception {
        KafkaConsumer<byte[], byte[]> c = consumer(group);
        c.assign(Collections.singletonList(tp));
        equal(take(c, 2).get(0).offset(), 3L, "first offset left");
        c.commitSync();
        c.close();
        boolean listed = false;
        for (ConsumerGroupListing l : a.listConsumerGroups().all().get()) listed |= l.groupId().equals(group);
        equal(listed, true, "group listed");
        equal(a.describeConsumerGroups(Collections.singleton(group)).all().get().get(group).state().toString(), "Empty", "state");
        equal(a.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get().get(tp).offset(), 5L, "group's offset");
        a.alterConsumerGroupOffsets(group, Collections.singletonMap(tp, new OffsetAndMetadata(4))).all().get(); //> 2.5
        equal(a.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get().get(tp).offset(), 4L, "altered offset"); //> 2.5
        a.deleteConsumerGroupOffsets(group, Collections.singleton(tp)).all().get(); //> 2.4
        equal(a.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get().get(tp), null, "deleted offset"); //> 2.4
        a.deleteConsumerGroups(Collections.singleton(group)).all().get();
        fails(GroupIdNotFoundException.class, () -> a.deleteConsumerGroups(Collections.singleton(group)).all().get());
    }
    //end
}
