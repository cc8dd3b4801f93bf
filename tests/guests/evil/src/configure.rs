//! What goes wrong before there are rows.

use weir_guest::bindings::rows::{DataType, Field};
use weir_guest::bindings::transform::Shape;

use crate::deed::{Config, Deed};
use crate::harm;

/// Answers with the shape, or does not.
pub(crate) fn configure(config: &Config, input: &[Field]) -> Result<Shape, String> {
    let columns = input.len() as u32;
    let mut shape = Shape { reads: None, keeps: vec![], adds: vec![out()] };
    match config.r#do {
        Deed::SpinInConfigure => harm::spin(),
        Deed::PanicInConfigure => panic!("evil was asked to panic in configure"),
        Deed::FailInConfigure => return Err("evil was asked to fail in configure".to_owned()),
        Deed::ReadNowhere => shape.reads = Some(vec![99]),
        Deed::KeepNowhere => shape.keeps = vec![99],
        Deed::ReadTwice => shape.reads = Some((0..columns).chain(0..columns).collect()),
        Deed::AddTwice => shape.adds.push(out()),
        Deed::AddWhatIsKept => {
            shape.keeps = (0..columns).collect();
            shape.adds = input.to_vec();
        }
        Deed::AddNameless => shape.adds[0].name.clear(),
        _ => {}
    }
    Ok(shape)
}

fn out() -> Field {
    Field { name: "out".to_owned(), data_type: DataType::Utf8, nullable: false }
}
