package weir

import "weir/internal/host"

// Operator is what can be exported: a [Transform], an [Aggregate] or a [State].
type Operator interface {
	export()
}

func (t *Transform) export() { host.Transform = t }
func (a *Aggregate) export() { host.Aggregate = a }
func (s *State) export()     { host.State = s }

// Export makes the operator the project's component. Call it in `func init`: a component has no `main`.
func Export(operator Operator) {
	operator.export()
}
