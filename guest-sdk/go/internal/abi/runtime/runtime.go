// Package wit_runtime gives the host memory for what it passes, and the generated bindings memory for what they answer
// with.
//
// No collection begins by itself (see package host), and none begins between the host's first allocation for a call and
// the operator's taking hold of it. So nothing is pinned here.
package wit_runtime

import (
	"runtime"
	"unsafe"
)

// Words, as large as the alignment that is asked for: Go's allocator aligns an array by its elements.
type (
	words4 = uint32
	words8 = uint64
)

// Allocate gives so much memory, without pointers in it.
func Allocate(_ *runtime.Pinner, size, align uintptr) unsafe.Pointer {
	switch {
	case size == 0:
		return nil
	case align <= 1:
		return unsafe.Pointer(unsafe.SliceData(make([]byte, size)))
	case align <= 4:
		return unsafe.Pointer(unsafe.SliceData(make([]words4, (size+3)/4)))
	default:
		return unsafe.Pointer(unsafe.SliceData(make([]words8, (size+7)/8)))
	}
}

// Unpin is what the bindings call once they hold what the host has passed.
func Unpin() {}
