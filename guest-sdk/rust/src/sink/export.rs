//! A sink as a component.

/// Makes an [`Operator`](crate::sink::Operator) the crate's component, with the crate's name and version.
///
/// [`#[sink]`](macro@crate::sink) does this; a crate exports one operator. Outside wasm32 nothing is emitted.
#[macro_export]
macro_rules! export_sink {
    ($sink:ty) => {
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            use $crate::bindings::{rows, sink};

            ::std::thread_local! {
                static SINK: ::std::cell::RefCell<::std::option::Option<$sink>> =
                    const { ::std::cell::RefCell::new(::std::option::Option::None) };
            }

            struct Component;

            impl sink::Guest for Component {
                fn configure(
                    config: ::std::string::String,
                    input: ::std::vec::Vec<rows::Field>,
                ) -> ::std::result::Result<sink::Shape, ::std::string::String> {
                    $crate::log_panics();
                    let (sink, shape) = <$sink as $crate::sink::Operator>::configure(&config, &input)?;
                    SINK.set(::std::option::Option::Some(sink));
                    ::std::result::Result::Ok(shape)
                }

                fn write(
                    part: sink::Part,
                    input: rows::Batch,
                ) -> ::std::result::Result<::std::vec::Vec<rows::Reject>, sink::DeliveryFailure> {
                    $crate::set_batch_time($crate::Timestamp::from_millis(part.batch_time as i64));
                    // SAFETY: the host keeps the rules of its own interface.
                    let chunk = unsafe { $crate::Chunk::new_unchecked(input) };
                    SINK.with_borrow(|sink| match sink {
                        ::std::option::Option::Some(sink) => $crate::sink::Operator::write(sink, part, &chunk),
                        ::std::option::Option::None => {
                            ::std::result::Result::Err(sink::DeliveryFailure::Fatal($crate::NOT_CONFIGURED.into()))
                        }
                    })
                }
            }

    $crate::bindings::sink::export_sink_world!(Component with_types_in $crate::bindings::sink);
            $crate::name_plugin!();
        };
    };
}
