// Share groups (KIP-932) with Java's kafka-clients, 4.2 and later.

import java.time.Duration;
import java.util.*;
import java.util.concurrent.*;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.*;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.*;
import org.apache.kafka.common.serialization.*;

class Shares {
    static String topic, group;
    static int sent;

    static void run() throws Exception {
        topic = group = RoundTrip.topic + "-share";
        try (AdminClient a = AdminClient.create(RoundTrip.config())) {
            a.createTopics(Collections.singleton(new NewTopic(topic, 2, (short) 1))).all().get();
            a.incrementalAlterConfigs(Map.of(new ConfigResource(ConfigResource.Type.GROUP, group),
                List.of(new AlterConfigOp(new ConfigEntry("share.auto.offset.reset", "earliest"), AlterConfigOp.OpType.SET)))).all().get();
            explicit();
            limit();
            implicit(a);
            administration(a);
        }
    }

    static KafkaShareConsumer<byte[], byte[]> consumer(String mode) {
        KafkaShareConsumer<byte[], byte[]> c = new KafkaShareConsumer<>(RoundTrip.config("group.id", group, "share.acknowledgement.mode", mode), new ByteArrayDeserializer(), new ByteArrayDeserializer());
        c.subscribe(Collections.singletonList(topic));
        return c;
    }

    /** Sends n numbers, in turn to each partition. */
    static void send(int n) {
        try (KafkaProducer<byte[], byte[]> p = RoundTrip.producer()) {
            for (int i = 0; i < n; i++, sent++) p.send(new ProducerRecord<>(topic, sent % 2, null, ("" + sent).getBytes()));
        }
    }

    static int number(ConsumerRecord<byte[], byte[]> r) {
        int n = Integer.parseInt(new String(r.value()));
        RoundTrip.equal(r.partition() + " " + r.offset(), n % 2 + " " + n / 2, "place of " + n);
        return n;
    }

    static void committed(KafkaShareConsumer<byte[], byte[]> c) {
        c.commitSync().forEach((tp, e) -> { if (e.isPresent()) throw new AssertionError("" + tp, e.get()); });
    }

    /** How often each number was delivered, told by the broker, until so many deliveries were made and no more come. */
    interface Judge { AcknowledgeType of(int n, int delivery); }

    static void take(KafkaShareConsumer<byte[], byte[]> c, Judge judge, Map<Integer, Integer> want) {
        Map<Integer, Integer> got = new TreeMap<>();
        for (long end = System.nanoTime() + 60_000_000_000L; !got.equals(want); ) {
            if (System.nanoTime() > end) throw new AssertionError("deliveries: " + got + ", want " + want);
            for (ConsumerRecord<byte[], byte[]> r : c.poll(Duration.ofMillis(200))) {
                int n = number(r);
                int delivery = got.merge(n, 1, Integer::sum);
                RoundTrip.equal((int) r.deliveryCount().get(), delivery, "delivery count of " + n);
                c.acknowledge(r, judge.of(n, delivery));
            }
            committed(c);
        }
        none(c);
    }

    static void none(KafkaShareConsumer<byte[], byte[]> c) {
        for (ConsumerRecord<byte[], byte[]> r : c.poll(Duration.ofSeconds(1))) throw new AssertionError("got " + number(r) + ", want none");
    }

    static Map<Integer, Integer> deliveries(int from, int to, java.util.function.IntUnaryOperator times) {
        Map<Integer, Integer> m = new TreeMap<>();
        for (int n = from; n < to; n++) m.put(n, times.applyAsInt(n));
        return m;
    }

    /** What is released comes again; what is accepted or rejected does not. */
    static void explicit() {
        KafkaShareConsumer<byte[], byte[]> c = consumer("explicit");
        send(20);
        take(c, (n, delivery) -> n % 4 == 1 && delivery == 1 ? AcknowledgeType.RELEASE : n % 4 == 2 ? AcknowledgeType.REJECT : AcknowledgeType.ACCEPT,
            deliveries(0, 20, n -> n % 4 == 1 ? 2 : 1));
        // A consumer that goes away without a word on what it has got lets others have it.
        send(2);
        Set<Integer> held = new HashSet<>();
        for (long end = System.nanoTime() + 60_000_000_000L; held.isEmpty() && System.nanoTime() < end; )
            for (ConsumerRecord<byte[], byte[]> r : c.poll(Duration.ofMillis(200))) held.add(number(r));
        c.close();
        c = consumer("explicit");
        Map<Integer, Integer> got = new TreeMap<>();
        for (long end = System.nanoTime() + 60_000_000_000L; got.size() < 2 && System.nanoTime() < end; committed(c))
            for (ConsumerRecord<byte[], byte[]> r : c.poll(Duration.ofMillis(200))) {
                got.put(number(r), (int) r.deliveryCount().get());
                c.acknowledge(r);
            }
        RoundTrip.equal(got, deliveries(20, 22, n -> held.contains(n) ? 2 : 1), "delivery counts after a consumer went away");
        c.close();
    }

