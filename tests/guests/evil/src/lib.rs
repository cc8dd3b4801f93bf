//! A transform that breaks every rule, one at a time: the config's `do` says which.
//!
//! It implements the raw bindings, so that it can lie. When it does nothing wrong, it answers with one column, `out`:
//! the first text column of the input, or `x` for each row where there is none. A lie is told for every number of rows,
//! unless it needs something of them.

mod apply;
mod configure;
mod deed;
mod harm;

use std::sync::OnceLock;

use deed::Config;
use weir_guest::bindings::rows::{Batch, Field};
use weir_guest::bindings::transform::{Emitted, Guest, Shape};

/// The operator.
#[derive(Debug)]
pub struct Evil;

static CONFIG: OnceLock<Config> = OnceLock::new();

impl Guest for Evil {
    fn configure(config: String, input: Vec<Field>) -> Result<Shape, String> {
        weir_guest::log_panics();
        let config = serde_json::from_str(&config).map_err(|e| format!("evil needs to know what to do: {e}"))?;
        configure::configure(CONFIG.get_or_init(|| config), &input)
    }

    fn apply(_batch_time: u64, input: Batch) -> Result<Emitted, String> {
        match CONFIG.get() {
            Some(config) => apply::apply(config, input),
            None => Err("called before `configure`".to_owned()),
        }
    }
}

#[cfg(target_arch = "wasm32")]
weir_guest::bindings::transform::export_transform_world!(Evil with_types_in weir_guest::bindings::transform);
weir_guest::name_plugin!();
