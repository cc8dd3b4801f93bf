//! An operator with state as a component.

/// Makes a [`State`](crate::State) the crate's component, with the crate's name and version.
///
/// [`#[state]`](macro@crate::state) does this; a crate exports one operator. With `, migrate` behind the type, which
/// [`Migrates`](crate::state::Migrates) then, that interface is exported, too. Outside wasm32 nothing is emitted.
#[macro_export]
macro_rules! export_state {
    ($state:ty $(, $migrate:ident)?) => {
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            use $crate::bindings::{rows, state};
            use $crate::state::update::{self, Operator};

            ::std::thread_local! {
                static OPERATOR: ::std::cell::RefCell<::std::option::Option<Operator<$state>>> =
                    const { ::std::cell::RefCell::new(::std::option::Option::None) };
            }

            type Failable<T> = ::std::result::Result<T, ::std::string::String>;

            struct Component;

            impl state::Guest for Component {
                fn configure(
                    config: ::std::string::String,
                    keys: ::std::vec::Vec<rows::Field>,
                    input: ::std::vec::Vec<rows::Field>,
                ) -> Failable<state::Shape> {
                    $crate::log_panics();
                    let (operator, shape) = update::configure::<$state>(&config, &keys, &input)?;
                    OPERATOR.set(::std::option::Option::Some(operator));
                    ::std::result::Result::Ok(shape)
                }

                fn update(batch_time: u64, touched: state::Touched) -> Failable<state::Updated> {
                    $crate::set_batch_time($crate::Timestamp::from_millis(batch_time as i64));
                    // SAFETY: the host keeps the rules of its own interface.
                    let touched = unsafe { $crate::state::Touched::new_unchecked(touched) }?;
                    OPERATOR.with_borrow(|operator| match operator {
                        ::std::option::Option::Some(operator) => update::update(operator, &touched),
                        ::std::option::Option::None => ::std::result::Result::Err($crate::NOT_CONFIGURED.into()),
                    })
                }
            }

            $crate::bindings::state::export_state_world!(
                Component with_types_in $crate::bindings::state
            );
            $(
                impl $crate::bindings::$migrate::Guest for Component {
                    fn migrate(
                        from: u32,
                        schema: ::std::vec::Vec<rows::Field>,
                        states: rows::Batch,
                    ) -> Failable<rows::Batch> {
                        // SAFETY: the host keeps the rules of its own interface.
                        let states = unsafe { $crate::Chunk::new_unchecked(states) };
                        OPERATOR.with_borrow(|operator| match operator {
                            ::std::option::Option::Some(operator) => {
                                $crate::state::$migrate::migrate(operator, from, &schema, &states)
                            }
                            ::std::option::Option::None => ::std::result::Result::Err($crate::NOT_CONFIGURED.into()),
                        })
                    }
                }

                $crate::bindings::$migrate::export_migrate_world!(
                    Component with_types_in $crate::bindings::$migrate
                );
            )?
            $crate::name_plugin!();
        };
    };
}
