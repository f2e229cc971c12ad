package ui

// This file owns configs: of topics and of brokers.

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"minibroker/broker/config"
)

// configRow is one config of a topic or a broker.
type configRow struct {
	Name      string `json:"name"`
	Value     string `json:"value"`
	Null      bool   `json:"null"` // no value, or one that is not told
	Source    string `json:"source"`
	Changed   bool   `json:"changed"` // set here, not inherited
	ReadOnly  bool   `json:"read_only"`
	Sensitive bool   `json:"sensitive"`
	Default   string `json:"default"` // what a reset leads to, where the broker says
	Doc       string `json:"doc"`     // one line, in English
}

// configs describes a resource, changed ones first.
func (s *site) configs(ctx context.Context, kind kmsg.ConfigResourceType, name string) ([]configRow, error) {
	req := kmsg.NewPtrDescribeConfigsRequest()
	req.IncludeSynonyms, req.IncludeDocumentation = true, true
	resource := kmsg.NewDescribeConfigsRequestResource()
	resource.ResourceType, resource.ResourceName = kind, name
	req.Resources = append(req.Resources, resource)
	resp, err := req.RequestWith(ctx, s.cluster.client)
	if err != nil {
		return nil, err
	}
	if len(resp.Resources) == 0 {
		return nil, kerr.UnknownServerError
	}
	answer := resp.Resources[0]
	if err := kerr.ErrorForCode(answer.ErrorCode); err != nil {
		return nil, refused(err, text(answer.ErrorMessage))
	}
	rows := make([]configRow, 0, len(answer.Configs))
	for _, c := range answer.Configs {
		row := configRow{
			Name: c.Name, Value: text(c.Value), Null: c.Value == nil, Source: config.Source(c.Source).String(),
			ReadOnly: c.ReadOnly, Sensitive: c.IsSensitive, Doc: oneLine(kind, c.Name, text(c.Documentation)),
		}
		own := kmsg.ConfigSourceDynamicTopicConfig
		if kind == kmsg.ConfigResourceTypeBroker {
			own = kmsg.ConfigSourceDynamicBrokerConfig
		}
		row.Changed = c.Source == own
		for _, y := range c.ConfigSynonyms {
			if y.Source != own {
				row.Default = text(y.Value)
				break
			}
		}
		rows = append(rows, row)
	}
	slices.SortFunc(rows, func(a, b configRow) int {
		if a.Changed != b.Changed {
			if a.Changed {
				return -1
			}
			return 1
		}
		return strings.Compare(a.Name, b.Name)
	})
	return rows, nil
}

// oneLine is the help of a config: our own, or else the first sentence of what
// the broker tells.
func oneLine(kind kmsg.ConfigResourceType, name, told string) string {
	find := config.TopicDef
	if kind == kmsg.ConfigResourceTypeBroker {
		find = config.BrokerDef
	}
	if d, ok := find(name); ok && d.Doc != "" {
		return d.Doc
	}
	if i := strings.Index(told, ". "); i >= 0 {
		return told[:i+1]
	}
	return told
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

type topicConfigView struct {
	Name    string      `json:"name"`
	Search  string      `json:"search"`
	Configs []configRow `json:"configs"`
}

func (s *site) topicConfig(r *http.Request) (any, error) {
	name := r.PathValue("topic")
	rows, err := s.configs(r.Context(), kmsg.ConfigResourceTypeTopic, name)
	if err != nil {
		return nil, err
	}
	search := strings.TrimSpace(r.Form.Get("q"))
	return topicConfigView{name, search, matching(rows, search)}, nil
}

// matching are the configs that a search finds, by name or help.
func matching(rows []configRow, search string) []configRow {
	needle := strings.ToLower(search)
	return slices.DeleteFunc(rows, func(c configRow) bool {
		return !strings.Contains(c.Name, needle) && !strings.Contains(strings.ToLower(c.Doc), needle)
	})
}

// alteration reads which config a form sets, or resets to what is inherited.
func alteration(r *http.Request) ([]kadm.AlterConfig, error) {
	name := r.Form.Get("config")
	if name == "" {
		return nil, say(http.StatusUnprocessableEntity, "problem.config.name")
	}
	if r.Form.Get("reset") != "" {
		return []kadm.AlterConfig{{Op: kadm.DeleteConfig, Name: name}}, nil
	}
	value := strings.TrimSpace(r.Form.Get("value"))
	return []kadm.AlterConfig{{Op: kadm.SetConfig, Name: name, Value: &value}}, nil
}

// altered is the outcome of a change of one resource.
func altered(responses kadm.AlterConfigsResponses, err error) error {
	if err != nil {
		return err
	}
	for _, a := range responses {
		if a.Err != nil {
			return refused(a.Err, a.ErrMessage)
		}
	}
	return nil
}

func doneConfig(r *http.Request, page string) string {
	q := url.Values{"done": {"config"}}
	if search := r.Form.Get("q"); search != "" {
		q.Set("q", search)
	}
	return page + "?" + q.Encode()
}

func (s *site) alterTopic(r *http.Request) (string, error) {
	topic := r.PathValue("topic")
	changes, err := alteration(r)
	if err != nil {
		return "", err
	}
	if err := altered(s.cluster.admin.AlterTopicConfigs(r.Context(), changes, topic)); err != nil {
		return "", err
	}
	return doneConfig(r, "/topics/"+url.PathEscape(topic)+"/config"), nil
}

// brokerConfig and alterBroker are the same for one broker.

type brokerView struct {
	ID      int32       `json:"id"`
	Search  string      `json:"search"`
	Configs []configRow `json:"configs"`
}

func brokerID(r *http.Request) (int32, error) {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 32)
	if err != nil {
		return 0, say(http.StatusNotFound, "problem.broker.unknown")
	}
	return int32(id), nil
}

// runningBroker is the id in the path, if such a broker runs.
func (s *site) runningBroker(r *http.Request) (int32, error) {
	id, err := brokerID(r)
	if err != nil {
		return 0, err
	}
	m, err := s.cluster.about(r.Context())
	if err != nil {
		return 0, err
	}
	if !slices.ContainsFunc(m.Brokers, func(b kmsg.MetadataResponseBroker) bool { return b.NodeID == id }) {
		return 0, say(http.StatusNotFound, "problem.broker.unknown")
	}
	return id, nil
}

func (s *site) brokerConfig(r *http.Request) (any, error) {
	id, err := s.runningBroker(r)
	if err != nil {
		return nil, err
	}
	rows, err := s.configs(r.Context(), kmsg.ConfigResourceTypeBroker, strconv.Itoa(int(id)))
	if err != nil {
		return nil, err
	}
	search := strings.TrimSpace(r.Form.Get("q"))
	return brokerView{id, search, matching(rows, search)}, nil
}

func (s *site) alterBroker(r *http.Request) (string, error) {
	id, err := s.runningBroker(r)
	if err != nil {
		return "", err
	}
	changes, err := alteration(r)
	if err != nil {
		return "", err
	}
	if err := altered(s.cluster.admin.AlterBrokerConfigs(r.Context(), changes, id)); err != nil {
		return "", err
	}
	return doneConfig(r, "/brokers/"+strconv.Itoa(int(id))), nil
}
