//! A component for tests that need a real one.
#![allow(clippy::expect_used, reason = "a test that cannot set up its case should fail there")]

/// An aggregate: a core module that says which world it is for, as those made by wit-bindgen do.
pub(crate) fn fold() -> Vec<u8> {
    let mut module = wat::parse_str(include_str!("sample/fold.wat")).expect("a module");
    let mut resolve = wit_parser::Resolve::default();
    let interface = include_str!("../../../wit/operator.wit");
    let package = resolve.push_str("operator.wit", interface).expect("the interface");
    let world = resolve.select_world(&[package], Some("aggregate-operator")).expect("a world");
    wit_component::embed_component_metadata(&mut module, &resolve, world, wit_component::StringEncoding::UTF8)
        .expect("can be embedded");
    module
}
