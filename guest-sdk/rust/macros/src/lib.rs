//! The macros of `weir-guest`, which re-exports them and documents them with examples.
//!
//! They only name things and pass them on: what an operator does is in plain code of `weir-guest`.

#![allow(missing_docs, reason = "documented, with examples, where weir-guest re-exports them")]

mod aggregate;
mod function;
mod implementation;
mod keep;
mod record;
mod sink;
mod state;

use proc_macro::TokenStream;
use syn::parse_macro_input;

use function::Kind;

#[proc_macro_derive(Record, attributes(record))]
pub fn record(input: TokenStream) -> TokenStream {
    done(record::derive(parse_macro_input!(input)))
}

#[proc_macro_attribute]
pub fn map(arguments: TokenStream, function: TokenStream) -> TokenStream {
    done(function::operator(Kind::Map, parse_macro_input!(arguments), parse_macro_input!(function)))
}

#[proc_macro_attribute]
pub fn filter(arguments: TokenStream, function: TokenStream) -> TokenStream {
    done(function::operator(Kind::Filter, parse_macro_input!(arguments), parse_macro_input!(function)))
}

#[proc_macro_attribute]
pub fn flat_map(arguments: TokenStream, function: TokenStream) -> TokenStream {
    done(function::operator(Kind::FlatMap, parse_macro_input!(arguments), parse_macro_input!(function)))
}

#[proc_macro_attribute]
pub fn batch(arguments: TokenStream, function: TokenStream) -> TokenStream {
    done(function::operator(Kind::Batch, parse_macro_input!(arguments), parse_macro_input!(function)))
}

#[proc_macro_attribute]
pub fn aggregate(arguments: TokenStream, implementation: TokenStream) -> TokenStream {
    let _nothing = parse_macro_input!(arguments as syn::parse::Nothing);
    done(aggregate::operator(parse_macro_input!(implementation)))
}

#[proc_macro_attribute]
pub fn state(arguments: TokenStream, implementation: TokenStream) -> TokenStream {
    done(state::operator(&parse_macro_input!(arguments), &parse_macro_input!(implementation)))
}

#[proc_macro_attribute]
pub fn sink(arguments: TokenStream, implementation: TokenStream) -> TokenStream {
    let _nothing = parse_macro_input!(arguments as syn::parse::Nothing);
    done(sink::operator(&parse_macro_input!(implementation)))
}

fn done(result: syn::Result<proc_macro2::TokenStream>) -> TokenStream {
    result.unwrap_or_else(|error| error.into_compile_error()).into()
}
