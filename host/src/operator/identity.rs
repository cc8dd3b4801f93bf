//! A plugin's own name and version, in a custom section of its component: an SDK's macros write it there, or a build does.

use std::borrow::Cow;

use wasm_encoder::{ComponentSection, CustomSection};
use wasmparser::{Parser, Payload};

/// The custom section of name and version, with a zero byte between.
const NAME_SECTION: &str = "weir-plugin";

/// What a component says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The plugin's own name.
    pub name: String,
    /// Its own version.
    pub version: String,
}

/// The name and version that are written into the component, if they are.
pub fn identity(bytes: &[u8]) -> Option<Identity> {
    for payload in Parser::new(0).parse_all(bytes) {
        if let Ok(Payload::CustomSection(section)) = payload
            && section.name() == NAME_SECTION
        {
            let text = std::str::from_utf8(section.data()).ok()?;
            let (name, version) = text.split_once('\0')?;
            return Some(Identity { name: name.to_owned(), version: version.to_owned() });
        }
    }
    None
}

/// The component with a name and version written into it, unless it has them.
pub fn with_identity(component: &[u8], name: &str, version: &str) -> Vec<u8> {
    let mut bytes = component.to_vec();
    if identity(component).is_none() {
        let text = format!("{name}\0{version}");
        let section = CustomSection { name: NAME_SECTION.into(), data: Cow::Borrowed(text.as_bytes()) };
        section.append_to_component(&mut bytes);
    }
    bytes
}
