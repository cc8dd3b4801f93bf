//! Sinks that are components: what delivers their rows, where it may send, and another put in its place between two batches.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use super::typed::Typed;
use crate::operator::{Digest, Reference, Registry};
use crate::origin::Origin;
use crate::pipeline::SinkSpec;
use crate::plan::Operators;
use crate::sink::{self, Granted, Sink};

/// Which component delivers a sink's rows, and where it may send.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivers {
    /// What people call the component.
    pub component: String,
    /// What it is.
    pub digest: Digest,
    /// The origins that it is granted.
    pub allow: Vec<Origin>,
}

/// A sink with another component or other grants, opened.
#[derive(Debug)]
pub struct NewSink {
    /// Its name.
    pub name: String,
    /// What it delivers with.
    pub delivers: Delivers,
    pub(super) sink: Arc<dyn Sink>,
}

/// A swap that was done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Redirected {
    /// The sink.
    pub sink: String,
    /// What delivered until now.
    pub from: Delivers,
    /// What delivers from the next batch on that begins.
    pub to: Delivers,
}

impl Delivers {
    /// Has the sink of a pipeline deliver with this.
    fn put(&self, spec: &mut SinkSpec) {
        if let SinkSpec::Component { component, allow, .. } = spec {
            component.clone_from(&self.component);
            allow.clone_from(&self.allow);
        }
    }
}

impl Typed {
    /// What delivers the rows of each sink that is a component.
    pub(super) fn deliveries(&self, registry: &Registry) -> Result<BTreeMap<String, Delivers>> {
        let mut deliveries = BTreeMap::new();
        for (name, spec) in &self.loaded.pipeline.sinks {
            if let SinkSpec::Component { component, allow, .. } = spec {
                let digest = component.parse::<Reference>().map_err(Into::into).and_then(|r| registry.resolve(&r));
                let digest = digest.with_context(|| format!("sink `{name}`"))?;
                let delivers = Delivers { component: component.clone(), digest, allow: allow.clone() };
                deliveries.insert(name.clone(), delivers);
            }
        }
        Ok(deliveries)
    }

    /// The sink with another component, and with other grants if any are given. Blocks while it compiles.
    pub fn other_sink(
        &self,
        name: &str,
        reference: &Reference,
        granted: Option<Vec<Origin>>,
        operators: &Operators,
        spool: &Path,
    ) -> Result<NewSink> {
        let Some(spec @ SinkSpec::Component { allow, timeout, .. }) = self.loaded.pipeline.sinks.get(name) else {
            bail!("there is no sink `{name}` that is a component");
        };
        let components = operators.components();
        let digest = components.registry().resolve(reference)?;
        let allow = granted.unwrap_or_else(|| allow.clone());
        let delivers = Delivers { component: reference.to_string(), digest, allow };
        let http = Granted::of_sink(name, &delivers.allow, timeout.0);
        let mut spec = spec.clone();
        delivers.put(&mut spec);
        let input = self.union(spec.inputs())?;
        let sink = sink::open_component(&self.loaded.name, name, &spec, &input, components, Arc::new(http), spool)?;
        Ok(NewSink { name: name.to_owned(), delivers, sink: Arc::new(sink) })
    }

    /// Has another component deliver a sink's rows.
    pub(super) fn deliver(&mut self, sink: &str, with: &Delivers) {
        if let Some(spec) = self.loaded.pipeline.sinks.get_mut(sink) {
            with.put(spec);
        }
    }
}
