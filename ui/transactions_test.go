package ui

import (
	"encoding/json"
	"net/url"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"minibroker/broker"
)

func TestTransactionsAreSeenAndTakenOver(t *testing.T) {
	w := open(t, broker.WithTopic("log", 2, nil))
	w.see("/transactions", 200, "There are no transactions yet", "0 open")
	w.see("/transactions/nobody", 404, "There is no such transactional id")
	payer := w.client(kgo.TransactionalID("pay/<1>"), kgo.ClientID("payer"), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	begin := func(c *kgo.Client) {
		t.Helper()
		if err := c.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		if err := c.ProduceSync(t.Context(), &kgo.Record{Topic: "log", Partition: 1, Value: []byte("v")}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	begin(payer)
	done := w.client(kgo.TransactionalID("done"), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	begin(done)
	if err := done.EndTransaction(t.Context(), kgo.TryCommit); err != nil {
		t.Fatal(err)
	}
	w.see("/transactions", 200, `<a href="/transactions/pay%2F%3C1%3E">pay/&lt;1&gt;</a>`, "Ongoing", "CompleteCommit", "2 transactional ids · 1 open", `<a href="/topics/log">log</a> <span class="mono">1</span>`)
	w.see("/transactions?q=done", 200, "1 transactional id ")
	w.see("/transactions?q=other", 200, "No transactional id has “other” in it")
	var v transactionsView
	if err := json.Unmarshal([]byte(w.see("/api/v1/pages/transactions?sort=-state", 200)), &v); err != nil {
		t.Fatal(err)
	}
	if len(v.Rows) != 2 || v.Rows[0].ID != "pay/<1>" || v.Rows[0].Ends().Sub(v.Rows[0].Started).Milliseconds() != int64(v.Rows[0].Timeout) || !v.Rows[1].Started.IsZero() {
		t.Errorf("the transactions are %+v", v.Rows)
	}
	const page = "/transactions/pay%2F%3C1%3E"
	w.see(page, 200, "payer", "read no further than its first message", "Take it over")
	w.see("/topics/log", 200, `<a class="badge" href="/transactions/pay%2F%3C1%3E">`)
	w.refuse(page+"/abort", url.Values{"name": {"pay"}}, 422, "The name typed is not")
	if !w.b.Transaction("pay/<1>").Open() {
		t.Error("a wrong name ended the transaction")
	}
	w.submit(page+"/abort", url.Values{"name": {"pay/<1>"}}, page+"?done=transaction.aborted")
	if state := w.b.Transaction("pay/<1>").State(); state == ongoing || w.b.Topic("log").LastStableOffsets()[1] != w.b.Topic("log").HighWatermarks()[1] {
		t.Errorf("after the abort the transaction is %s", state)
	}
	if err := payer.EndTransaction(t.Context(), kgo.TryCommit); err == nil {
		t.Error("the producer that was fenced off commits")
	}
	w.see(page+"?done=transaction.aborted", 200, "What was open is aborted", "No transaction is open")
	w.headers["Accept-Language"] = "fr"
	w.see(page, 200, "Annuler et évincer")
	w.refuse("/transactions/nobody/abort", url.Values{"name": {"nobody"}}, 404, "Cet id transactionnel")
}
