//! The interface as wit-bindgen spells it in Rust, for operators that want it raw.
//!
//! A module for each world. What describes a world to the host (its custom section) is emitted by the world's `export!`
//! alone, so a plugin carries only the world that it exports. All worlds share one [`rows`].

#![allow(missing_docs, reason = "generated; the docs are in wit/operator.wit")]
#![allow(unsafe_op_in_unsafe_fn, clippy::undocumented_unsafe_blocks, reason = "generated")]

/// World `transform-operator`.
pub mod transform {
    wit_bindgen::generate!({
        path: "../../wit",
        world: "transform-operator",
        additional_derives: [PartialEq],
        pub_export_macro: true,
        export_macro_name: "export_transform_world",
        default_bindings_module: "weir_guest::bindings::transform",
    });
    pub use exports::weir::operator::transform::{Emitted, Guest, Origin, Shape};
}

/// World `aggregate-operator`.
pub mod aggregate {
    wit_bindgen::generate!({
        path: "../../wit",
        world: "aggregate-operator",
        additional_derives: [PartialEq],
        pub_export_macro: true,
        export_macro_name: "export_aggregate_world",
        default_bindings_module: "weir_guest::bindings::aggregate",
        with: {
            "weir:operator/rows@0.1.0": crate::bindings::rows,
            "weir:operator/log@0.1.0": crate::bindings::log,
        },
    });
    pub use exports::weir::operator::aggregate::{Created, Guest, Shape};
}

/// World `state-operator`.
pub mod state {
    wit_bindgen::generate!({
        path: "../../wit",
        world: "state-operator",
        additional_derives: [PartialEq],
        pub_export_macro: true,
        export_macro_name: "export_state_world",
        default_bindings_module: "weir_guest::bindings::state",
        with: {
            "weir:operator/rows@0.1.0": crate::bindings::rows,
            "weir:operator/log@0.1.0": crate::bindings::log,
        },
    });
    pub use exports::weir::operator::state::{Cause, Fate, Guest, Shape, Touched, Updated};
}

/// What the world `migrating-state-operator` has beyond `state-operator`: a plugin that exports both is of that world.
pub mod migrate {
    wit_bindgen::generate!({
        inline: "
            package weir:guest;

            world migrate {
                export weir:operator/migrate@0.1.0;
            }
        ",
        path: "../../wit",
        world: "weir:guest/migrate",
        additional_derives: [PartialEq],
        pub_export_macro: true,
        export_macro_name: "export_migrate_world",
        default_bindings_module: "weir_guest::bindings::migrate",
        with: {
            "weir:operator/rows@0.1.0": crate::bindings::rows,
        },
    });
    pub use exports::weir::operator::migrate::Guest;
}

/// World `sink-operator`.
pub mod sink {
    wit_bindgen::generate!({
        path: "../../wit",
        world: "sink-operator",
        additional_derives: [PartialEq],
        pub_export_macro: true,
        export_macro_name: "export_sink_world",
        default_bindings_module: "weir_guest::bindings::sink",
        with: {
            "weir:operator/rows@0.1.0": crate::bindings::rows,
            "weir:operator/log@0.1.0": crate::bindings::log,
        },
    });
    pub use exports::weir::operator::sink::{DeliveryFailure, Guest, Part, Shape};
}

pub use sink::weir::operator::http;
pub use transform::weir::operator::{log, rows};
