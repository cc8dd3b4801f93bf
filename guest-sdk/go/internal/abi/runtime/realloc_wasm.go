package wit_runtime

import "unsafe"

// early is what is given before Go's own allocator is up: the WASI adapter keeps its state and stack there, for good.
var early [256 << 10]byte

var (
	earlyUsed uintptr
	// Whether Go's own allocator is up.
	up bool
)

func init() { up = true }

// realloc is where the host's, and the adapter's, allocations come from. They never grow one.
//
//go:wasmexport cabi_realloc
func realloc(_ unsafe.Pointer, _, align, size uintptr) unsafe.Pointer {
	if up {
		return Allocate(nil, size, align)
	}
	start := uintptr(unsafe.Pointer(&early))
	used := (start+earlyUsed+align-1)&^(align-1) - start
	if used+size > uintptr(len(early)) {
		return nil
	}
	earlyUsed = used + size
	return unsafe.Pointer(&early[used])
}
