package protocol

// Stranger is a peer that does not speak Kafka's protocol.
type Stranger int

const (
	Unknown Stranger = iota
	HTTP             // a browser, curl, a health check
	TLS              // a client with security.protocol=SSL on a plaintext port
)

// Sniff says who sent these four bytes where a frame's size belongs. Each of
// them read as a size is over any limit a broker would set.
func Sniff(head [4]byte) Stranger {
	switch string(head[:]) {
	case "GET ", "HEAD", "POST", "PUT ", "DELE", "OPTI", "PATC", "CONN", "PRI ":
		return HTTP
	}
	if head[0] == 0x16 && head[1] == 3 { // a handshake record of TLS 1.x
		return TLS
	}
	return Unknown
}
