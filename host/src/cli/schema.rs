//! `weir schema`: the JSON Schema of the pipeline file.

use anyhow::Result;

pub(super) fn run() -> Result<()> {
    out!("{}", crate::pipeline::json_schema())
}
