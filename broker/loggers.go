package broker

import (
	"context"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kerr"

	"minibroker/broker/config"
)

// This file owns the broker's loggers: each has a name, under which clients see
// and change its level while the broker runs (KIP-412). The names are those of
// the parts of Apache Kafka that log the same.

const (
	rootLogger       = "root"
	socketLogger     = "kafka.network.SocketServer"
	apisLogger       = "kafka.server.KafkaApis"
	groupLogger      = "org.apache.kafka.coordinator.group.GroupCoordinatorService"
	advertiserLogger = "minibroker.broker.Advertiser"
)

var loggerNames = []string{socketLogger, apisLogger, advertiserLogger, groupLogger, rootLogger}

// logLevel is a level by Kafka's name.
type logLevel struct {
	name  string
	level slog.Level
}

// logLevels are all levels, the most talkative first.
var logLevels = []logLevel{
	{"TRACE", slog.LevelDebug - 4}, {"DEBUG", slog.LevelDebug}, {"INFO", slog.LevelInfo},
	{"WARN", slog.LevelWarn}, {"ERROR", slog.LevelError}, {"FATAL", slog.LevelError + 4},
}

// loggers are the broker's loggers. They write to one handler.
type loggers struct {
	handler slog.Handler
	// levels are those that were set, by loggerNames' order; nil: not set.
	levels   [5]atomic.Pointer[logLevel]
	handlers [5]levelHandler // by loggerNames' order

	socket, apis, groups *slog.Logger
}

func newLoggers(to *slog.Logger) *loggers {
	l := &loggers{handler: to.Handler()}
	for at := range l.handlers {
		l.handlers[at] = levelHandler{l.handler, l, at}
	}
	l.socket, l.apis, l.groups = l.named(socketLogger), l.named(apisLogger), l.named(groupLogger)
	return l
}

// named returns a logger of loggerNames.
func (l *loggers) named(name string) *slog.Logger {
	return slog.New(&l.handlers[slices.Index(loggerNames, name)])
}

// reset gives each logger its level of the start.
func (l *loggers) reset() {
	for i := range l.levels {
		l.levels[i].Store(nil)
	}
}

// set is the level that was set for the logger at a place, or for all.
func (l *loggers) set(at int) *logLevel {
	if level := l.levels[at].Load(); level != nil {
		return level
	}
	return l.levels[len(loggerNames)-1].Load()
}

// current is the name of the level in force.
func (l *loggers) current(at int) string {
	if level := l.set(at); level != nil {
		return level.name
	}
	for _, level := range logLevels {
		if l.handler.Enabled(context.Background(), level.level) {
			return level.name
		}
	}
	return "OFF"
}

// levelHandler hands on what the level of one logger lets through.
type levelHandler struct {
	slog.Handler
	of *loggers
	at int
}

func (h *levelHandler) Enabled(ctx context.Context, level slog.Level) bool {
	if set := h.of.set(h.at); set != nil {
		return level >= set.level
	}
	return h.Handler.Enabled(ctx, level)
}

func (h *levelHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &levelHandler{h.Handler.WithAttrs(attrs), h.of, h.at}
}

func (h *levelHandler) WithGroup(name string) slog.Handler {
	return &levelHandler{h.Handler.WithGroup(name), h.of, h.at}
}

// describe lists the loggers as DescribeConfigs answers them.
func (l *loggers) describe(n *node, resource string) ([]config.Entry, *apiError) {
	id, err := strconv.ParseInt(resource, 10, 32)
	switch {
	case resource == "":
		return nil, fail(kerr.InvalidRequest, "Broker id must not be empty")
	case err != nil:
		return nil, fail(kerr.InvalidRequest, "Broker id must be an integer, but it is: %s", resource)
	case int32(id) != n.id:
		return nil, fail(kerr.InvalidRequest, "Unexpected broker id, expected %d but received %s", n.id, resource)
	}
	entries := make([]config.Entry, len(loggerNames))
	for at, name := range loggerNames {
		entries[at] = config.Entry{Name: name, Value: new(l.current(at)), Source: config.DynamicBrokerLoggerConfig}
	}
	return entries, nil
}

// alter changes levels (org.apache.kafka.server.logger.RuntimeLoggerManager):
// all that is asked, or nothing.
func (l *loggers) alter(n *node, a *alteration) *apiError {
	if err := config.CheckOps(a.ops); err != nil {
		return configError(err)
	}
	id, err := strconv.ParseInt(a.name, 10, 32)
	switch {
	case err != nil:
		return fail(kerr.InvalidRequest, "Node id must be an integer, but it is: %s", a.name)
	case int32(id) != n.id:
		return fail(kerr.InvalidRequest, "Unexpected node id. Expected %d, but received %s", n.id, a.name)
	}
	levels := make([]*logLevel, len(a.ops))
	for i, op := range a.ops {
		switch {
		case op.Type == config.OpAppend:
			return fail(kerr.InvalidRequest, "APPEND operation is not allowed for the BROKER_LOGGER resource")
		case op.Type == config.OpSubtract:
			return fail(kerr.InvalidRequest, "SUBTRACT operation is not allowed for the BROKER_LOGGER resource")
		case !slices.Contains(loggerNames, op.Name):
			return fail(kerr.InvalidConfig, "Logger %s does not exist!", op.Name)
		case op.Type == config.OpDelete && op.Name == rootLogger:
			return fail(kerr.InvalidRequest, "Removing the log level of the root logger is not allowed")
		case op.Type == config.OpDelete:
			continue
		}
		at := slices.IndexFunc(logLevels, func(l logLevel) bool { return l.name == *op.Value })
		if at < 0 {
			return fail(kerr.InvalidConfig, "Cannot set the log level of %s to %s as it is not a supported log level. Valid log levels are %s", op.Name, *op.Value, levelNames())
		}
		levels[i] = &logLevels[at]
	}
	if !a.validateOnly {
		for i, op := range a.ops {
			l.levels[slices.Index(loggerNames, op.Name)].Store(levels[i])
		}
	}
	return nil
}

func levelNames() string {
	var names []string
	for _, l := range logLevels {
		names = append(names, l.name)
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}
