//! `#[state]`: lists the migrations, if there are any, and exports.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Ident, ItemImpl, LitInt, Token, Type, bracketed};

use crate::implementation;

/// The attribute's argument: nothing, or `migrates = [1, 2]`.
pub(crate) struct Migrates(Vec<LitInt>);

impl Parse for Migrates {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        if input.is_empty() {
            return Ok(Self(Vec::new()));
        }
        let key: Ident = input.parse()?;
        if key != "migrates" {
            return Err(syn::Error::new(key.span(), "expected `migrates = [1, …]`"));
        }
        input.parse::<Token![=]>()?;
        let versions;
        let list = bracketed!(versions in input);
        let versions = Punctuated::<LitInt, Token![,]>::parse_terminated(&versions)?;
        if versions.is_empty() {
            return Err(syn::Error::new(list.span.join(), "expected the versions whose states can be migrated"));
        }
        input.parse::<Option<Token![,]>>()?;
        Ok(Self(versions.into_iter().collect()))
    }
}

/// The implementation and its export.
pub(crate) fn operator(migrates: &Migrates, implementation: &ItemImpl) -> syn::Result<TokenStream> {
    let state = implementation::operator(implementation, "State")?;
    let export = if migrates.0.is_empty() {
        quote!(::weir_guest::export_state!(#state);)
    } else {
        let migrations = migrations(&migrates.0, state);
        quote! {
            #migrations

            ::weir_guest::export_state!(#state, migrate);
        }
    };
    Ok(quote! {
        #implementation

        #export
    })
}

/// The list of migrations. What is wrong with one is said where the attribute names its version.
fn migrations(versions: &[LitInt], state: &Type) -> TokenStream {
    let entries = versions
        .iter()
        .map(|version| quote_spanned!(version.span()=> ::weir_guest::state::Migration::<#state>::of::<#version>()));
    let earlier = versions.iter().map(|version| {
        quote_spanned! {version.span()=>
            const _: () = ::std::assert!(
                #version < <#state as ::weir_guest::State>::VERSION,
                "only states of earlier versions are migrated: raise `VERSION`"
            );
        }
    });
    quote! {
        impl ::weir_guest::state::Migrates for #state {
            const MIGRATIONS: &'static [::weir_guest::state::Migration<Self>] = &[#(#entries),*];
        }

        #(#earlier)*
    }
}
