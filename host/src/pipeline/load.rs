//! From a file to a pipeline that can be planned: parse, fill in the environment, check, resolve names and paths.

use std::path::{Component, Path, PathBuf};

use super::check::{Findings, check, warnings};
use super::document::Document;
use super::problem::{LoadError, Problem, Problems};
use super::read::{Reading, read};
use super::{Graph, Pipeline, SinkSpec, SourceSpec};

/// A pipeline that was read and found sound, as far as can be told without touching data or components.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The pipeline's name: the file's `name`, or the default that the folder or the file gives.
    pub name: String,
    /// The pipeline; its paths are resolved, and its `name` is there.
    pub pipeline: Pipeline,
    /// What runs, and in which order.
    pub graph: Graph,
    /// What is probably a mistake and stops nothing.
    pub warnings: Vec<Problem>,
}

impl Loaded {
    /// A pipeline that was loaded before, and written down.
    ///
    /// # Errors
    ///
    /// When it is not what was written.
    pub fn of(pipeline: Pipeline) -> Result<Self, String> {
        let name = pipeline.name.clone().ok_or("the pipeline has no name")?;
        let graph = Graph::new(&pipeline).map_err(|_| "its operators read each other in a ring")?;
        Ok(Self { name, pipeline, graph, warnings: Vec::new() })
    }
}

impl Pipeline {
    /// Reads a pipeline file, with the process's environment.
    ///
    /// # Errors
    ///
    /// When the file cannot be read, and otherwise everything that is wrong in it.
    pub fn load(path: &Path) -> Result<Loaded, LoadError> {
        let text = std::fs::read_to_string(path).map_err(|reason| LoadError::Read { file: path.to_owned(), reason })?;
        Ok(Self::parse(&text, path, &|name| std::env::var(name).ok())?)
    }

    /// Reads a pipeline from the text of `file`, which is not opened: its path stands before every problem, gives the
    /// pipeline its default name, and is what the pipeline's own paths are relative to. `environment` answers what
    /// `${NAME}` stands for.
    ///
    /// # Errors
    ///
    /// Everything that is wrong. Names and values are checked only in what could be read, so a file with an unknown key
    /// may have more to say once that is mended.
    pub fn parse(text: &str, file: &Path, environment: &dyn Fn(&str) -> Option<String>) -> Result<Loaded, Problems> {
        let document = Document::parse(text, file)?;
        let Reading { table, mut problems, faulty } = read(&document, environment);
        let mut pipeline: Self = match toml::Value::Table(table).try_into() {
            Ok(pipeline) => pipeline,
            Err(error) => {
                // A key that must be there is not, and the reader has said so; if not, serde's words have to do.
                if problems.is_empty() {
                    problems.push(document.problem(0, error.message().to_owned()));
                }
                return Err(Problems::new(problems));
            }
        };
        if !document.has(&["batch", "block_interval"]) {
            pipeline.batch.block_interval = pipeline.batch.block_interval.min(pipeline.batch.interval);
        }
        let name = pipeline.name.get_or_insert_with(|| default_name(file)).clone();

        if all_names_were_read(&pipeline, &document, &faulty) {
            let mut findings = Findings::new(&document);
            check(&pipeline, &mut findings);
            problems.extend(findings.beside(&faulty));
        }
        let graph = match Graph::new(&pipeline) {
            Ok(graph) if problems.is_empty() => graph,
            _ => return Err(Problems::new(problems)),
        };
        let warnings = warnings(&pipeline, &graph, &document);
        pipeline.resolve_paths(file.parent().unwrap_or(Path::new("")));
        Ok(Loaded { name, pipeline, graph, warnings })
    }

    /// Puts `folder`, which holds the pipeline file, before every path that is relative to it.
    pub fn resolve_paths(&mut self, folder: &Path) {
        self.checkpoint.location = self.checkpoint.location.take().map(|place| place.relative_to(folder));
        for source in self.sources.values_mut() {
            if let SourceSpec::File { path, .. } = source {
                *path = folder.join(&path);
            }
        }
        for table in self.tables.values_mut() {
            table.path = folder.join(&table.path);
        }
        for sink in self.sinks.values_mut() {
            if let SinkSpec::Files { path, .. } = sink {
                *path = folder.join(&path);
            }
        }
    }
}

/// Whether every name of the file is a name of the pipeline. Where one was left out, or a whole table was misspelt, all
/// that refers to it would seem to dangle.
fn all_names_were_read(pipeline: &Pipeline, document: &Document<'_>, faulty: &[Vec<String>]) -> bool {
    let all_tables = faulty.iter().all(|path| path.len() > 1 || path == &["name"] || path == &["batch"]);
    let all_entries = [
        ("sources", pipeline.sources.len()),
        ("tables", pipeline.tables.len()),
        ("operators", pipeline.operators.len()),
        ("sinks", pipeline.sinks.len()),
    ];
    all_tables && all_entries.into_iter().all(|(kind, read)| document.entries_of(kind) == read)
}

/// The name of the folder that holds a `pipeline.toml`, else the file's name without its ending.
fn default_name(file: &Path) -> String {
    let named = if file.file_name().is_some_and(|name| name == "pipeline.toml") {
        let absolute = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
        without_dots(&absolute).parent().and_then(Path::file_name).map(ToOwned::to_owned)
    } else {
        file.file_stem().map(ToOwned::to_owned)
    };
    named.map_or_else(|| "pipeline".to_owned(), |name| name.to_string_lossy().into_owned())
}

/// `/a/b/../c` as `/a/c`, going by the text: links are not followed, because the name that the user wrote counts.
fn without_dots(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for component in path.components() {
        match component {
            Component::ParentDir => drop(out.pop()),
            component => out.push(component),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_name_is_the_folder_or_the_file() {
        for (file, expected) in [
            ("/srv/word-count/pipeline.toml", "word-count"),
            ("/srv/word-count/../other/./pipeline.toml", "other"),
            ("/srv/word-count/hourly.toml", "hourly"),
            ("hourly.v2.toml", "hourly.v2"),
            ("/pipeline.toml", "pipeline"),
        ] {
            assert_eq!(default_name(Path::new(file)), expected, "{file}");
        }
    }
}
