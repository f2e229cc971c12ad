// Package storage is one partition's append-only log, in memory: chunks of
// bytes, a sparse index over them, retention and compaction. It knows record
// batches by their headers (and their records where a timestamp or a key is
// asked for), and nothing of topics, clients or other partitions' locks.
//
// # Layout
//
// A Log is a list of chunks. A chunk is a []byte that fills up once, from the
// front; a new log starts with a small one and each next one is larger, up to
// 1 MiB. A segment is Kafka's unit of rolling, retention and compaction: a run
// of whole chunks. Each chunk has an index of (offset, position, largest
// timestamp before it) without pointers, so a lookup is a binary search over
// chunks, one over the index, and a short scan of batch headers.
//
// # Who owns a byte slice, and until when
//
// Append copies the batch it is given: the caller may reuse its bytes when
// Append returned.
//
// The slices that Read and Batches hand out are parts of chunks. They are
// read-only: bytes below a chunk's published size are never written again,
// moved or reused, neither by later appends nor by Truncate, DeleteRecords,
// retention or compaction, which replace chunks and never change them. So a
// slice stays valid, with the same content, for as long as somebody holds it;
// the garbage collector frees its chunk after the log dropped it and the last
// slice of it is gone. A slice keeps its whole chunk alive (at most 1 MiB, or
// one batch where that is larger): hold it to send it, copy it to keep it.
//
// # Who may call what
//
// Whatever changes the log (Append, DeleteRecords, Truncate, Retain, Swap)
// and NextDeadline need the caller's lock, the partition's mutex. Everything
// else may run at any time beside one writer, without a lock: it works on an
// atomic snapshot and never waits. One call sees one moment of the log; two
// calls may see two.
//
// What costs more than a lookup stays out of the lock: compaction is planned
// by PlanCompaction beside a running writer, and only swapped in under the
// lock. Under the lock, retention and DeleteRecords cost one pointer per chunk
// that stays, as Truncate does, and no byte of a record is touched.
package storage
