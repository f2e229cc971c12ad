package broker

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"minibroker/broker/txn"
	"minibroker/protocol/record"
)

// handleInitProducerID serves InitProducerId v0-v5 (v3: a producer may name the
// id and epoch it has, KIP-360; v4: PRODUCER_FENCED).
func (b *Broker) handleInitProducerID(r *request, req *kmsg.InitProducerIDRequest) (kmsg.Response, error) {
	resp := req.ResponseKind().(*kmsg.InitProducerIDResponse)
	id, epoch, code := b.initProducerID(req)
	if code == kerr.ProducerFenced.Code && req.Version < 4 {
		code = kerr.InvalidProducerEpoch.Code // older clients know only this one
	}
	if code != 0 {
		id, epoch = record.NoProducerID, record.NoProducerEpoch
	} else {
		b.producerNames.note(id, ProducerName{r.conn.clientID, r.clientHost(), stringOrNone(req.TransactionalID)})
	}
	resp.ProducerID, resp.ProducerEpoch, resp.ErrorCode = id, epoch, code
	return resp, nil
}

func (b *Broker) initProducerID(req *kmsg.InitProducerIDRequest) (id int64, epoch, code int16) {
	has := txn.Producer{ID: req.ProducerID, Epoch: req.ProducerEpoch}
	if (has.ID == record.NoProducerID) != (has.Epoch == record.NoProducerEpoch) {
		return -1, -1, kerr.InvalidRequest.Code
	}
	if req.TransactionalID == nil {
		// A merely idempotent producer starts anew whatever it had: there
		// is nobody to fence (behaviour 78).
		return b.newProducerID(), 0, 0
	}
	if *req.TransactionalID == "" {
		return -1, -1, kerr.InvalidRequest.Code
	}
	if t := req.TransactionTimeoutMillis; t <= 0 || int(t) > b.config.Load().Int("transaction.max.timeout.ms") {
		return -1, -1, kerr.InvalidTransactionTimeout.Code
	}
	got, code := b.transactions.init(*req.TransactionalID, req.TransactionTimeoutMillis, has)
	return got.ID, got.Epoch, code
}

// newProducerID gives out the next producer id; they count up from 0
// (behaviour 77).
func (b *Broker) newProducerID() int64 { return b.producerIDs.Add(1) - 1 }
