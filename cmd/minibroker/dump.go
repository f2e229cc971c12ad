package main

// This file owns minibroker dump.

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kgo"

	"minibroker/internal/dump"
	"minibroker/ui"
)

// unreachableAfter is how long a cluster may not answer.
const unreachableAfter = 10 * time.Second

func dumpCommand(env func(string) (string, bool)) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "dump",
		Short: "Write a running cluster's topics, records and committed offsets as a fixture",
		Long: `dump writes what a cluster has as JSON lines, for --fixture: topics with their
configs, committed records, and the offsets that groups have committed. It asks
by the Kafka protocol, so the cluster need not be a minibroker.

Where the cluster wants a login, MINIBROKER_SASL_PASSWORD in the environment keeps
the password out of the list of processes.`,
		Example: `  minibroker dump -o shop.jsonl
  minibroker dump --bootstrap-servers kafka:9092 --topic orders
  minibroker dump --bootstrap-servers kafka:9093 --tls-ca ca.pem --sasl-mechanism SCRAM-SHA-512 --sasl-username ann`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usageError{fmt.Sprintf("unexpected argument %q: name topics by --topic, the file by -o", args[0])}
			}
			return nil
		},
	}
	f := cmd.Flags()
	f.SortFlags = false
	f.String("bootstrap-servers", "localhost:9092", "the cluster, as host:port[,host:port...]")
	topics := f.StringArray("topic", nil, "topic to write, with the offsets of groups for it; repeatable (default all but internal ones)")
	output := f.StringP("output", "o", "", "file to write (default standard output)")
	loginFlags(f)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		remote, err := readRemote([]layer{fromFlags(f), fromEnvironment(f, env), defaults(f)})
		if err != nil {
			return err
		}
		servers := strings.Join(remote.Seeds, ",")
		reached, err := remote.Options()
		if err != nil {
			return err
		}
		client, err := kgo.NewClient(append(reached,
			kgo.SeedBrokers(remote.Seeds...),
			kgo.ClientID(dump.ClientID),
			kgo.DisableClientMetrics(),
			kgo.RetryTimeout(unreachableAfter),
		)...)
		if err != nil {
			return usageError{fmt.Sprintf("--bootstrap-servers %s: %v", servers, err)}
		}
		defer client.Close()
		err = writeFile(*output, cmd.OutOrStdout(), func(w io.Writer) error { return dump.Write(cmd.Context(), client, *topics, w) })
		if err != nil {
			if advice := ui.LoginAdvice(err); advice != "" {
				return fmt.Errorf("dump of %s: %s (%w)", servers, advice, err)
			}
			return fmt.Errorf("dump of %s: %w", servers, err)
		}
		return nil
	}
	return cmd
}

// writeFile has write make the file at path, or stdout if there is none. A file
// is there whole or not at all.
func writeFile(path string, stdout io.Writer, write func(io.Writer) error) error {
	if path == "" {
		return write(stdout)
	}
	temporary, err := os.CreateTemp(filepath.Dir(path), ".minibroker-dump-*")
	if err != nil {
		return err
	}
	defer os.Remove(temporary.Name()) // not there any more if all went well
	if err := write(temporary); err != nil {
		_ = temporary.Close()
		return err
	}
	if err := temporary.Close(); err != nil {
		return err
	}
	return os.Rename(temporary.Name(), path)
}
