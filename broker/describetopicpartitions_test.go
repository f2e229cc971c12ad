package broker

import (
	"fmt"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestDescribeTopicPartitionsInPieces(t *testing.T) {
	c := dial(t, Start(t, WithTopic("ta", 3, nil), WithTopic("tb", 3, nil), WithTopic("tc", 1, nil)))
	for _, k := range []struct {
		name   string
		limit  int32
		cursor string
		topics string
		want   string
	}{
		{"by name, not as asked", 2, "", "tb ta none tb", "none[3] ta:0,1 next ta:2"}, // behaviour 142
		{"limit 0", 0, "", "tb ta", "ta:0 next ta:1"},
		{"a negative limit", -5, "", "tb ta", "ta:0 next ta:1"},
		{"the limit at a topic's end", 3, "", "tb ta", "ta:0,1,2 next tb:0"},
		{"the limit at the end", 6, "", "tb ta", "ta:0,1,2 tb:0,1,2"},
		{"unknown topics are free", 1, "", "aa ab ta", "aa[3] ab[3] ta:0 next ta:1"},
		{"an unknown topic behind a full answer", 3, "", "ta zz", "ta:0,1,2 next zz:0"},
		{"from a cursor", 6, "tb:1", "tb ta none zz", "tb:1,2 zz[3]"},
		{"from a cursor behind the topic's end", 6, "tb:9", "tb ta tc", "tb: tc:0"},
		{"from a topic that is gone", 6, "tab:1", "tab tb ta", "tab[3] tb:0,1,2"},
		{"a cursor that is not asked for", 6, "tab:1", "tb ta", "tb[42] ta[42]"},
		{"partition -1", 6, "tb:-1", "tb ta none", "tb[42] ta[42] none[42]"}, // behaviour 143
		{"all topics", 2000, "", "", "ta:0,1,2 tb:0,1,2 tc:0"},
		{"all topics from a cursor", 3, "ta:2", "", "ta:2 tb:0,1 next tb:2"},
		{"a name that no topic can have", 5, "", "a/b", "a/b[17]"},
	} {
		req := kmsg.NewPtrDescribeTopicPartitionsRequest()
		req.ResponsePartitionLimit = k.limit
		for name := range strings.FieldsSeq(k.topics) {
			req.Topics = append(req.Topics, kmsg.DescribeTopicPartitionsRequestTopic{Topic: name})
		}
		if k.cursor != "" {
			cursor := kmsg.NewDescribeTopicPartitionsRequestCursor()
			name, index, _ := strings.Cut(k.cursor, ":")
			cursor.Topic = name
			fmt.Sscan(index, &cursor.Partition)
			req.Cursor = &cursor
		}
		got := ask[*kmsg.DescribeTopicPartitionsResponse](c, req)
		var said []string
		for _, topic := range got.Topics {
			if topic.ErrorCode != 0 {
				said = append(said, fmt.Sprintf("%s[%d]", *topic.Topic, topic.ErrorCode))
				continue
			}
			var indexes []string
			for _, p := range topic.Partitions {
				indexes = append(indexes, fmt.Sprint(p.Partition))
				if p.LeaderID != 1 || len(p.ISR) != 1 || p.EligibleLeaderReplicas == nil {
					t.Errorf("%s: %+v", k.name, p)
				}
			}
			said = append(said, *topic.Topic+":"+strings.Join(indexes, ","))
			if topic.AuthorizedOperations != 3576 || topic.TopicID == [16]byte{} {
				t.Errorf("%s: %+v", k.name, topic)
			}
		}
		if got.NextCursor != nil {
			said = append(said, fmt.Sprintf("next %s:%d", got.NextCursor.Topic, got.NextCursor.Partition))
		}
		if s := strings.Join(said, " "); s != k.want {
			t.Errorf("%s: %q, want %q", k.name, s, k.want)
		}
	}
}
