//! Sinks: where results go.

use std::collections::HashMap;
use std::path::PathBuf;

use indexmap::IndexMap;

use super::Findings;
use crate::pipeline::SinkSpec;

/// Checks the sinks, all but their inputs.
pub(super) fn check(sinks: &IndexMap<String, SinkSpec>, findings: &mut Findings<'_>) {
    let mut folders: HashMap<PathBuf, &str> = HashMap::new();
    for (name, sink) in sinks {
        let SinkSpec::Files { path, .. } = sink else { continue };
        let key = ["sinks", name, "path"];
        if path.as_os_str().is_empty() {
            findings.at_key(&key, format!("`path` in [sinks.{name}] is empty"));
        }
        // Compared by component, so that `out` and `./out/` are the same.
        let folder = path.components().filter(|c| *c != std::path::Component::CurDir).collect();
        if let Some(other) = folders.insert(folder, name) {
            let message = format!(
                "[sinks.{name}] writes into the folder of [sinks.{other}], where each batch has one place: give it \
                 another `path`"
            );
            findings.at_key(&key, message);
        }
    }
}
