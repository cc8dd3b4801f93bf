//! `#[sink]`: the implementation as the host calls it, and its export.

use proc_macro2::TokenStream;
use quote::quote;
use syn::ItemImpl;

use crate::implementation;

/// The implementation and its export.
pub(crate) fn operator(implementation: &ItemImpl) -> syn::Result<TokenStream> {
    let sink = implementation::operator(implementation, "Sink")?;
    Ok(quote! {
        #implementation

        const _: () = {
            use ::weir_guest::bindings::rows;
            use ::weir_guest::sink::{Failure, Operator, Part, Shape, deliver};

            impl Operator for #sink {
                fn configure(
                    config: &::std::primitive::str,
                    input: &[rows::Field],
                ) -> ::std::result::Result<(Self, Shape), ::std::string::String> {
                    deliver::configure(config, input)
                }

                fn write(
                    &self,
                    part: Part,
                    chunk: &::weir_guest::Chunk,
                ) -> ::std::result::Result<::std::vec::Vec<rows::Reject>, Failure> {
                    deliver::write(self, part, chunk)
                }
            }
        };

        ::weir_guest::export_sink!(#sink);
    })
}
