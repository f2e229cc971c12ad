// Groups with Java's kafka-clients: rebalances while records come. Lines with a mark at their end are for some versions
// only: see RoundTrip.java.

import java.util.*;
import java.util.concurrent.*;
import org.apache.kafka.clients.admin.*; //> 1.0
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.*;
import org.apache.kafka.common.errors.*;

class Groups {
    static final int PARTITIONS = 4;
    final String topic, group;
    final Object[] config;
    final List<Integer> read = Collections.synchronizedList(new ArrayList<>()); // by all members
    int sent;

    Groups(String name, Object... config) throws Exception {
        group = RoundTrip.topic + "-" + name;
        this.config = config;
        topic = RoundTrip.topic + "-shared"; //< 1.0
        topic = group; //> 1.0
        try (AdminClient a = AdminClient.create(RoundTrip.config())) { //> 1.0
            a.createTopics(Collections.singleton(new NewTopic(topic, PARTITIONS, (short) 1))).all().get(); //> 1.0
        } //> 1.0
    }

    /** A member of a group, in its thread. It commits what it has read before it gives a partition away. */
    class Member extends Thread implements ConsumerRebalanceListener {
        final KafkaConsumer<byte[], byte[]> c;
        final BlockingQueue<Set<TopicPartition>> assigned = new LinkedBlockingQueue<>();
        final Map<TopicPartition, OffsetAndMetadata> next = new HashMap<>();
        volatile int assignments;
        volatile boolean stop;
        volatile Throwable failure;

        Member(Object... more) {
            List<Object> all = new ArrayList<>(Arrays.asList(config));
            all.addAll(Arrays.asList(more));
            c = RoundTrip.consumer(group, all.toArray());
            c.subscribe(Collections.singletonList(topic), this);
            setDaemon(true);
            start();
        }

        public void run() {
            try {
                for (; !stop; assigned.add(c.assignment())) {
                    for (ConsumerRecord<byte[], byte[]> r : RoundTrip.poll(c)) {
                        read.add(Integer.parseInt(new String(r.value())));
                        next.put(new TopicPartition(r.topic(), r.partition()), new OffsetAndMetadata(r.offset() + 1));
                    }
                    try { c.commitSync(next); } catch (RebalanceInProgressException e) { /* the listener does it */ }
                }
                c.close();
            } catch (Throwable e) {
                failure = e;
                assigned.add(Collections.emptySet());
            }
        }

        public void onPartitionsRevoked(Collection<TopicPartition> gone) {
            c.commitSync(next);
            next.keySet().removeAll(gone);
        }

        public void onPartitionsAssigned(Collection<TopicPartition> got) { assignments++; }

        Set<TopicPartition> await(int n) throws Exception {
            for (long end = System.nanoTime() + 60_000_000_000L; System.nanoTime() < end; ) {
                Set<TopicPartition> a = assigned.poll(60, TimeUnit.SECONDS);
                if (failure != null) throw new AssertionError(group, failure);
                if (a != null && a.size() == n) return a;
            }
            throw new AssertionError("a member of " + group + " does not get " + n + " partitions");
        }

        void leave() throws Exception {
            stop = true;
            join();
            if (failure != null) throw new AssertionError(group, failure);
        }
    }

    /** Sends n numbers, in turn to each partition, and waits until the members have read them. */
    void pass(int n, Member... members) throws Exception {
        try (KafkaProducer<byte[], byte[]> p = RoundTrip.producer()) {
            for (int i = 0; i < n; i++, sent++) p.send(new ProducerRecord<>(topic, sent % PARTITIONS, null, ("" + sent).getBytes()));
        }
        for (long end = System.nanoTime() + 60_000_000_000L; read.size() < sent; Thread.sleep(20)) {
            for (Member m : members) if (m.failure != null) throw new AssertionError(group, m.failure);
            if (System.nanoTime() > end) throw new AssertionError(group + " has read " + read.size() + " of " + sent);
        }
    }

    /** What was sent must have been read, each once. */
    void check() {
        List<Integer> want = new ArrayList<>(), got = new ArrayList<>(read);
        for (int i = 0; i < sent; i++) want.add(i);
        Collections.sort(got);
        RoundTrip.equal(got, want, "read by " + group);
        KafkaConsumer<byte[], byte[]> c = RoundTrip.consumer(group);
        for (int i = 0; i < PARTITIONS; i++) {
            TopicPartition tp = new TopicPartition(topic, i);
            OffsetAndMetadata o;
            o = c.committed(Collections.singleton(tp)).get(tp); //> 2.4
            o = c.committed(tp); //< 2.4
            RoundTrip.equal(o.offset(), (long) sent / PARTITIONS, "committed by " + group);
        }
        c.close();
    }

    /** Two members share four partitions, and the one that stays gets them all. */
    static void rebalance(String name, Object... config) throws Exception {
        Groups g = new Groups(name, config);
        Member first = g.new Member();
        first.await(PARTITIONS);
        g.pass(100, first);
        Member second = g.new Member();
        Set<TopicPartition> all = new HashSet<>(second.await(PARTITIONS / 2));
        all.addAll(first.await(PARTITIONS / 2));
        RoundTrip.equal(all.size(), PARTITIONS, "partitions of both members");
        g.pass(100, first, second);
        g.describe(); //> 2.0
        second.leave();
        first.await(PARTITIONS);
        g.pass(100, first);
        first.leave();
        g.check();
    }

    //begin> 2.0
    void describe() throws Exception {
        try (AdminClient a = AdminClient.create(RoundTrip.config())) {
            ConsumerGroupDescription d = a.describeConsumerGroups(Collections.singleton(group)).all().get().get(group);
            RoundTrip.equal(d.state() + " " + d.members().size() + " " + d.coordinator().id(), "Stable 2 1", group);
            for (MemberDescription m : d.members()) RoundTrip.equal(m.assignment().topicPartitions().size(), PARTITIONS / 2, "partitions of a member of " + group);
        }
    }
    //end

    //begin> 2.3
    /** A static member (KIP-345) that was away for a moment gets back what it had, and the others notice nothing. */
    static void comesBack(String name, Object... config) throws Exception {
        Groups g = new Groups(name, config);
        Member first = g.new Member("group.instance.id", "first"), second = g.new Member("group.instance.id", "second");
        Set<TopicPartition> had = second.await(PARTITIONS / 2);
        first.await(PARTITIONS / 2);
        g.pass(100, first, second);
        int before = first.assignments;
        second.leave();
        Member again = g.new Member("group.instance.id", "second");
        RoundTrip.equal(again.await(PARTITIONS / 2), had, "partitions of a static member that came back");
        g.pass(100, first, again);
        RoundTrip.equal(first.assignments, before, "assignments that the other member got");
        again.leave();
        first.leave();
        g.check();
    }
    //end
}
