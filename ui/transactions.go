package ui

// This file owns the pages of transactional ids and their transactions.

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// ongoing is the state of an open transaction.
const ongoing = "Ongoing"

// settling is how often an abort asks whether the one before has ended.
const settling = 50 * time.Millisecond

type transactionsView struct {
	Search string           `json:"search"`
	Sort   string           `json:"sort"`
	Total  int              `json:"total"`
	Open   int              `json:"open"`
	From   int              `json:"from"`
	Rows   []transactionRow `json:"transactions"`

	Columns  []column `json:"-"`
	Previous string   `json:"-"` // page, as a query; empty: none
	Next     string   `json:"-"`
}

type transactionRow struct {
	ID          string     `json:"transactional_id"`
	State       string     `json:"state"`
	ProducerID  int64      `json:"producer_id"`
	Epoch       int16      `json:"producer_epoch"`
	Coordinator int32      `json:"coordinator"`
	Started     time.Time  `json:"started"` // zero: none is open
	Timeout     int32      `json:"timeout_ms"`
	Partitions  []assigned `json:"partitions"` // that the open one covers
}

// Ends is when the coordinator aborts the open transaction.
func (t transactionRow) Ends() time.Time {
	if t.Started.IsZero() {
		return t.Started
	}
	return t.Started.Add(time.Duration(t.Timeout) * time.Millisecond)
}

// Ongoing says whether a transaction is open.
func (t transactionRow) Ongoing() bool { return t.State == ongoing }

// transactionColumns are what the list of transactions tells, and can be sorted by.
var transactionColumns = []sortable[transactionRow]{
	byWords("id", func(t transactionRow) string { return t.ID }).called("transaction.id"),
	byWords("state", func(t transactionRow) string { return t.State }),
	by("producer", func(t transactionRow) int64 { return t.ProducerID }).called("producer.id"),
	{text: "epoch"},
	by("coordinator", func(t transactionRow) int32 { return t.Coordinator }),
	{text: "transaction.started", words: true},
	{text: "transaction.ends", words: true},
	{text: "transaction.partitions", words: true},
}

func (s *site) transactions(r *http.Request) (any, error) {
	v := transactionsView{Search: strings.TrimSpace(r.Form.Get("q")), Rows: []transactionRow{}}
	listed, err := s.cluster.admin.ListTransactions(r.Context(), nil, nil)
	if err != nil && len(listed) == 0 {
		return nil, err
	}
	for id, t := range listed {
		if t.State == ongoing {
			v.Open++
		}
		if strings.Contains(strings.ToLower(id), strings.ToLower(v.Search)) {
			v.Rows = append(v.Rows, transactionRow{ID: id, State: t.State, ProducerID: t.ProducerID, Coordinator: t.Coordinator})
		}
	}
	v.Total = len(v.Rows)
	v.Sort, v.Columns = sortBy(r, "", v.Rows, transactionColumns)
	v.From, v.Previous, v.Next = paged(r, len(v.Rows))
	v.Rows = v.Rows[v.From:min(len(v.Rows), v.From+pageRows)]
	return v, s.describeTransactions(r.Context(), v.Rows)
}

// describeTransactions fills rows in. One that is gone meanwhile stays as it was
// listed.
func (s *site) describeTransactions(ctx context.Context, rows []transactionRow) error {
	if len(rows) == 0 {
		return nil
	}
	names := make([]string, len(rows))
	for i, row := range rows {
		names[i] = row.ID
	}
	described, err := s.cluster.admin.DescribeTransactions(ctx, names...)
	if err != nil && len(described) == 0 {
		return err
	}
	for i := range rows {
		if d, ok := described[rows[i].ID]; ok && d.Err == nil {
			rows[i] = transactionRowOf(d)
		}
	}
	return nil
}

func transactionRowOf(d kadm.DescribedTransaction) transactionRow {
	row := transactionRow{ID: d.TxnID, State: d.State, ProducerID: d.ProducerID, Epoch: d.ProducerEpoch, Coordinator: d.Coordinator, Timeout: d.TimeoutMillis, Partitions: assignment(d.Topics)}
	if d.StartTimestamp >= 0 && len(row.Partitions) > 0 {
		row.Started = time.UnixMilli(d.StartTimestamp).UTC()
	}
	return row
}

type transactionView struct {
	transactionRow
	Client string `json:"client_id"` // who has it, where the broker is in this process to tell
	Host   string `json:"host"`
}

func (s *site) transaction(r *http.Request) (any, error) {
	row, err := s.transactionOf(r.Context(), r.PathValue("id"))
	if err != nil {
		return nil, err
	}
	v := transactionView{transactionRow: row}
	if s.broker != nil {
		who, _ := s.broker.ProducerName(row.ProducerID)
		v.Client, v.Host = who.ClientID, strings.TrimPrefix(who.Host, "/")
	}
	return v, nil
}

func (s *site) transactionOf(ctx context.Context, id string) (transactionRow, error) {
	described, err := s.cluster.admin.DescribeTransactions(ctx, id)
	if d, ok := described[id]; ok {
		if d.Err != nil {
			return transactionRow{}, d.Err
		}
		return transactionRowOf(d), nil
	}
	if err == nil {
		err = kerr.TransactionalIDNotFound
	}
	return transactionRow{}, err
}

// abortTransaction takes the transactional id over, as another producer of the
// same id would: what is open is aborted, and who had it is fenced off.
func (s *site) abortTransaction(r *http.Request) (string, error) {
	ctx, id := r.Context(), r.PathValue("id")
	if typed := r.Form.Get("name"); typed != id && typed != visible(id) {
		return "", say(http.StatusUnprocessableEntity, "problem.name.typed", visible(id))
	}
	row, err := s.transactionOf(ctx, id)
	if err != nil {
		return "", err
	}
	req := kmsg.NewPtrInitProducerIDRequest()
	req.TransactionalID, req.TransactionTimeoutMillis, req.ProducerID, req.ProducerEpoch = &id, max(row.Timeout, 1), -1, -1
	for {
		resp, err := req.RequestWith(ctx, s.cluster.client)
		if err != nil {
			return "", err
		}
		switch err := kerr.ErrorForCode(resp.ErrorCode); err {
		case nil:
			return "/transactions/" + url.PathEscape(id) + "?done=transaction.aborted", nil
		case kerr.ConcurrentTransactions: // the abort is under way
			if err := pause(ctx, settling); err != nil {
				return "", err
			}
		default:
			return "", refused(err, "")
		}
	}
}