    /** What is released five times is given up. */
    static void limit() {
        KafkaShareConsumer<byte[], byte[]> c = consumer("explicit");
        send(2);
        take(c, (n, delivery) -> n == 22 ? AcknowledgeType.RELEASE : AcknowledgeType.ACCEPT, deliveries(22, 24, n -> n == 22 ? 5 : 1));
        c.close();
    }

    /** Two members in the implicit mode: the next poll accepts what the one before has brought. */
    static void implicit(AdminClient a) throws Exception {
        List<KafkaShareConsumer<byte[], byte[]>> members = List.of(consumer("implicit"), consumer("implicit"));
        List<Integer> got = new ArrayList<>(), want = new ArrayList<>();
        for (int i = 0; i < 5; i++) {
            send(10);
            for (long end = System.nanoTime() + 60_000_000_000L; got.size() < sent - 24; ) {
                if (System.nanoTime() > end) throw new AssertionError(got + " of " + (sent - 24) + " came");
                for (KafkaShareConsumer<byte[], byte[]> c : members)
                    for (ConsumerRecord<byte[], byte[]> r : c.poll(Duration.ofMillis(100))) got.add(number(r));
            }
        }
        for (int n = 24; n < sent; n++) want.add(n);
        Collections.sort(got);
        RoundTrip.equal(got, want, "what two members got");
        ShareGroupDescription d = a.describeShareGroups(Set.of(group)).all().get().get(group);
        RoundTrip.equal(d.groupState() + " " + d.members().size(), "Stable 2", "share group");
        Set<TopicPartition> assigned = new HashSet<>();
        for (ShareMemberDescription m : d.members()) assigned.addAll(m.assignment().topicPartitions());
        RoundTrip.equal(assigned.size(), 2, "partitions of all members");
        for (KafkaShareConsumer<byte[], byte[]> c : members) {
            committed(c);
            c.close();
        }
        KafkaShareConsumer<byte[], byte[]> c = consumer("implicit");
        none(c);
        c.close();
    }

    static void administration(AdminClient a) throws Exception {
        List<String> listed = new ArrayList<>();
        for (GroupListing l : a.listGroups(ListGroupsOptions.forShareGroups()).all().get()) if (l.groupId().equals(group)) listed.add(l.type().get() + " " + l.groupState().get());
        RoundTrip.equal(listed, List.of("Share Empty"), "groups listed");
        TopicPartition tp = new TopicPartition(topic, 0);
        // What is listed may be one acknowledgement behind: the start moves when the one before is stored.
        long start = a.listShareGroupOffsets(Map.of(group, new ListShareGroupOffsetsSpec())).partitionsToOffsetInfo(group).get().get(tp).startOffset();
        RoundTrip.equal(start >= sent / 2 - 5 && start <= sent / 2, true, "start offset of the group, " + start + ", is near " + sent / 2);
        // It begins again at offset 30 of partition 0.
        a.alterShareGroupOffsets(group, Map.of(tp, 30L)).all().get();
        KafkaShareConsumer<byte[], byte[]> c = consumer("explicit");
        take(c, (n, delivery) -> AcknowledgeType.ACCEPT, new TreeMap<>(deliveries(60, sent, n -> 1)) {{ keySet().removeIf(n -> n % 2 == 1); }});
        RoundTrip.fails(GroupNotEmptyException.class, () -> a.deleteShareGroups(Set.of(group)).all().get());
        c.close();
        a.deleteShareGroups(Set.of(group)).all().get();
        RoundTrip.fails(GroupIdNotFoundException.class, () -> a.deleteShareGroups(Set.of(group)).all().get());
    }
}
