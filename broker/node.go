package broker

// node is one logical broker of the cluster.
type node struct {
	// id is 1 or more: kafka-python up to 2.3 takes node 0 for "any node".
	id   int32
	rack *string
}
