# Starts an installed Apache Kafka, one broker with new data, and stops it at the end.
# usage: kafka.sh INSTALLATION DIRECTORY
data=$(mktemp -d "$2/kafka.XXXXXX")
port=$((20000 + $$ % 10000))
cat >"$data/server.properties" <<P
process.roles=broker,controller
node.id=1
listeners=PLAINTEXT://127.0.0.1:$port,CONTROLLER://127.0.0.1:$((port + 1))
controller.listener.names=CONTROLLER
controller.quorum.voters=1@127.0.0.1:$((port + 1))
log.dirs=$data/logs
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
P
"$1/bin/kafka-storage.sh" format --cluster-id bWluaWJyb2tlci1iZW5jaA --config "$data/server.properties" >"$data/out" 2>&1
"$1/bin/kafka-server-start.sh" "$data/server.properties" >>"$data/out" 2>&1 &
pid=$!
trap 'kill $pid 2>/dev/null; wait $pid; rm -rf "$data"' EXIT
trap 'exit 0' TERM INT
until grep -q 'Kafka Server started' "$data/out"; do
	kill -0 $pid 2>/dev/null || { tail "$data/out" >&2; exit 1; }
	sleep 0.1
done
echo "ready 127.0.0.1:$port pid $pid"
wait $pid
