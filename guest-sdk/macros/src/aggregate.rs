//! `#[aggregate]`: notes whether there is a `retract`, and exports.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{ImplItem, ItemImpl, parse_quote};

/// The implementation and its export.
pub(crate) fn operator(mut implementation: ItemImpl) -> syn::Result<TokenStream> {
    if implementation.trait_.is_none() {
        return Err(syn::Error::new_spanned(&implementation.self_ty, "expected `impl Aggregate for …`"));
    }
    if let Some(parameter) = implementation.generics.params.first() {
        return Err(syn::Error::new_spanned(parameter, "an operator's types must be known: no parameters"));
    }
    let retracts = implementation.items.iter().any(|item| matches!(item, ImplItem::Fn(f) if f.sig.ident == "retract"));
    implementation.items.push(parse_quote! {
        const RETRACTS: ::std::primitive::bool = #retracts;
    });
    let aggregate = &implementation.self_ty;
    Ok(quote! {
        #implementation

        ::weir_guest::export_aggregate!(#aggregate);
    })
}
