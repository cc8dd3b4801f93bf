//! The versions of the operator interface that this host serves, each as it was released.
//!
//! What a component imports and exports names the version that it was built against, so what was registered once runs
//! on every later host that still serves it. The rules are in `wit/README.md`.

#[cfg(test)]
mod tests;

use wit_parser::{PackageId, Resolve};

/// The package that all interfaces are in.
const PACKAGE: &str = "weir:operator";

/// A released version of the operator interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InterfaceVersion {
    /// 0.1.0, the first.
    V0_1,
}

impl InterfaceVersion {
    /// All that this host serves, the newest last.
    pub const SERVED: [Self; 1] = [Self::V0_1];

    /// As in `weir:operator/log@0.1.0`.
    pub fn number(self) -> &'static str {
        match self {
            Self::V0_1 => "0.1.0",
        }
    }

    /// The text that was released.
    pub(super) fn wit(self) -> &'static str {
        match self {
            Self::V0_1 => include_str!("../../../wit/released/0.1.0.wit"),
        }
    }

    /// The text, read.
    pub(super) fn read(self) -> anyhow::Result<(Resolve, PackageId)> {
        let mut resolve = Resolve::default();
        let package = resolve.push_str("operator.wit", self.wit())?;
        Ok((resolve, package))
    }

    /// An interface's full name in this version.
    pub(super) fn interface(self, name: &str) -> String {
        format!("{PACKAGE}/{name}@{}", self.number())
    }

    /// The version and the short name of an interface, if this host serves it.
    pub(super) fn of(interface: &str) -> Option<(Self, &str)> {
        let (name, number) = Self::named(interface)?;
        let version =
            Self::SERVED.into_iter().find(|version| number == version.number() || number == version.line())?;
        Some((version, name))
    }

    /// Name and version of an interface of any version.
    pub(super) fn named(interface: &str) -> Option<(&str, &str)> {
        interface.strip_prefix(PACKAGE)?.strip_prefix('/')?.split_once('@')
    }

    /// The number without its last part, as names of core functions have it in the newer of the two manglings.
    fn line(self) -> &'static str {
        self.number().rsplit_once('.').map_or(self.number(), |(line, _)| line)
    }
}
