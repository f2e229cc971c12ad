package main

// This file owns `minibroker ui`: the web UI of a cluster that runs somewhere
// else, Apache Kafka or any other.

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"minibroker/ui"
)

func uiCommand(env func(string) (string, bool)) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "ui",
		Short: "The web UI for a Kafka cluster that runs somewhere else",
		Long: `minibroker ui serves the web UI of a Kafka cluster that runs somewhere else. What
minibroker shows of its own inside (lab, wire, doctor, faults, clock) is not there.

Each flag can also be given in the environment, as MINIBROKER_ and its name:
MINIBROKER_SASL_PASSWORD keeps a password out of the list of processes.`,
		Example: `  minibroker ui --bootstrap-servers localhost:9092
  minibroker ui --bootstrap-servers kafka:9093 --tls --sasl-mechanism SCRAM-SHA-512 --sasl-username ann`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o, err := gatherUI(cmd.Flags(), env)
			if err != nil {
				return err
			}
			return serveUI(cmd.Context(), o, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	f := cmd.Flags()
	f.SortFlags = false
	f.String("bootstrap-servers", "", "brokers of the cluster, as host:port,host:port")
	f.String("host", "", "address to listen on (default 127.0.0.1 and ::1; 0.0.0.0: all addresses)")
	f.String("http-port", "7080", "port for the web UI (0: a free one)")
	loginFlags(f)
	f.String("log-level", "info", "least level logged: debug, info, warn or error")
	f.String("log-format", "text", "format of the log: text or json")
	return cmd
}

// uiOptions are the settings of `minibroker ui`.
type uiOptions struct {
	options // host, httpPort and logging
	remote  ui.Remote
}

func gatherUI(flags *pflag.FlagSet, env func(string) (string, bool)) (*uiOptions, error) {
	layers := []layer{fromFlags(flags), fromEnvironment(flags, env), defaults(flags)}
	get := func(name string) setting { s, _ := first(layers, name); return s }
	o := &uiOptions{}
	if err := o.readLogging(layers); err != nil {
		return nil, err
	}
	o.host = get("host").value
	port := get("http-port")
	n, err := strconv.ParseUint(port.value, 10, 16)
	if err != nil {
		return nil, port.errorf("%q is not a port: use 0 to 65535", port.value)
	}
	o.httpPort = int(n)
	o.remote, err = readRemote(layers)
	return o, err
}

func serveUI(ctx context.Context, o *uiOptions, stdout, stderr io.Writer) error {
	log := slog.New(newLogHandler(&o.options, stderr))
	ctx, forget := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer forget()
	web, err := ui.Listen(o.host, o.httpPort)
	if err != nil {
		return err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.Background(), stopWithin)
		defer cancel()
		if err := web.Close(ctx); err != nil {
			log.Warn("the HTTP port did not close cleanly", "error", err)
		}
	}()
	if err := web.ServeRemote(o.remote, log); err != nil {
		return err
	}
	fmt.Fprintf(stdout, "the web UI of %s\n%s\n", strings.Join(o.remote.Seeds, ","), web.URL())
	<-ctx.Done()
	forget() // a second signal ends the process at once
	return nil
}
