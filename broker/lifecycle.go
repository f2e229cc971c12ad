package broker

import (
	"errors"
	"time"

	"minibroker/broker/share"
	"minibroker/internal/clock"
)

// errClosing ends what waits when the broker is closed.
var errClosing = errors.New("the broker is closing")

// acceptRetry is the pause after a failed accept.
const acceptRetry = 50 * time.Millisecond

// init makes what New's options do not decide.
func (b *Broker) init() {
	b.features.Store(newestFeatures())
	for _, n := range b.nodes {
		n.directory = b.random.newUUID()
	}
	b.advertiser.begin(b.clock, b.loggers.named(advertiserLogger))
	b.janitor.b = b
	b.shares = shares{b: b, byGroup: make(map[string]map[sharePlace]*sharePartition)}
	b.groups = groups{b: b, byID: make(map[string]*groupState)}
	b.transactions = transactions{b: b, since: b.nowMs(), byID: make(map[string]*transaction)}
}

// stop ends the timers that only requests need.
func (b *Broker) stop() {
	b.advertiser.comeback.stop()
	b.stopBalance()
	b.transactions.stop()
	b.groups.stop()
	b.shares.stop()
}

// topicDeleted tells all that keep something for a topic that it is gone.
func (b *Broker) topicDeleted(t *topic) {
	b.groups.topicDeleted(t.name)
	b.shares.deleteWhere(func(key share.PartitionKey) bool { return key.Topic == t.id })
	b.shares.logs.forget(t)
	b.janitor.forget(t)
}

// connectionEnded forgets what was kept for a connection.
func (b *Broker) connectionEnded(c *conn) {
	b.advertiser.ended(c)
	b.telemetry.disconnected(c)
	b.shareDisconnected(c)
}

// maxFrame is the largest request taken.
func (c *conn) maxFrame() int32 {
	if c.sasl != nil && c.sasl.state != saslDone {
		return int32(c.node.config.Load().Int("sasl.server.max.receive.size"))
	}
	return c.broker.config.Load().Hot().SocketRequestMaxBytes
}

// nowMs is the broker's time as records and logs have it: in ms since 1970.
func (b *Broker) nowMs() int64 { return b.clock.Now().UnixMilli() }

// producerExpiry is how long an idempotent producer is remembered, in ms.
func (b *Broker) producerExpiry() int64 {
	return b.config.Load().Hot().ProducerIDExpirationMs
}

// pause waits for d; false when the broker closes first.
func (b *Broker) pause(d time.Duration) bool {
	due := make(chan struct{})
	var t clock.Timer = b.clock.AfterFunc(d, func() { close(due) })
	defer t.Stop()
	select {
	case <-due:
		return true
	case <-b.closing:
		return false
	}
}
