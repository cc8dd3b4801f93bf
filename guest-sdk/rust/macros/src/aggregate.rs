//! `#[aggregate]`: notes whether there is a `retract`, and exports.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{ImplItem, ItemImpl, parse_quote};

use crate::implementation;

/// The implementation and its export.
pub(crate) fn operator(mut implementation: ItemImpl) -> syn::Result<TokenStream> {
    let aggregate = implementation::operator(&implementation, "Aggregate")?.clone();
    let retracts = implementation.items.iter().any(|item| matches!(item, ImplItem::Fn(f) if f.sig.ident == "retract"));
    implementation.items.push(parse_quote! {
        const RETRACTS: ::std::primitive::bool = #retracts;
    });
    Ok(quote! {
        #implementation

        ::weir_guest::export_aggregate!(#aggregate);
    })
}
