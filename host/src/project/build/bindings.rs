//! C bindings of the interface, which C, C++ and Zig are built on: `wit.h`, `wit.c`, and an object that says what the
//! module's types are.
//!
//! They are made anew for each build, from the interface that lies beside the SDK. Their names say nothing of the world,
//! so that an SDK has one name for what all worlds have.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use wit_bindgen_c::Opts;
use wit_bindgen_core::Files;

use super::interface;
use crate::operator::World;
use crate::project::Project;

/// What is generated is called this, and its functions and types begin with it.
const NAME: &str = "wit";

/// Where the bindings would abort, memory has run out, which an SDK tells.
pub(super) const DEFINED: &str = "-Dabort=weir_out_of_memory";

/// The folder of the bindings, in that of what is built.
const FOLDER: &str = "bindings";

/// Bindings of a world. Paths are from the project's folder.
pub(super) struct Bindings {
    pub(super) world: World,
    pub(super) folder: PathBuf,
}

impl Bindings {
    /// Makes those of a project, whose SDK has a file of the world's name and this extension in a folder.
    pub(super) fn generate(project: &Project, folder: &str, extension: &str) -> Result<Self> {
        let world = project.world()?;
        let of_world = project.sdk().join(folder).join(format!("{world}.{extension}"));
        let has = || format!("the SDK has nothing for the world `{world}`: there is no {}", of_world.display());
        ensure!(of_world.exists(), has());
        let files = generated(&project.wit(), world)?;
        let folder = project.out().join(FOLDER);
        let writing = || -> Result<()> {
            fs::create_dir_all(&folder)?;
            files.iter().try_for_each(|(name, contents)| Ok(fs::write(folder.join(name), contents)?))
        };
        writing().with_context(|| format!("cannot write {}", folder.display()))?;
        Ok(Self { world, folder: Path::new("build").join(FOLDER) })
    }

    pub(super) fn source(&self) -> PathBuf {
        self.folder.join(format!("{NAME}.c"))
    }

    /// The object that says what the module's types are.
    pub(super) fn types(&self) -> PathBuf {
        self.folder.join(format!("{NAME}_component_type.o"))
    }

    pub(super) fn header(&self) -> PathBuf {
        self.folder.join(format!("{NAME}.h"))
    }
}

fn generated(wit: &Path, world: World) -> Result<Files> {
    let (mut resolve, world) = interface::read(wit, world)?;
    let mut files = Files::default();
    Opts { rename_world: Some(NAME.to_owned()), ..Opts::default() }.build().generate(
        &mut resolve,
        world,
        &mut files,
    )?;
    Ok(files)
}
