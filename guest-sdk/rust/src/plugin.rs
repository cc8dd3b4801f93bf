//! What a host can read off a plugin without running it.

/// What an export answers where the host broke the order of calls.
#[doc(hidden)]
pub const NOT_CONFIGURED: &str = "called before `configure`";

/// Writes the crate's name and version into the component, for the host's registry. The exports do this; an operator on
/// the raw [`bindings`](crate::bindings) does it itself.
#[macro_export]
macro_rules! name_plugin {
    () => {
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            const NAME: &[u8] =
                ::std::concat!(::std::env!("CARGO_PKG_NAME"), "\0", ::std::env!("CARGO_PKG_VERSION")).as_bytes();

            #[used]
            #[unsafe(link_section = "weir-plugin")]
            static SECTION: [u8; NAME.len()] = {
                let mut bytes = [0; NAME.len()];
                bytes.copy_from_slice(NAME);
                bytes
            };
        };
    };
}
