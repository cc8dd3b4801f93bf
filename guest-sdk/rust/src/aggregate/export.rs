//! An aggregate as a component.

/// Makes an [`Aggregate`](crate::Aggregate) the crate's component, with the crate's name and version.
///
/// [`#[aggregate]`](macro@crate::aggregate) does this; a crate exports one operator. Outside wasm32 nothing is emitted.
#[macro_export]
macro_rules! export_aggregate {
    ($aggregate:ty) => {
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            use $crate::aggregate::fold;
            use $crate::bindings::{aggregate, rows};

            ::std::thread_local! {
                static AGGREGATE: ::std::cell::RefCell<::std::option::Option<$aggregate>> =
                    const { ::std::cell::RefCell::new(::std::option::Option::None) };
            }

            type Failable<T> = ::std::result::Result<T, ::std::string::String>;

            fn with<T>(f: impl ::std::ops::FnOnce(&$aggregate) -> Failable<T>) -> Failable<T> {
                AGGREGATE.with_borrow(|aggregate| match aggregate {
                    ::std::option::Option::Some(aggregate) => f(aggregate),
                    ::std::option::Option::None => ::std::result::Result::Err($crate::NOT_CONFIGURED.into()),
                })
            }

            fn sound(batch: rows::Batch) -> $crate::Chunk {
                // SAFETY: the host keeps the rules of its own interface.
                unsafe { $crate::Chunk::new_unchecked(batch) }
            }

            struct Component;

            impl aggregate::Guest for Component {
                fn configure(
                    config: ::std::string::String,
                    input: ::std::vec::Vec<rows::Field>,
                ) -> Failable<aggregate::Shape> {
                    $crate::log_panics();
                    let (aggregate, shape) = fold::configure::<$aggregate>(&config, &input)?;
                    AGGREGATE.set(::std::option::Option::Some(aggregate));
                    ::std::result::Result::Ok(shape)
                }

                fn create(groups: ::std::vec::Vec<u32>, input: rows::Batch) -> Failable<aggregate::Created> {
                    with(|aggregate| fold::create(aggregate, &groups, &sound(input)))
                }

                fn merge(groups: ::std::vec::Vec<u32>, accumulators: rows::Batch) -> Failable<rows::Batch> {
                    with(|aggregate| fold::merge(aggregate, &groups, &sound(accumulators)))
                }

                fn retract(total: rows::Batch, part: rows::Batch) -> Failable<(rows::Batch, ::std::vec::Vec<u8>)> {
                    with(|aggregate| fold::retract(aggregate, &sound(total), &sound(part)))
                }

                fn finish(accumulators: rows::Batch) -> Failable<rows::Batch> {
                    with(|aggregate| fold::finish(aggregate, &sound(accumulators)))
                }
            }

            $crate::bindings::aggregate::export_aggregate_world!(
                Component with_types_in $crate::bindings::aggregate
            );
            $crate::name_plugin!();
        };
    };
}
