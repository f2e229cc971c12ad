// Command minibroker serves a Kafka broker in memory. It reads flags,
// environment and a file, and hands them to the packages that do the work.
//
// This file owns the command: its flags, its help and its exit status.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"minibroker/broker"
	"minibroker/broker/config"
)

// version is set by the linker for a release.
var version = ""

func main() { os.Exit(run(os.Args[1:], os.LookupEnv, os.Stdout, os.Stderr)) }

// run is the program: it returns the exit status. 2 is a command line that
// cannot be understood, 1 all else that fails.
func run(args []string, env func(string) (string, bool), stdout, stderr io.Writer) int {
	cmd := command(env)
	cmd.SetArgs(args)
	cmd.SetOut(stdout)
	cmd.SetErr(stderr)
	err := cmd.ExecuteContext(context.Background())
	if err == nil {
		return 0
	}
	fmt.Fprintf(stderr, "minibroker: %s\n", strings.ReplaceAll(err.Error(), "\n", " "))
	if errors.As(err, new(usageError)) {
		return 2
	}
	return 1
}

// usageError is a command line that cannot be understood.
type usageError struct{ text string }

func (e usageError) Error() string { return e.text + " (see minibroker --help)" }

// command is the root command, which serves.
func command(env func(string) (string, bool)) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "minibroker",
		Short: "A Kafka broker in memory, for teaching and testing",
		Long: `minibroker serves the Kafka protocol from memory: it starts at once, needs no
configuration and forgets everything when it stops.

Each flag can also be given in the environment, as MINIBROKER_ and its name
(MINIBROKER_PORT, MINIBROKER_LOG_LEVEL), and in the file that --config names.
A flag goes before the environment, the environment before the file.`,
		Example: `  minibroker --port 9092
  minibroker --topic orders:3 --topic users:1:cleanup.policy=compact
  minibroker --set auto.create.topics.enable=false`,
		Version:       versionText(),
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o, err := gather(cmd.Flags(), env)
			if err != nil {
				return err
			}
			return serve(cmd.Context(), o, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	cmd.AddCommand(uiCommand(env))
	cmd.SetVersionTemplate("minibroker {{.Version}}\n")
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err.Error()} })

	f := cmd.Flags()
	f.SortFlags = false
	f.String("host", "", "address to listen on (default 127.0.0.1 and ::1; 0.0.0.0: all addresses)")
	f.String("port", "9092", "port for Kafka clients (0: a free one)")
	f.String("brokers", "1", "logical brokers of the cluster; each has the next port")
	f.StringArray("rack", nil, "rack of each broker in order, such as a,b,c; repeatable, and they come round again")
	f.String("http-port", "7080", "port for the web UI, /metrics, /healthz and /readyz (0: a free one; off: none)")
	f.String("ui", "on", "web UI on the HTTP port: on or off")
	f.String("api", "auto", "control of the broker over HTTP, below /api/v1: on, off or auto (on if the HTTP port is for this machine only)")
	f.String("clock", "real", "the broker's clock: real, movable (real, and the HTTP API can move it ahead), or virtual (it stands until the HTTP API moves it); a time such as 2026-01-31T12:00:00Z is virtual from there")
	f.String("transcript", "0", "how many of the newest requests the HTTP API can show (0: none, which costs the least)")
	f.StringArray("topic", nil, "topic to create, as name:partitions[:config=value,...]; repeatable")
	f.StringArray("fixture", nil, "file of topics, records and committed offsets to start with, in YAML or JSON lines; repeatable")
	f.StringArray("set", nil, "broker config, as name=value by Kafka's names; repeatable")
	f.StringArray("user", nil, "user who logs in by SASL, as name:password; repeatable. The port then speaks SASL_PLAINTEXT, or SASL_SSL with TLS")
	f.StringArray("super-user", nil, "the same, of one who may do everything, while others need ACLs; repeatable")
	f.StringArray("acl", nil, "what users may do, such as \"alice read,write topic:orders\" or \"deny bob read topic:team-*\"; repeatable")
	f.String("security-protocol", "", "what clients must speak at --port: PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL (default: what --user and the --tls flags ask for)")
	f.StringArray("extra-port", nil, "a further port with its own protocol, such as SSL:9093; repeatable. --port then speaks PLAINTEXT if --security-protocol says nothing else")
	f.String("tls-ca-out", "", "file to write: the certificate of the broker's own authority, which clients must trust. The port then speaks TLS")
	f.String("tls-cert", "", "file with the broker's certificate in PEM, in place of its own authority's")
	f.String("tls-key", "", "file with the key of --tls-cert in PEM (default: it is in the same file)")
	f.String("tls-client-ca", "", "file with the authorities of clients' certificates in PEM; with --set ssl.client.auth=required or requested")
	f.String("config", "", "file with the same settings, in YAML or as Java properties")
	f.StringArray("advertise", nil, "address that clients are told: auto, host:port, or rules such as 10.0.0.0/8=broker:9092,*=localhost:19092 (default auto)")
	f.String("published", "", "host:port at which a container's port is published, if renumbered")
	f.String("log-level", "info", "least level logged: debug, info, warn or error")
	f.String("log-format", "text", "format of the log: text or json")

	cmd.AddCommand(dumpCommand(env))

	complete := func(flag string, names func() []string) {
		// It fails only for a flag that does not exist.
		_ = cmd.RegisterFlagCompletionFunc(flag, func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return names(), cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
		})
	}
	complete("ui", func() []string { return []string{"on", "off"} })
	complete("api", func() []string { return []string{"on", "off", "auto"} })
	complete("clock", func() []string { return []string{"real", "movable", "virtual"} })
	complete("security-protocol", func() []string { return broker.SecurityProtocols })
	complete("log-level", func() []string { return slices.Sorted(maps.Keys(logLevels)) })
	complete("log-format", func() []string { return []string{"json", "text"} })
	complete("set", func() []string {
		var names []string
		for _, d := range config.BrokerDefs() {
			if d.Doc != "" {
				names = append(names, d.Name+"=\t"+d.Doc)
			}
		}
		return names
	})
	return cmd
}

func noArguments(_ *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usageError{fmt.Sprintf("unexpected argument %q: everything is given by flags", args[0])}
	}
	return nil
}

// versionText is the release, or the commit that a plain build is of.
func versionText() string {
	if version != "" {
		return version
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	text, dirty := info.Main.Version, ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision" && len(s.Value) >= 12 && !strings.Contains(text, s.Value[:12]):
			text += " " + s.Value[:12]
		case s.Key == "vcs.modified" && s.Value == "true" && !strings.Contains(text, "+dirty"):
			dirty = "+dirty"
		}
	}
	return text + dirty
}
