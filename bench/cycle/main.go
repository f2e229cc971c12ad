//go:build unix

// Command cycle measures what a test pays for a broker of its own: it starts
// brokers in its own process, uses them and closes them.
//
//	cycle minibroker|kfake open|ask|use N
//
// It prints the processor time of one cycle, in µs, as the mean of N. open is
// to start and to close; ask is to ask for the address meanwhile; use is with a
// client that creates a topic, produces and consumes, over the memory network
// where there is one.
package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"syscall"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"minibroker/broker"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "cycle:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 3 {
		return fmt.Errorf("usage: cycle minibroker|kfake open|ask|use N")
	}
	cycle, ok := map[string]func() error{
		"minibroker open": func() error { return minibroker(nil, broker.WithPort(0)) },
		"minibroker ask":  func() error { return minibroker(noUse, broker.WithPort(0)) },
		"minibroker use":  func() error { return minibroker(use, broker.WithMemoryNetwork()) },
		"kfake open":      func() error { return fake(nil) },
		"kfake ask":       func() error { return fake(noUse) },
		"kfake use":       func() error { return fake(use) },
	}[args[0]+" "+args[1]]
	n, err := strconv.Atoi(args[2])
	if !ok || err != nil || n < 1 {
		return fmt.Errorf("no cycle is named %q", args)
	}
	for range max(1, n/10) { // for nothing: what is made at first use is there afterwards
		if err := cycle(); err != nil {
			return err
		}
	}
	before := cpu()
	for range n {
		if err := cycle(); err != nil {
			return err
		}
	}
	fmt.Println(float64(cpu()-before) / float64(n))
	return nil
}

func minibroker(use func(...kgo.Opt) error, network broker.Option) error {
	b, err := broker.New(network)
	if err != nil {
		return err
	}
	defer b.Close()
	if use == nil {
		return nil
	}
	return use(kgo.SeedBrokers(b.Addr()), kgo.Dialer(b.Dialer()))
}

func fake(use func(...kgo.Opt) error) error {
	c, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		return err
	}
	defer c.Close()
	if use == nil {
		return nil
	}
	return use(kgo.SeedBrokers(c.ListenAddrs()...))
}

func noUse(...kgo.Opt) error { return nil }

// use creates a topic, produces, consumes and leaves.
func use(opts ...kgo.Opt) error {
	ctx := context.Background()
	client, err := kgo.NewClient(append(opts, kgo.DefaultProduceTopic("t"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))...)
	if err != nil {
		return err
	}
	defer client.Close()
	if _, err := kadm.NewClient(client).CreateTopic(ctx, 1, 1, nil, "t"); err != nil {
		return err
	}
	if err := client.ProduceSync(ctx, kgo.StringRecord("v")).FirstErr(); err != nil {
		return err
	}
	client.AddConsumeTopics("t")
	if n := client.PollFetches(ctx).NumRecords(); n != 1 {
		return fmt.Errorf("consumed %d records of 1", n)
	}
	return nil
}

// cpu is the processor time of this process so far, in µs.
func cpu() int64 {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u) // it can't fail for oneself
	return (u.Utime.Nano() + u.Stime.Nano()) / 1000
}
