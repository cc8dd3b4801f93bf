//go:build !wasm

package host

// trap stands for the component's.
func trap() {
	panic("the operator panicked")
}
