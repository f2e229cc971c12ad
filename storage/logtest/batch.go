package logtest

import "minibroker/protocol/record"

// Batch is a batch with a record per timestamp, as a producer sends it.
func Batch(codec record.Codec, timestamps ...int64) record.Batch {
	b := record.NewBuilder(codec, 0)
	for i, ts := range timestamps {
		b.Add(record.Record{Offset: int64(i), Timestamp: ts, Key: []byte{byte(ts)}, Value: make([]byte, ts%50)})
	}
	out, err := b.Build(nil)
	if err != nil {
		panic(err) // records are small and in order
	}
	return out
}
