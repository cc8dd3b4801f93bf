//! A transform as a component.

/// Makes an [`Operator`](crate::transform::Operator) the crate's component, with the crate's name and version.
///
/// The attributes do this; a crate exports one operator. Outside wasm32 nothing is emitted.
///
/// ```
/// use weir_guest::bindings::rows::Field;
/// use weir_guest::transform::{Emitted, Operator, Origin, Shape};
/// use weir_guest::Chunk;
///
/// struct Everything;
///
/// impl Operator for Everything {
///     fn configure(_config: &str, input: &[Field]) -> Result<(Self, Shape), String> {
///         let keeps = (0..input.len() as u32).collect();
///         Ok((Everything, Shape { reads: Some(vec![]), keeps, adds: vec![] }))
///     }
///
///     fn apply(&self, _chunk: &Chunk) -> Result<Emitted, String> {
///         Ok(Emitted { origin: Origin::Same, columns: vec![], rejects: vec![] })
///     }
/// }
///
/// weir_guest::export_transform!(Everything);
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! export_transform {
    ($operator:ty) => {
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            use $crate::bindings::{rows, transform};

            ::std::thread_local! {
                static OPERATOR: ::std::cell::RefCell<::std::option::Option<$operator>> =
                    const { ::std::cell::RefCell::new(::std::option::Option::None) };
            }

            struct Component;

            impl transform::Guest for Component {
                fn configure(
                    config: ::std::string::String,
                    input: ::std::vec::Vec<rows::Field>,
                ) -> ::std::result::Result<transform::Shape, ::std::string::String> {
                    $crate::log_panics();
                    let (operator, shape) = <$operator as $crate::transform::Operator>::configure(&config, &input)?;
                    OPERATOR.set(::std::option::Option::Some(operator));
                    ::std::result::Result::Ok(shape)
                }

                fn apply(
                    batch_time: u64,
                    input: rows::Batch,
                ) -> ::std::result::Result<transform::Emitted, ::std::string::String> {
                    $crate::set_batch_time($crate::Timestamp::from_millis(batch_time as i64));
                    // SAFETY: the host keeps the rules of its own interface.
                    let chunk = unsafe { $crate::Chunk::new_unchecked(input) };
                    OPERATOR.with_borrow(|operator| match operator {
                        ::std::option::Option::Some(operator) => $crate::transform::Operator::apply(operator, &chunk),
                        ::std::option::Option::None => ::std::result::Result::Err($crate::NOT_CONFIGURED.into()),
                    })
                }
            }

            $crate::bindings::transform::export_transform_world!(
                Component with_types_in $crate::bindings::transform
            );
            $crate::name_plugin!();
        };
    };
}
