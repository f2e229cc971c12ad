package broker

import (
	"errors"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"

	"minibroker/broker/config"
)

// maxPartitionsPerRequest is the most partitions that one request may create
// (org.apache.kafka.controller.ReplicationControlManager).
const maxPartitionsPerRequest = 10_000

// newTopic is what a topic is to be like. -1 for partitions or replicas means
// the broker's default.
type newTopic struct {
	name         string
	partitions   int32
	replicas     int16
	assignment   map[int32][]int32 // partition -> brokers; nil: ours to choose
	configs      map[string]string
	refused      *apiError // what is wrong beside its name; nil: nothing yet
	validateOnly bool
	mutations    *mutations // the client's quota; nil: none
}

// createTopic makes a topic, or only says whether it could be made.
func (b *Broker) createTopic(n newTopic) (*topic, *apiError) {
	b.controller.mu.Lock()
	defer b.controller.mu.Unlock()
	t, err := b.planTopic(&n)
	if err != nil || n.validateOnly {
		return t, err
	}
	b.put(t)
	return t, nil
}

// planTopic checks n in the order in which Apache Kafka does
// (ReplicationControlManager.createTopics) and builds the topic.
func (b *Broker) planTopic(n *newTopic) (*topic, *apiError) {
	m, cfg := b.image.Load(), b.config.Load()
	if reason := invalidTopicName(n.name); reason != "" {
		return nil, fail(kerr.InvalidTopicException, "%s", reason)
	}
	if m.topic(n.name) != nil {
		return nil, fail(kerr.TopicAlreadyExists, "Topic '%s' already exists.", n.name)
	}
	if other := collidesWith(m.topics, n.name); other != "" {
		return nil, fail(kerr.InvalidTopicException, "Topic '%s' collides with existing topic: %s", n.name, other)
	}
	if n.refused != nil {
		return nil, n.refused
	}
	resolved, err := resolveTopic(n.configs, cfg)
	if err != nil {
		return nil, err
	}
	leaders, err := b.place(n)
	if err != nil {
		return nil, err
	}
	if err := n.mutations.take(len(leaders)); err != nil {
		return nil, err
	}
	t := &topic{
		name:     n.name,
		id:       b.random.newUUID(),
		internal: isInternal(n.name),
		config:   resolved,
		settings: b.topicSettings(n.name, resolved),
	}
	t.partitions = make([]*partition, 0, len(leaders))
	for _, l := range leaders {
		t.partitions = append(t.partitions, b.newPartition(t, int32(len(t.partitions)), l))
	}
	return t, nil
}

// place decides who has each of a new topic's partitions.
func (b *Broker) place(n *newTopic) ([]*leadership, *apiError) {
	cfg := b.config.Load()
	if n.assignment != nil {
		if n.replicas != -1 {
			return nil, fail(kerr.InvalidRequest, "A manual partition assignment was specified, but replication factor was not set to -1.")
		}
		if n.partitions != -1 {
			return nil, fail(kerr.InvalidRequest, "A manual partition assignment was specified, but numPartitions was not set to -1.")
		}
		return b.placeByHand(0, n.assignment)
	}
	if n.replicas < -1 || n.replicas == 0 {
		return nil, fail(kerr.InvalidReplicationFactor, "Replication factor must be larger than 0, or -1 to use the default value.")
	}
	if n.partitions < -1 || n.partitions == 0 {
		return nil, fail(kerr.InvalidPartitions, "Number of partitions was set to an invalid non-positive value.")
	}
	replicas, partitions := int(n.replicas), int(n.partitions)
	if replicas == -1 {
		replicas = cfg.Int("default.replication.factor")
	}
	if partitions == -1 {
		partitions = cfg.Int("num.partitions")
	}
	m := b.image.Load()
	if len(b.nodes) == 1 && replicas == 1 && len(m.live) == 1 {
		if partitions > maxPartitionsPerRequest {
			return nil, errTooManyPartitions
		}
		return slices.Repeat([]*leadership{b.onlyReplica()}, partitions), nil
	}
	placer := b.newPlacer(nil)
	if err := placer.check(replicas); err != nil {
		return nil, fail(kerr.InvalidReplicationFactor, "Unable to replicate the partition %d time(s): %s", replicas, err.message)
	}
	if partitions > maxPartitionsPerRequest {
		return nil, errTooManyPartitions
	}
	leaders := make([]*leadership, partitions)
	for i := range leaders {
		leaders[i] = m.placed(placer.place(replicas))
	}
	return leaders, nil
}

