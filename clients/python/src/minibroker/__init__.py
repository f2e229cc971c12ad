"""A Kafka broker in memory for tests.

    with minibroker.start("--topic", "orders:3") as broker:
        producer = KafkaProducer(bootstrap_servers=broker.bootstrap)

With pytest, the fixture ``minibroker`` is such a broker, new for each test.
"""

from ._api import Fault, Problem, Record
from ._broker import Broker, start

__all__ = ["Broker", "Fault", "Problem", "Record", "start"]
