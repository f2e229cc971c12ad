// Transactions with Java's kafka-clients. Lines with a mark at their end are for some versions only: see RoundTrip.java.

import java.time.Duration; //> 2.0
import java.util.*;
import java.util.concurrent.*;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.*;
import org.apache.kafka.common.errors.*;

class Transactions {
    static String topic, id;
    static TopicPartition p0, p1;

    /** What is committed is read, what is aborted is not, a group's offsets follow, and an older producer is fenced. */
    static void run() throws Exception {
        topic = id = RoundTrip.topic + "-txn";
        p0 = new TopicPartition(topic, 0);
        p1 = new TopicPartition(topic, 1);
        try (AdminClient a = AdminClient.create(RoundTrip.config())) {
            a.createTopics(Collections.singleton(new NewTopic(topic, 2, (short) 1))).all().get();
            ends();
            offsets(a);
            fence();
            expire(); //> 3.0
            look(a); //> 3.0
        }
    }

    static KafkaProducer<byte[], byte[]> producer(String id, Object... more) {
        List<Object> c = new ArrayList<>(Arrays.asList("transactional.id", id, "linger.ms", "5"));
        c.addAll(Arrays.asList(more));
        KafkaProducer<byte[], byte[]> p = RoundTrip.producer(c.toArray());
        p.initTransactions();
        return p;
    }

    static RecordMetadata send(KafkaProducer<byte[], byte[]> p, TopicPartition tp, String value) throws Exception {
        return p.send(new ProducerRecord<>(tp.topic(), tp.partition(), null, value.getBytes())).get(30, TimeUnit.SECONDS);
    }

    /** The records of a partition up to where a reader of this isolation level sees it end. */
    static String read(TopicPartition tp, String isolation) {
        KafkaConsumer<byte[], byte[]> c = RoundTrip.consumer(topic + "-reader", "isolation.level", isolation);
        c.assign(Collections.singletonList(tp));
        c.seekToBeginning(Collections.singletonList(tp));
        StringBuilder got = new StringBuilder();
        long end = c.endOffsets(Collections.singleton(tp)).get(tp);
        for (long limit = System.nanoTime() + 60_000_000_000L; c.position(tp) < end; ) {
            if (System.nanoTime() > limit) throw new AssertionError(tp + " is read to " + c.position(tp) + " of " + end);
            for (ConsumerRecord<byte[], byte[]> r : RoundTrip.poll(c)) got.append(r.offset()).append(new String(r.value())).append(' ');
        }
        c.close();
        return got + "end " + end;
    }

    static void both(TopicPartition tp, String committed, String all) {
        RoundTrip.equal(read(tp, "read_committed"), committed, "committed records of " + tp);
        RoundTrip.equal(read(tp, "read_uncommitted"), all, "records of " + tp);
    }

    static void ends() throws Exception {
        KafkaProducer<byte[], byte[]> p = producer(id);
        p.beginTransaction();
        for (int i = 0; i < 3; i++) send(p, p0, "a");
        send(p, p1, "a");
        p.commitTransaction(); // markers at 3 and 1
        p.beginTransaction();
        send(p, p0, "b");
        send(p, p0, "b");
        p.abortTransaction(); // marker at 6
        p.beginTransaction();
        RoundTrip.equal(send(p, p0, "c").offset(), 7L, "offset behind two markers");
        both(p0, "0a 1a 2a end 7", "0a 1a 2a 4b 5b 7c end 8");
        try (KafkaProducer<byte[], byte[]> other = RoundTrip.producer()) { // no transaction, but behind one that is open
            RoundTrip.equal(send(other, p0, "d").offset(), 8L, "offset told");
        }
        both(p0, "0a 1a 2a end 7", "0a 1a 2a 4b 5b 7c 8d end 9");
        p.commitTransaction(); // marker at 9
        both(p0, "0a 1a 2a 7c 8d end 10", "0a 1a 2a 4b 5b 7c 8d end 10");
        both(p1, "0a end 2", "0a end 2");
        p.beginTransaction();
        p.commitTransaction(); // nothing was in it
        p.close();
    }

