"""PySpark with spark-sql-kafka against one broker. See spark_test.go for the topics it is given; a failure is a traceback
and exit status 1.

Spark reads without a group: it lists offsets itself, keeps them in its checkpoint, and fetches with assigned partitions.
"""
import argparse
import json
import os

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

parser = argparse.ArgumentParser()
parser.add_argument("--bootstrap", required=True)
parser.add_argument("--topic", required=True)
parser.add_argument("--jars", required=True, help="spark-sql-kafka and what it needs, separated by commas")
parser.add_argument("--dir", required=True, help="an empty directory")
args = parser.parse_args()
topic = args.topic
PRODUITS = ["stylo", "cahier", "gomme"]


def session():
    spark = (
        SparkSession.builder.master("local[2]").appName(topic)
        .config("spark.jars", args.jars)
        .config("spark.ui.enabled", "false")
        .config("spark.ui.showConsoleProgress", "false")
        .config("spark.driver.memory", "512m")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.driver.extraJavaOptions", "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC")
        .config("spark.sql.shuffle.partitions", "2")
        .config("spark.sql.warehouse.dir", os.path.join(args.dir, "warehouse"))
        .config("spark.local.dir", os.path.join(args.dir, "local"))
        .getOrCreate()
    )
    spark.sparkContext.setLogLevel("ERROR")
    return spark


def kafka(reader, subscribe, **options):
    reader = reader.format("kafka").option("kafka.bootstrap.servers", args.bootstrap).option("subscribe", subscribe)
    for name, value in options.items():
        reader = reader.option(name.replace("_", "."), value)
    return reader.load()


def equal(got, want, what):
    assert got == want, f"{what}: {got!r}, want {want!r}"


