package main

// This file owns `minibroker ui`: the web UI of a cluster that runs somewhere
// else, Apache Kafka or any other.

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"slices"
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
	f.Bool("tls", false, "reach the brokers by TLS")
	f.String("tls-ca", "", "file of certificates to trust, in PEM (default the machine's)")
	f.String("tls-cert", "", "file of the certificate to show the brokers, in PEM")
	f.String("tls-key", "", "file of its key, in PEM")
	f.String("sasl-mechanism", "", "how to log in: "+strings.Join(ui.Mechanisms, ", "))
	f.String("sasl-username", "", "user to log in as")
	f.String("sasl-password", "", "password; better given in the environment")
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
	for seed := range strings.SplitSeq(get("bootstrap-servers").value, ",") {
		if seed = strings.TrimSpace(seed); seed != "" {
			o.remote.Seeds = append(o.remote.Seeds, seed)
		}
	}
	if len(o.remote.Seeds) == 0 {
		return nil, usageError{"--bootstrap-servers: name a broker of the cluster, as host:port"}
	}
	mechanism := get("sasl-mechanism")
	o.remote.Mechanism, o.remote.User, o.remote.Password = mechanism.value, get("sasl-username").value, get("sasl-password").value
	if mechanism.value != "" && !slices.Contains(ui.Mechanisms, mechanism.value) {
		return nil, mechanism.errorf("%q is not known: use %s", mechanism.value, strings.Join(ui.Mechanisms, ", "))
	}
	if mechanism.value == "" && o.remote.User != "" {
		return nil, usageError{"--sasl-username needs --sasl-mechanism: " + strings.Join(ui.Mechanisms, ", ")}
	}
	o.remote.TLS, err = readTLS(get("tls").value == "true", get("tls-ca"), get("tls-cert"), get("tls-key"))
	return o, err
}

// readTLS is nil where the brokers are reached in plain text.
func readTLS(on bool, ca, cert, key setting) (*tls.Config, error) {
	if !on && ca.value == "" && cert.value == "" && key.value == "" {
		return nil, nil
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if ca.value != "" {
		pem, err := os.ReadFile(ca.value)
		if err != nil {
			return nil, ca.errorf("%v", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, ca.errorf("%s has no certificate in PEM", ca.value)
		}
	}
	if cert.value == "" && key.value == "" {
		return c, nil
	}
	if cert.value == "" || key.value == "" {
		return nil, usageError{"--tls-cert and --tls-key go together"}
	}
	pair, err := tls.LoadX509KeyPair(cert.value, key.value)
	if err != nil {
		return nil, cert.errorf("%v", err)
	}
	c.Certificates = []tls.Certificate{pair}
	return c, nil
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
