//! Which input columns go over to the output as they are. They do not cross into the sandbox.

use crate::bindings::rows::Field;
use crate::schema::{FieldSpec, find, list};

/// The input columns that an operator carries over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// All of them, but those that the operator adds anew under the same name.
    All,
    /// These, in this order.
    Only(&'static [&'static str]),
}

impl Keep {
    pub(super) fn indices(self, input: &[Field], adds: &[FieldSpec]) -> Result<Vec<u32>, String> {
        let added = |name: &str| adds.iter().any(|add| add.name == name);
        match self {
            Self::All => Ok((0..).zip(input).filter(|(_, f)| !added(&f.name)).map(|(index, _)| index).collect()),
            Self::Only(names) => names
                .iter()
                .map(|name| {
                    if added(name) {
                        return Err(format!(
                            "the operator keeps column `{name}` and adds another one of the same name"
                        ));
                    }
                    find(name, input).ok_or_else(|| {
                        format!("the input has no column `{name}`, which the operator keeps; it has {}", list(input))
                    })
                })
                .collect(),
        }
    }
}
