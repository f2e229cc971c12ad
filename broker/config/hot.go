package config

// This file owns the configs that package broker reads for each request.

// Hot is their values.
type Hot struct {
	SocketRequestMaxBytes  int32
	FetchMaxBytes          int
	ProducerIDExpirationMs int64
	AutoCreateTopics       bool
	ReplicaSelectorClass   string
}

// Hot is some of the values, without a look-up by name.
func (b *Broker) Hot() *Hot { return &b.hot }

func (b *Broker) readHot() Hot {
	return Hot{
		SocketRequestMaxBytes:  int32(b.Int("socket.request.max.bytes")),
		FetchMaxBytes:          b.Int("fetch.max.bytes"),
		ProducerIDExpirationMs: b.Duration("producer.id.expiration.ms").Milliseconds(),
		AutoCreateTopics:       b.Bool("auto.create.topics.enable"),
		ReplicaSelectorClass:   b.String("replica.selector.class"),
	}
}
