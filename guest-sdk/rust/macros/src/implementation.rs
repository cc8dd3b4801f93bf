//! An operator that is a trait's implementation.

use syn::{ItemImpl, Type};

/// The operator's type, if the implementation can be exported. `name` is the trait's, for messages.
pub(crate) fn operator<'i>(implementation: &'i ItemImpl, name: &str) -> syn::Result<&'i Type> {
    if implementation.trait_.is_none() {
        return Err(syn::Error::new_spanned(&implementation.self_ty, format!("expected `impl {name} for …`")));
    }
    match implementation.generics.params.first() {
        Some(parameter) => Err(syn::Error::new_spanned(parameter, "an operator's types must be known: no parameters")),
        None => Ok(&implementation.self_ty),
    }
}
