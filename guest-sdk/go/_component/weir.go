// Part of package weir within a component only: it brings the exports in.

package weir

import _ "weir/internal/bindings/wit_exports"