def batch(spark):
    """Reads what franz-go wrote, all of it and parts."""
    df = kafka(spark.read, topic + "-in", includeHeaders="true")
    rows = df.orderBy("partition", "offset").collect()
    equal(len(rows), 300, "rows")
    for i, r in enumerate(rows):
        n = 3 * (i % 100) + i // 100  # message n is at offset n / 3 of partition n % 3
        equal((r.topic, r.partition, r.offset), (topic + "-in", n % 3, n // 3), "place of row %d" % i)
        equal((bytes(r.key), bytes(r.value)), (b"key %d" % n, b"value %d" % n), "key and value of %d" % n)
        equal((r.timestamp.timestamp(), r.timestampType), (1600000000 + n, 0), "timestamp of %d" % n)
        equal([(h.key, bytes(h.value)) for h in r.headers], [("n", b"%d" % n)], "headers of %d" % n)
    starts, ends = {"0": 10, "1": -2, "2": 99}, {"0": 20, "1": 5, "2": -1}
    part = kafka(spark.read, topic + "-in", startingOffsets=json.dumps({topic + "-in": starts}), endingOffsets=json.dumps({topic + "-in": ends}))
    equal(sorted((r.partition, r.offset) for r in part.collect()), [(0, o) for o in range(10, 20)] + [(1, o) for o in range(5)] + [(2, 99)], "rows between offsets")
    # Messages 150 and later: offset 50 in each partition.
    later = kafka(spark.read, topic + "-in", startingTimestamp="1600000150000")
    equal(later.agg(F.min("offset"), F.count("*")).first()[:], (50, 150), "rows from a timestamp on")
    pattern = spark.read.format("kafka").option("kafka.bootstrap.servers", args.bootstrap).option("subscribePattern", topic + "-i.").load()
    equal(pattern.count(), 300, "rows by a pattern of topics")


def transactions(spark):
    """Reads committed rows alone: franz-go committed the even ones and aborted the odd ones."""
    rows = kafka(spark.read, topic + "-txn", kafka_isolation_level="read_committed").collect()
    equal(sorted(int(r.value) for r in rows), list(range(0, 20, 2)), "committed rows")
    equal(kafka(spark.read, topic + "-txn").count(), 20, "rows, aborted ones too")


def write(spark):
    """Writes rows with keys, headers and partitions, which franz-go checks."""
    n = F.col("id").cast("string")
    header = F.struct(F.lit("n").alias("key"), n.cast("binary").alias("value"))
    df = spark.range(90).select(
        F.concat(F.lit("key "), n).alias("key"), F.concat(F.lit("value "), n).alias("value"),
        (F.col("id") % 3).cast("int").alias("partition"), F.array(header).alias("headers"))
    (df.coalesce(1).write.format("kafka").option("kafka.bootstrap.servers", args.bootstrap).option("topic", topic + "-out")
        .option("includeHeaders", "true").option("kafka.compression.type", "zstd").save())


def commandes(spark, start, n):
    """Sends n orders, as the course's notebook on producers does."""
    i = F.col("id")
    df = spark.range(start, start + n).select(
        F.element_at(F.array(*[F.lit(p) for p in PRODUITS]), (i % 3 + 1).cast("int")).alias("produit"), i.alias("id"), (i % 7).cast("int").alias("quantite"))
    (df.select(F.col("produit").alias("key"), F.to_json(F.struct("id", "produit", "quantite")).alias("value"))
        .write.format("kafka").option("kafka.bootstrap.servers", args.bootstrap).option("topic", topic + "-commandes").save())


def totals(n):
    want = {}
    for i in range(n):
        p = PRODUITS[i % 3]
        count, sum = want.get(p, (0, 0))
        want[p] = (count + 1, sum + i % 7)
    return want


def stream(spark, name, once):
    """The course's Spark consumer: orders as JSON, kept as they come and summed by product."""
    orders = (
        kafka(spark.readStream, topic + "-commandes", startingOffsets="earliest", maxOffsetsPerTrigger="40")
        .select(F.from_json(F.col("value").cast("string"), "id LONG, produit STRING, quantite INT").alias("c"), "partition", "offset").select("c.*", "partition", "offset")
    )
    sums = orders.groupBy("produit").agg(F.count("*").alias("commandes"), F.sum("quantite").alias("total"))

    def start(df, mode):
        writer = df.writeStream.outputMode(mode)
        return writer.trigger(availableNow=True) if once else writer.trigger(processingTime="100 milliseconds")

    kept = (start(orders, "append").format("parquet").option("path", os.path.join(args.dir, "commandes"))
        .option("checkpointLocation", os.path.join(args.dir, "checkpoint-commandes")).start())
    # Each change of a sum goes to a topic.
    summed = (
        start(sums.select(F.col("produit").alias("key"), F.to_json(F.struct("commandes", "total")).alias("value")), "update")
        .format("kafka").option("kafka.bootstrap.servers", args.bootstrap).option("topic", topic + "-totaux")
        .option("checkpointLocation", os.path.join(args.dir, "checkpoint-totaux")).queryName(name).start())
    return kept, summed


def check(spark, n):
    """What the streams have made of n orders."""
    rows = spark.read.parquet(os.path.join(args.dir, "commandes")).collect()
    equal(sorted(r.id for r in rows), list(range(n)), "orders kept")
    equal(len({(r.partition, r.offset) for r in rows}), n, "places of the orders kept")
    latest = {}
    for r in kafka(spark.read, topic + "-totaux").orderBy("offset").collect():
        v = json.loads(r.value)
        latest[r.key.decode()] = (v["commandes"], v["total"])
    equal(latest, totals(n), "sums")


def streaming(spark):
    commandes(spark, 0, 100)
    for q in stream(spark, "first", once=True):
        q.awaitTermination()
    check(spark, 100)

    # The program ends and is started again: it goes on from its checkpoint, while orders come in.
    spark.stop()
    spark = session()
    commandes(spark, 100, 50)
    queries = stream(spark, "second", once=False)
    for q in queries:
        q.processAllAvailable()
    commandes(spark, 150, 50)
    for q in queries:
        q.processAllAvailable()
        q.stop()
    check(spark, 200)
    end = queries[0].lastProgress["sources"][0]["endOffset"]
    if isinstance(end, str):
        end = json.loads(end)
    equal(sum(end[topic + "-commandes"].values()), 200, "offsets of the last progress")
    return spark


spark = session()
batch(spark)
transactions(spark)
write(spark)
spark = streaming(spark)
print("PySpark", spark.version)
spark.stop()