var errTooManyPartitions = fail(kerr.PolicyViolation, "Excessively large number of partitions per request.")

// onlyReplica is the leadership of partitions on the one broker there is.
func (b *Broker) onlyReplica() *leadership {
	me := []int32{b.nodes[0].id}
	return &leadership{leader: me[0], replicas: me, isr: me}
}

// placeByHand checks an assignment for partitions from first on.
func (b *Broker) placeByHand(first int, assignment map[int32][]int32) ([]*leadership, *apiError) {
	leaders := make([]*leadership, 0, len(assignment))
	for len(leaders) < len(assignment) {
		replicas, ok := assignment[int32(first+len(leaders))]
		if !ok {
			return nil, fail(kerr.InvalidReplicaAssignment, "partitions should be a consecutive 0-based integer sequence")
		}
		if err := b.checkReplicas(replicas); err != nil {
			return nil, err
		}
		if len(leaders) > 0 && len(replicas) != len(leaders[0].replicas) {
			return nil, unequalReplicas(len(replicas), len(leaders[0].replicas))
		}
		l, err := b.placedByHand(first+len(leaders), replicas)
		if err != nil {
			return nil, err
		}
		leaders = append(leaders, l)
	}
	return leaders, nil
}

func (b *Broker) placedByHand(partition int, replicas []int32) (*leadership, *apiError) {
	l := b.image.Load().placed(slices.Clone(replicas))
	if l == nil {
		return nil, fail(kerr.InvalidReplicaAssignment, "All brokers specified in the manual partition assignment for partition %d are fenced or in controlled shutdown.", partition)
	}
	return l, nil
}

func unequalReplicas(n, before int) *apiError {
	return fail(kerr.InvalidReplicaAssignment, "The manual partition assignment includes a partition with %d replica(s), but this is not consistent with previous partitions, which have %d replica(s).", n, before)
}

func (b *Broker) checkReplicas(replicas []int32) *apiError {
	if len(replicas) == 0 {
		return fail(kerr.InvalidReplicaAssignment, "The manual partition assignment includes an empty replica list.")
	}
	registered := b.image.Load().registered
	sorted := slices.Sorted(slices.Values(replicas)) // as Kafka looks at them
	for i, id := range sorted {
		if nodeOf(registered, id) == nil {
			return fail(kerr.InvalidReplicaAssignment, "The manual partition assignment includes broker %d, but no such broker is registered.", id)
		}
		if i > 0 && sorted[i-1] == id {
			return fail(kerr.InvalidReplicaAssignment, "The manual partition assignment includes the broker %d more than once.", id)
		}
	}
	return nil
}

// deleteTopic removes a topic with all that belongs to it. Requests that wait
// on its partitions are answered.
func (b *Broker) deleteTopic(name string) (*topic, *apiError) {
	b.controller.mu.Lock()
	t := b.image.Load().topic(name)
	if t == nil {
		b.controller.mu.Unlock()
		return nil, errUnknownTopicOrPartition
	}
	b.drop(t)
	b.controller.mu.Unlock()
	for _, p := range t.partitions {
		p.delete()
	}
	b.topicDeleted(t)
	return t, nil
}

