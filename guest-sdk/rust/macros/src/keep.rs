//! The argument of the attributes: `keep = all`, `keep = none` or `keep = ["a", "b"]`.

use proc_macro2::TokenStream;
use quote::quote;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Ident, LitStr, Token, bracketed, token};

/// Which input columns an operator carries over.
pub(crate) enum Keep {
    /// Nothing was said.
    Unsaid,
    /// All of them.
    All,
    /// These.
    Only(Vec<LitStr>),
}

impl Parse for Keep {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        if input.is_empty() {
            return Ok(Self::Unsaid);
        }
        let key: Ident = input.parse()?;
        if key != "keep" {
            return Err(syn::Error::new(
                key.span(),
                "expected `keep = all`, `keep = none` or `keep = [\"column\", …]`",
            ));
        }
        input.parse::<Token![=]>()?;
        let keep = if input.peek(token::Bracket) {
            let names;
            bracketed!(names in input);
            let names = Punctuated::<LitStr, Token![,]>::parse_terminated(&names)?;
            Self::Only(names.into_iter().collect())
        } else {
            let which: Ident = input.parse()?;
            match which.to_string().as_str() {
                "all" => Self::All,
                "none" => Self::Only(Vec::new()),
                _ => return Err(syn::Error::new(which.span(), "expected `all`, `none` or a list of column names")),
            }
        };
        input.parse::<Option<Token![,]>>()?;
        Ok(keep)
    }
}

impl Keep {
    /// The value of type `weir_guest::transform::Keep`.
    pub(crate) fn value(&self) -> TokenStream {
        match self {
            Self::Unsaid => quote!(::weir_guest::transform::Keep::Only(&[])),
            Self::All => quote!(::weir_guest::transform::Keep::All),
            Self::Only(names) => quote!(::weir_guest::transform::Keep::Only(&[#(#names),*])),
        }
    }
}
