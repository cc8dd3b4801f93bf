//! The languages that operators are written in.

use std::fmt;

use clap::ValueEnum;
use serde::Deserialize;

/// A language with an SDK and templates. Others work too: whatever makes a component of the interface can be registered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// Rust, with cargo
    Rust,
    /// C, with clang or zig
    C,
    /// C++, with clang or zig
    #[value(name = "cpp", alias = "c++")]
    Cpp,
    /// Zig
    Zig,
    /// Go, with its own compiler
    Go,
    /// Python, with componentize-py
    Python,
    /// JavaScript, with componentize-qjs
    #[value(name = "javascript", alias = "js")]
    JavaScript,
    /// TypeScript, with componentize-qjs
    #[value(name = "typescript", alias = "ts")]
    TypeScript,
    /// AssemblyScript, with asc
    #[value(name = "assemblyscript", alias = "as")]
    AssemblyScript,
}

impl Language {
    /// The language whose SDK it is written with.
    pub fn of_sdk(self) -> Self {
        match self {
            Self::TypeScript => Self::JavaScript,
            other => other,
        }
    }

    /// The folder of its templates, and of its SDK.
    pub fn folder(self) -> &'static str {
        match self {
            Self::Rust => "rust",
            Self::C => "c",
            Self::Cpp => "cpp",
            Self::Zig => "zig",
            Self::Go => "go",
            Self::Python => "python",
            Self::JavaScript => "javascript",
            Self::TypeScript => "typescript",
            Self::AssemblyScript => "assemblyscript",
        }
    }
}

/// As people call it.
impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Rust => "Rust",
            Self::C => "C",
            Self::Cpp => "C++",
            Self::Zig => "Zig",
            Self::Go => "Go",
            Self::Python => "Python",
            Self::JavaScript => "JavaScript",
            Self::TypeScript => "TypeScript",
            Self::AssemblyScript => "AssemblyScript",
        })
    }
}
