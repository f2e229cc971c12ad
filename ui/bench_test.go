package ui

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"minibroker/broker"
)

// The measures that docs/ui.md names: go test ./ui -bench . -run '^$'

func BenchmarkPages(b *testing.B) {
	pages := large(b, 1000, 10).pages()
	for _, path := range largePages {
		b.Run(strings.ReplaceAll(path, "/", "_"), func(b *testing.B) {
			var took []time.Duration
			before := worked()
			for b.Loop() {
				from := time.Now()
				out := httptest.NewRecorder()
				pages.ServeHTTP(out, httptest.NewRequest("GET", "http://localhost"+path, nil))
				if out.Code != http.StatusOK {
					b.Fatal(out.Code, out.Body)
				}
				took = append(took, time.Since(from))
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
			b.ReportMetric(float64((worked()-before).Microseconds())/1000/float64(b.N), "cpu-ms")
		})
	}
}

// BenchmarkTail is the time from a record's append to its row in the browser.
func BenchmarkTail(b *testing.B) {
	k := broker.Start(b, broker.WithMemoryNetwork(), broker.WithTopic("log", 3, nil))
	c, err := connect([]string{k.Bootstrap()}, kgo.Dialer(k.Dialer()))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(c.close)
	server := httptest.NewServer(newSite(c, k, Options{}, b.Context()).pages())
	b.Cleanup(server.Close)
	ctx, cancel := context.WithCancel(b.Context())
	b.Cleanup(cancel)
	r, _ := http.NewRequestWithContext(ctx, "GET", server.URL+"/api/v1/pages/topics/log/tail", nil)
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		b.Fatal(err)
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	lines.Scan()
	var took []time.Duration
	for b.Loop() {
		from := time.Now()
		if err := k.Produce("log", broker.Record{Value: []byte("v")}); err != nil {
			b.Fatal(err)
		}
		for lines.Scan() && !strings.HasPrefix(lines.Text(), "data: [") {
		}
		took = append(took, time.Since(from))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
}

// BenchmarkProduce is the broker's throughput without anybody who looks, and
// with the lab open.
func BenchmarkProduce(b *testing.B) {
	for _, open := range []bool{false, true} {
		b.Run(fmt.Sprintf("lab=%t", open), func(b *testing.B) {
			k := broker.Start(b, broker.WithMemoryNetwork(), broker.WithTopic("log", 6, nil))
			c, err := connect([]string{k.Bootstrap()}, kgo.Dialer(k.Dialer()))
			if err != nil {
				b.Fatal(err)
			}
			b.Cleanup(c.close)
			ctx, cancel := context.WithCancel(b.Context())
			b.Cleanup(cancel)
			var frames atomic.Int64
			if open {
				server := httptest.NewServer(newSite(c, k, Options{}, b.Context()).pages())
				b.Cleanup(server.Close)
				r, _ := http.NewRequestWithContext(ctx, "GET", server.URL+"/lab/feed", nil)
				resp, err := http.DefaultClient.Do(r)
				if err != nil {
					b.Fatal(err)
				}
				go func() {
					lines := bufio.NewScanner(resp.Body)
					lines.Buffer(nil, 1<<20)
					for lines.Scan() {
						frames.Add(1)
					}
				}()
			}
			p, err := c.another(kgo.ProducerLinger(time.Millisecond))
			if err != nil {
				b.Fatal(err)
			}
			b.Cleanup(p.Close)
			value := make([]byte, 100)
			n := 0
			for b.Loop() {
				p.Produce(ctx, &kgo.Record{Topic: "log", Key: fmt.Appendf(nil, "user-%d", n%50), Value: value}, nil)
				n++
			}
			if err := p.Flush(ctx); err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "records/s")
		})
	}
}
