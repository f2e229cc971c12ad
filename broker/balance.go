package broker

import (
	"minibroker/internal/clock"
)

// balance brings partitions back to their preferred leaders some time after they
// got others (auto.leader.rebalance.enable,
// ReplicationControlManager.maybeBalancePartitionLeaders). Nothing runs while
// all is in balance.
type balance struct {
	timer clock.Timer // nil: all partitions have their preferred leaders; under controller.mu
}

// tipped is called when a partition has got another leadership. It needs
// controller.mu.
func (b *Broker) tipped(l *leadership) {
	if l.leader < 0 || l.leader == l.replicas[0] || b.balance.timer != nil || b.closed() {
		return
	}
	cfg := b.config.Load()
	if !cfg.Bool("auto.leader.rebalance.enable") {
		return
	}
	b.balance.timer = b.clock.AfterFunc(cfg.Duration("leader.imbalance.check.interval.seconds"), func() { b.control(b.rebalance) })
}

// rebalance needs controller.mu.
func (b *Broker) rebalance() {
	b.balance.timer = nil
	if b.closed() {
		return
	}
	for _, n := range b.nodes {
		b.image.Load().eachReplica(n.id, func(p *partition) {
			if l := p.leadership.Load(); l.replicas[0] == n.id && l.leader >= 0 && l.leader != n.id {
				if !b.change(p, *l, electPreferred) {
					b.tipped(l) // it is not there yet: look again
				}
			}
		})
	}
}

// stopBalance ends the timer.
func (b *Broker) stopBalance() {
	b.controller.mu.Lock()
	defer b.controller.mu.Unlock()
	if b.balance.timer != nil {
		b.balance.timer.Stop()
	}
}
