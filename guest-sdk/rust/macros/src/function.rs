//! `#[map]`, `#[filter]`, `#[flat_map]` and `#[batch]`: a type with the function's name that implements `Operator`.
//!
//! The function stays as it is. The type is a struct with braces, which lives in another namespace than functions.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::{FnArg, ItemFn, ReturnType, Type};

use crate::keep::Keep;

/// What kind of function it is.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Kind {
    Map,
    Filter,
    FlatMap,
    Batch,
}

impl Kind {
    fn module(self) -> &'static str {
        match self {
            Self::Map => "map",
            Self::Filter => "filter",
            Self::FlatMap => "flat_map",
            Self::Batch => "batch",
        }
    }

    /// What goes before and after the config among the function's arguments.
    fn arguments(self) -> (&'static [&'static str], &'static str) {
        match self {
            Self::Map | Self::Filter | Self::FlatMap => (&["row"], "`fn(row)` or `fn(row, config: &Config)`"),
            Self::Batch => (&["rows", "out"], "`fn(rows, out)` or `fn(rows, config: &Config, out)`"),
        }
    }
}

/// The function and its operator.
pub(crate) fn operator(kind: Kind, keep: Keep, function: ItemFn) -> syn::Result<TokenStream> {
    let signature = &function.sig;
    plain(&function)?;
    if kind == Kind::Filter && !matches!(keep, Keep::Unsaid) {
        return Err(syn::Error::new(signature.ident.span(), "a filter keeps all columns; it takes no argument"));
    }
    let config = config_type(kind, &function)?;
    let call = call(kind, &function, config.is_some());
    let (config, parse) = match config {
        Some(config) => (quote!(#config), quote!(::weir_guest::macros::parse::<#config>(config)?)),
        None => (quote!(()), quote!(::weir_guest::macros::refuse(config)?)),
    };
    let keep = (kind != Kind::Filter).then(|| keep.value());
    let keep = keep.iter();

    let name = &signature.ident;
    let vis = &function.vis;
    let module = format_ident!("{}", kind.module());
    let doc = format!("[`{name}`](fn@{name}) as an operator.");
    Ok(quote! {
        #function

        #[doc = #doc]
        #[allow(non_camel_case_types, reason = "it has the function's name")]
        #vis struct #name {
            config: #config,
        }

        impl ::weir_guest::transform::Operator for #name {
            fn configure(
                config: &::std::primitive::str,
                input: &[::weir_guest::bindings::rows::Field],
            ) -> ::std::result::Result<(Self, ::weir_guest::transform::Shape), ::std::string::String> {
                let this = Self { config: #parse };
                let shape = ::weir_guest::transform::#module::shape(#call, #(#keep,)* input)?;
                ::std::result::Result::Ok((this, shape))
            }

            fn apply(
                &self,
                chunk: &::weir_guest::Chunk,
            ) -> ::std::result::Result<::weir_guest::transform::Emitted, ::std::string::String> {
                let this = self;
                ::weir_guest::transform::#module::apply(#call, chunk)
            }
        }

        ::weir_guest::export_transform!(#name);
    })
}

/// A function that can be called with what the host gives, and nothing else.
fn plain(function: &ItemFn) -> syn::Result<()> {
    let signature = &function.sig;
    if let Some(token) = &signature.asyncness {
        return Err(syn::Error::new_spanned(token, "an operator has nothing to wait for: it cannot be async"));
    }
    if let Some(parameter) = signature.generics.type_params().next() {
        return Err(syn::Error::new_spanned(parameter, "an operator's types must be known: no type parameters"));
    }
    Ok(())
}

/// The `Config` of the argument `config: &Config`, if there is one.
fn config_type(kind: Kind, function: &ItemFn) -> syn::Result<Option<&Type>> {
    let (others, expected) = kind.arguments();
    let inputs = &function.sig.inputs;
    let wrong = || syn::Error::new_spanned(&function.sig, format!("expected {expected}"));
    match inputs.len().checked_sub(others.len()) {
        Some(0) => Ok(None),
        Some(1) => match &inputs[1] {
            FnArg::Typed(argument) => match &*argument.ty {
                Type::Reference(reference) if reference.mutability.is_none() => Ok(Some(&reference.elem)),
                other => Err(syn::Error::new_spanned(other, "the config is borrowed: `config: &Config`")),
            },
            FnArg::Receiver(_) => Err(wrong()),
        },
        _ => Err(wrong()),
    }
}

/// A closure that calls the function, with the operator in scope as `this`.
fn call(kind: Kind, function: &ItemFn, with_config: bool) -> TokenStream {
    let name = &function.sig.ident;
    let config = with_config.then(|| quote!(&this.config,));
    match kind {
        Kind::Map | Kind::Filter => quote!(|row| #name(row, #config)),
        Kind::FlatMap if returns_result(function) => quote!(|row| #name(row, #config)),
        Kind::FlatMap => {
            quote!(|row| ::std::result::Result::<_, ::std::convert::Infallible>::Ok(#name(row, #config)))
        }
        Kind::Batch => quote!(|rows, out| #name(rows, #config out)),
    }
}

/// Whether the return type is spelled as a `Result`. It cannot be told by a trait, since a `Result` can be iterated too.
fn returns_result(function: &ItemFn) -> bool {
    match &function.sig.output {
        ReturnType::Type(_, ty) => match &**ty {
            Type::Path(path) => path.path.segments.last().is_some_and(|last| last.ident == "Result"),
            _ => false,
        },
        ReturnType::Default => false,
    }
}