    /** A group's offset is there when its transaction is committed, and not before. */
    static void offsets(AdminClient a) throws Exception {
        KafkaConsumer<byte[], byte[]> c = RoundTrip.consumer(topic + "-group");
        c.subscribe(Collections.singletonList(topic));
        RoundTrip.take(c, 8);
        KafkaProducer<byte[], byte[]> p = producer(id);
        for (int i = 0; i < 2; i++) {
            p.beginTransaction();
            send(p, p1, "e");
            Map<TopicPartition, OffsetAndMetadata> offsets = Collections.singletonMap(p0, new OffsetAndMetadata(5 + i));
            p.sendOffsetsToTransaction(offsets, c.groupMetadata()); //> 2.5
            p.sendOffsetsToTransaction(offsets, topic + "-group"); //< 2.5
            if (i == 0) p.abortTransaction();
            else p.commitTransaction();
            OffsetAndMetadata o = a.listConsumerGroupOffsets(topic + "-group").partitionsToOffsetAndMetadata().get().get(p0); //> 2.0
            RoundTrip.equal(o == null ? -1 : o.offset(), i == 0 ? -1L : 6L, "offset of the group after transaction " + i); //> 2.0
        }
        both(p1, "0a 4e end 6", "0a 2e 4e end 6");
        p.close();
        c.close();
    }

    /** The first producer of an id can't go on when a second has come. */
    static void fence() throws Exception {
        KafkaProducer<byte[], byte[]> first = producer(id);
        first.beginTransaction();
        send(first, p1, "f");
        KafkaProducer<byte[], byte[]> second = producer(id); // aborts what the first has begun
        fenced(() -> { send(first, p1, "g"); first.commitTransaction(); return null; });
        first.close();
        second.beginTransaction();
        send(second, p1, "h");
        second.commitTransaction();
        second.close();
        both(p1, "0a 4e 8h end 10", "0a 2e 4e 6f 8h end 10");
    }

    static void fenced(Callable<?> call) throws Exception {
        Throwable got = null;
        try { call.call(); } catch (Exception e) { got = e; }
        for (Throwable e = got; e != null; e = e.getCause()) {
            if (e instanceof ProducerFencedException) return;
            if (e.getClass().getSimpleName().equals("InvalidProducerEpochException")) return; // since 2.7
        }
        throw new AssertionError("got " + got + ", want an error that says that it is fenced", got);
    }

    //begin> 3.0
    /** A transaction that takes too long is aborted by the broker, which looks for such ones every ten seconds. */
    static void expire() throws Exception {
        KafkaProducer<byte[], byte[]> p = producer(id + "-slow", "transaction.timeout.ms", "1000");
        p.beginTransaction();
        send(p, p1, "i");
        String want = "0a 4e 8h end 12", got = "";
        for (long limit = System.nanoTime() + 60_000_000_000L; !got.equals(want) && System.nanoTime() < limit; Thread.sleep(200)) got = read(p1, "read_committed");
        RoundTrip.equal(got, want, "what is left of a transaction that took too long");
        fenced(() -> { p.commitTransaction(); return null; }); //< 4.0
        // The broker takes it for the repeated end of a transaction, which has ended otherwise (KIP-890).
        RoundTrip.fails(InvalidTxnStateException.class, () -> { p.commitTransaction(); return null; }); //> 4.0
        p.close(Duration.ZERO);
    }

    /** What the broker tells about transactions. */
    static void look(AdminClient a) throws Exception {
        KafkaProducer<byte[], byte[]> p = producer(id + "-open");
        p.beginTransaction();
        RecordMetadata m = send(p, p1, "j");
        TransactionDescription d = a.describeTransactions(Collections.singleton(id + "-open")).description(id + "-open").get();
        RoundTrip.equal(d.state() + " " + d.topicPartitions() + " " + d.transactionTimeoutMs() + " " + d.coordinatorId(), "Ongoing [" + p1 + "] 60000 1", "transaction");
        Map<String, String> states = new TreeMap<>();
        for (TransactionListing l : a.listTransactions().all().get())
            if (l.transactionalId().startsWith(id)) states.put(l.transactionalId(), l.state().toString());
        RoundTrip.equal(states.get(id + "-open") + " " + states.get(id), "Ongoing CompleteCommit", "listed transactions");
        long open = -1;
        for (ProducerState s : a.describeProducers(Collections.singleton(p1)).partitionResult(p1).get().activeProducers())
            if (s.currentTransactionStartOffset().isPresent()) {
                open = s.currentTransactionStartOffset().getAsLong();
                RoundTrip.equal(s.producerId(), d.producerId(), "producer of the open transaction");
            }
        RoundTrip.equal(open, m.offset(), "where the open transaction begins");
        // An administrator ends it.
        a.abortTransaction(new AbortTransactionSpec(p1, d.producerId(), (short) d.producerEpoch(), -1)).all().get();
        RoundTrip.equal(read(p1, "read_committed"), "0a 4e 8h end 14", "what is left of an aborted transaction");
        p.close(Duration.ZERO);
    }
    //end
}
