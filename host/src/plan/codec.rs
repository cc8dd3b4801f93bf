//! Our plan nodes as bytes, so that the same plan can run in another process.

use std::sync::Arc;

use datafusion::error::{DataFusionError, Result};
use datafusion::execution::TaskContext;
use datafusion::physical_plan::ExecutionPlan;
use datafusion_proto::physical_plan::{PhysicalExtensionCodec, PhysicalProtoConverterExtension};

use super::node::{Stage, StageExec};
use crate::decode::decode;

/// Encodes [`StageExec`] nodes with bincode.
#[derive(Debug, Clone, Copy, Default)]
pub struct Codec;

fn external(error: impl std::error::Error + Send + Sync + 'static) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}

impl PhysicalExtensionCodec for Codec {
    fn try_decode(
        &self,
        buf: &[u8],
        inputs: &[Arc<dyn ExecutionPlan>],
        _: &TaskContext,
        _: &dyn PhysicalProtoConverterExtension,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let stage: Stage = decode(buf).map_err(external)?;
        stage.over(inputs.to_vec())
    }

    fn try_encode(
        &self,
        node: Arc<dyn ExecutionPlan>,
        buf: &mut Vec<u8>,
        _: &dyn PhysicalProtoConverterExtension,
    ) -> Result<()> {
        let Some(node) = node.downcast_ref::<StageExec>() else {
            return Err(DataFusionError::Internal(format!("node `{}` is not one of Weir's", node.name())));
        };
        bincode::serde::encode_into_std_write(node.stage(), buf, bincode::config::standard()).map_err(external)?;
        Ok(())
    }
}