// addPartitions gives a topic more partitions, up to count.
func (b *Broker) addPartitions(name string, count int32, assignment [][]int32, validateOnly bool, quota *mutations) *apiError {
	b.controller.mu.Lock()
	defer b.controller.mu.Unlock()
	t := b.image.Load().topic(name)
	if t == nil {
		return errUnknownTopicOrPartition
	}
	have := int32(len(t.partitions))
	switch {
	case count == have:
		return fail(kerr.InvalidPartitions, "Topic already has %d partition(s).", have)
	case count < have:
		return fail(kerr.InvalidPartitions, "The topic %s currently has %d partition(s); %d would not be an increase.", name, have, count)
	case count-have > maxPartitionsPerRequest:
		return errTooManyPartitions
	case assignment != nil && len(assignment) != int(count-have):
		return fail(kerr.InvalidReplicaAssignment, "Attempted to add %d additional partition(s), but only %d assignment(s) were specified.", count-have, len(assignment))
	}
	bigger := *t
	bigger.partitions = append(make([]*partition, 0, count), t.partitions...)
	want := len(t.partitions[0].leadership.Load().replicas)
	shared := b.onlyReplica()
	next := func(int32) (*leadership, *apiError) { return shared, nil }
	switch {
	case assignment != nil:
		next = func(i int32) (*leadership, *apiError) {
			replicas := assignment[i-have]
			if err := b.checkReplicas(replicas); err != nil {
				return nil, err
			}
			if len(replicas) != want {
				return nil, unequalReplicas(len(replicas), want)
			}
			return b.placedByHand(int(i), replicas)
		}
	case len(b.nodes) > 1 || len(b.image.Load().live) == 0:
		placer := b.newPlacer(t.partitions)
		if err := placer.check(want); err != nil {
			return fail(kerr.InvalidReplicationFactor, "Unable to replicate the partition %d time(s): %s", want, err.message)
		}
		next = func(int32) (*leadership, *apiError) { return b.image.Load().placed(placer.place(want)), nil }
	}
	for i := have; i < count; i++ {
		l, err := next(i)
		if err != nil {
			return err
		}
		bigger.partitions = append(bigger.partitions, b.newPartition(t, i, l))
	}
	if err := quota.take(int(count - have)); err != nil || validateOnly {
		return err
	}
	b.put(&bigger)
	return nil
}

// setTopicConfigs replaces a topic's overrides with what change makes of them.
func (b *Broker) setTopicConfigs(name string, validateOnly bool, change func(old map[string]string) (map[string]string, *config.Error)) *apiError {
	b.controller.mu.Lock()
	defer b.controller.mu.Unlock()
	t := b.image.Load().topic(name)
	if t == nil {
		return fail(kerr.UnknownTopicOrPartition, "The topic '%s' does not exist.", name)
	}
	overrides, cerr := change(t.config.Overrides())
	if cerr != nil {
		return configError(cerr)
	}
	resolved, err := resolveTopic(overrides, b.config.Load())
	if err != nil || validateOnly {
		return err
	}
	b.putConfigured(t, resolved)
	return nil
}

// putConfigured publishes t with other configs. It needs controller.mu.
func (b *Broker) putConfigured(t *topic, resolved *config.Topic) {
	changed := *t
	changed.config = resolved
	changed.settings = b.topicSettings(t.name, resolved)
	b.put(&changed)
	for _, p := range t.partitions {
		p.settings.Store(changed.settings)
		p.reconfigured()
		b.janitor.configured(p)
	}
}

// setBrokerConfigs replaces the configs of n, or with everywhere those of all
// brokers, with what change makes of them. The cluster goes by what holds for
// all its brokers; topics that inherit from that follow.
func (b *Broker) setBrokerConfigs(n *node, everywhere, validateOnly bool, change func(*config.Broker) (*config.Broker, *config.Error)) *apiError {
	b.controller.mu.Lock()
	defer b.controller.mu.Unlock()
	next, err := change(n.config.Load())
	if err != nil || validateOnly {
		return configError(err)
	}
	n.config.Store(next)
	if everywhere {
		for _, other := range b.nodes {
			if other == n {
				continue
			}
			// What one broker takes for all, the others take.
			if theirs, err := change(other.config.Load()); err == nil {
				other.config.Store(theirs)
			}
		}
	}
	switch {
	case len(b.nodes) == 1:
	case !everywhere:
		b.controller.written()
		return nil
	default:
		if next, err = change(b.config.Load()); err != nil {
			return configError(err)
		}
	}
	b.config.Store(next)
	b.controller.written()
	b.groupConfig.Store(b.newGroupConfig(next))
	b.image.Load().topics.Scan(func(_ string, t *topic) bool {
		// The overrides were accepted once and stay acceptable.
		if resolved, err := resolveTopic(t.config.Overrides(), next); err == nil {
			b.putConfigured(t, resolved)
		}
		return true
	})
	return nil
}

func resolveTopic(overrides map[string]string, cfg *config.Broker) (*config.Topic, *apiError) {
	t, err := config.ResolveTopic(overrides, cfg)
	if err != nil {
		var refusal *config.Error
		errors.As(err, &refusal)
		return nil, configError(refusal)
	}
	return t, nil
}
