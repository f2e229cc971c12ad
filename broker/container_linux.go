package broker

import (
	"encoding/binary"
	"net/netip"
	"os"
	"strings"
	"sync"
	"syscall"
	"unsafe"
)

// lookAround reads this machine's surroundings. It asks the kernel by netlink
// and not by files below /sys, which may show another network namespace.
//
// A virtual machine is no container: there the gateway is a host that dialled
// the guest's own address, and that address stays right.
func lookAround() surroundings {
	s := surroundings{container: markedAsContainer()}
	out := s.readRoutes()
	if len(out) == 0 {
		return s
	}
	for _, l := range readLinks() {
		if out[l.index] {
			// A container engine gives a container one end of a veth pair.
			s.container = s.container || l.kind == "veth"
			s.relayed = s.relayed || l.kind == "tun"
		}
	}
	return s
}

// markedAsContainer looks for the marks that engines leave: Docker, Podman and
// CRI-O, systemd-nspawn and LXC, Kubernetes. They do not change.
var markedAsContainer = sync.OnceValue(func() bool {
	for _, f := range []string{"/.dockerenv", "/run/.containerenv"} {
		if _, err := os.Stat(f); err == nil {
			return true
		}
	}
	return os.Getenv("container") != "" || os.Getenv("KUBERNETES_SERVICE_HOST") != ""
})

// Attributes that package syscall does not name (linux/if_link.h).
const (
	iflaLinkInfo = 18
	iflaInfoKind = 1
)

// readRoutes takes over the main routing table, IPv4 and IPv6, and returns the
// interfaces of its default routes. What cannot be read is left out.
func (s *surroundings) readRoutes() map[uint32]bool {
	out := map[uint32]bool{}
	for _, m := range netlink(syscall.RTM_GETROUTE) {
		if m.Header.Type != syscall.RTM_NEWROUTE || len(m.Data) < syscall.SizeofRtMsg {
			continue
		}
		r := (*syscall.RtMsg)(unsafe.Pointer(&m.Data[0]))
		if r.Table != syscall.RT_TABLE_MAIN || r.Type != syscall.RTN_UNICAST {
			continue
		}
		var gateway, to netip.Addr
		var device uint32
		for _, a := range attributes(m.Data[syscall.SizeofRtMsg:]) {
			switch a.kind {
			case syscall.RTA_GATEWAY:
				gateway, _ = netip.AddrFromSlice(a.value)
			case syscall.RTA_DST:
				to, _ = netip.AddrFromSlice(a.value)
			case syscall.RTA_OIF:
				if len(a.value) == 4 {
					device = binary.NativeEndian.Uint32(a.value)
				}
			}
		}
		switch {
		case r.Dst_len == 0:
			out[device] = true
			if gateway.IsValid() {
				s.gateways = append(s.gateways, gateway)
			}
		case to.IsValid() && !gateway.IsValid():
			s.onLink = append(s.onLink, netip.PrefixFrom(to, int(r.Dst_len)))
		}
	}
	return out
}

type link struct {
	index uint32
	kind  string // veth, tun, bridge, ...; empty for hardware
}

func readLinks() []link {
	var links []link
	for _, m := range netlink(syscall.RTM_GETLINK) {
		if m.Header.Type != syscall.RTM_NEWLINK || len(m.Data) < syscall.SizeofIfInfomsg {
			continue
		}
		l := link{index: uint32((*syscall.IfInfomsg)(unsafe.Pointer(&m.Data[0])).Index)}
		for _, a := range attributes(m.Data[syscall.SizeofIfInfomsg:]) {
			if a.kind != iflaLinkInfo {
				continue
			}
			for _, i := range attributes(a.value) {
				if i.kind == iflaInfoKind {
					l.kind = strings.TrimRight(string(i.value), "\x00")
				}
			}
		}
		links = append(links, l)
	}
	return links
}

// netlink asks the kernel for a table; nil where that is not permitted.
func netlink(request int) []syscall.NetlinkMessage {
	table, err := syscall.NetlinkRIB(request, syscall.AF_UNSPEC)
	if err != nil {
		return nil
	}
	messages, err := syscall.ParseNetlinkMessage(table)
	if err != nil {
		return nil
	}
	return messages
}

type attribute struct {
	kind  uint16
	value []byte
}

// attributes splits a list of netlink attributes. syscall has this for
// messages, but not for attributes inside attributes.
func attributes(b []byte) []attribute {
	var list []attribute
	for len(b) >= syscall.SizeofRtAttr {
		size := int(binary.NativeEndian.Uint16(b))
		if size < syscall.SizeofRtAttr || size > len(b) {
			return list
		}
		const nested = 0x8000 // NLA_F_NESTED
		list = append(list, attribute{binary.NativeEndian.Uint16(b[2:]) &^ nested, b[syscall.SizeofRtAttr:size]})
		b = b[min(len(b), (size+3)&^3):]
	}
	return list
}
