//! `#[state]`: exports.

use proc_macro2::TokenStream;
use quote::quote;
use syn::ItemImpl;

use crate::implementation;

/// The implementation and its export.
pub(crate) fn operator(implementation: &ItemImpl) -> syn::Result<TokenStream> {
    let state = implementation::operator(implementation, "State")?;
    Ok(quote! {
        #implementation

        ::weir_guest::export_state!(#state);
    })
}
