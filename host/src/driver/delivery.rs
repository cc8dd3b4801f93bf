//! Sinks that are components: what delivers their rows, where it may send, and another put in its place between two batches.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use super::typed::Typed;
use crate::operator::{Digest, Reference, Registry};
use crate::origin::Origin;
use crate::pipeline::{Pipeline, SinkSpec};
use crate::plan::Operators;
use crate::sink::{self, Granted, Sink, SinkComponent};
use crate::time::BatchTime;

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

/// The answer to who asked for a swap.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivering {
    /// What was swapped.
    #[serde(flatten)]
    pub swap: Redirected,
    /// What becomes of a batch that waits for the sink, as it is down.
    pub waiting: Option<WaitingBatch>,
}

/// A batch that waits for a sink whose component was swapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaitingBatch {
    /// The batch.
    pub batch: BatchTime,
    /// Whether the new component goes on with it; if not, it reads columns that were not staged.
    pub taken_over: bool,
}

/// Whether a sink delivers as its pipeline says.
pub(super) fn is_named(pipeline: &Pipeline, sink: &str, with: &Delivers) -> bool {
    let named = pipeline.sinks.get(sink);
    matches!(named, Some(SinkSpec::Component { component, allow, .. }) if *component == with.component && *allow == with.allow)
}

impl Typed {
    /// What runs that the pipeline does not name, by operator or sink.
    pub(super) fn swapped_in(&self) -> Vec<(&str, &str)> {
        let pipeline = &self.loaded.pipeline;
        let operators = self.operators.iter().filter_map(|(name, operator)| {
            let (call, spec) = (operator.call()?, pipeline.operators.get(name)?);
            let named = spec.transform.as_ref().or(spec.aggregate.as_ref()).or(spec.state.as_ref())?;
            (call.component != *named).then_some((name.as_str(), call.component.as_str()))
        });
        let sinks = self.delivering.iter().filter(|(sink, with)| !is_named(pipeline, sink, with));
        operators.chain(sinks.map(|(sink, with)| (sink.as_str(), with.component.as_str()))).collect()
    }

    /// What delivers the rows of each sink that is a component.
    pub(super) fn deliveries(&self, registry: &Registry) -> Result<BTreeMap<String, Delivers>> {
        let mut deliveries = BTreeMap::new();
        for (name, spec) in &self.loaded.pipeline.sinks {
            if let SinkSpec::Component { component, allow, .. } = spec {
                let delivers = match self.delivering.get(name) {
                    Some(swapped) => swapped.clone(),
                    None => {
                        let digest =
                            component.parse::<Reference>().map_err(Into::into).and_then(|r| registry.resolve(&r));
                        let digest = digest.with_context(|| format!("sink `{name}`"))?;
                        Delivers { component: component.clone(), digest, allow: allow.clone() }
                    }
                };
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
        let Some(SinkSpec::Component { allow, .. }) = self.loaded.pipeline.sinks.get(name) else {
            bail!("there is no sink `{name}` that is a component");
        };
        let digest = operators.components().registry().resolve(reference)?;
        let granted = granted.or_else(|| Some(self.delivering.get(name)?.allow.clone()));
        let delivers =
            Delivers { component: reference.to_string(), digest, allow: granted.unwrap_or_else(|| allow.clone()) };
        let sink = self.swapped_sink(name, &delivers, operators, spool)?;
        Ok(NewSink { name: name.to_owned(), delivers, sink })
    }

    /// A sink that delivers with what was swapped in. Blocks while it compiles.
    pub(super) fn swapped_sink(
        &self,
        name: &str,
        with: &Delivers,
        operators: &Operators,
        spool: &Path,
    ) -> Result<Arc<dyn Sink>> {
        let Some(spec @ SinkSpec::Component { allow, timeout, .. }) = self.loaded.pipeline.sinks.get(name) else {
            bail!("there is no sink `{name}` that is a component");
        };
        let http = match *allow == with.allow {
            true => Granted::of_sink(name, allow, timeout.0),
            false => Granted::of_swap(name, &with.component, &with.allow, timeout.0),
        };
        let (input, reference) = (self.union(spec.inputs())?, with.component.parse()?);
        let component =
            SinkComponent::with(&self.loaded.name, name, spec, reference, with.digest, &input, operators.components())?;
        Ok(Arc::new(sink::of_component(component, Arc::new(http), spool)?))
    }

    /// Has another component deliver a sink's rows.
    pub(super) fn deliver(&mut self, sink: &str, with: &Delivers) {
        self.delivering.insert(sink.to_owned(), with.clone());
    }
}
