//! `#[derive(Record)]`: a struct of columns to read from, a struct of builders to write to, and the loop over fields.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::ext::IdentExt;
use syn::{Data, DeriveInput, Field, Fields, Ident, Lifetime, LitStr, Type, parse_quote};

/// The implementation of `Record`.
pub(crate) fn derive(input: DeriveInput) -> syn::Result<TokenStream> {
    let columns = columns(&input)?;
    let lifetime = lifetime(&input)?;
    let name = &input.ident;
    let (_, ty_generics, _) = input.generics.split_for_impl();
    let (views, builders) = (format_ident!("{name}Columns"), format_ident!("{name}Builders"));

    let field: Vec<_> = columns.iter().map(|c| c.field).collect();
    let ty: Vec<_> = columns.iter().map(|c| c.ty).collect();
    let column: Vec<_> = columns.iter().map(|c| &c.name).collect();
    let value: Vec<_> = ty.iter().map(|ty| quote!(<#ty as ::weir_guest::Value<#lifetime>>)).collect();
    Ok(quote! {
        const _: () = {
            #[doc(hidden)]
            #[derive(Clone, Copy)]
            pub struct #views<#lifetime> {
                #(pub #field: #value::Column,)*
                __borrows: ::std::marker::PhantomData<&#lifetime ()>,
            }

            #[doc(hidden)]
            pub struct #builders<#lifetime> {
                #(#field: #value::Builder,)*
                __borrows: ::std::marker::PhantomData<&#lifetime ()>,
            }

            #[automatically_derived]
            impl<#lifetime> ::weir_guest::Record<#lifetime> for #name #ty_generics {
                const FIELDS: &'static [::weir_guest::FieldSpec] =
                    &[#(::weir_guest::FieldSpec::of::<#ty>(#column)),*];
                type Columns = #views<#lifetime>;
                type Builders = #builders<#lifetime>;

                fn columns(
                    reader: &mut ::weir_guest::macros::Reader<#lifetime>,
                ) -> ::std::result::Result<Self::Columns, ::std::string::String> {
                    ::std::result::Result::Ok(#views {
                        #(#field: reader.next::<#ty>(#column)?,)*
                        __borrows: ::std::marker::PhantomData,
                    })
                }

                #[inline]
                fn get(
                    columns: &Self::Columns,
                    row: ::std::primitive::usize,
                ) -> ::std::result::Result<Self, ::weir_guest::Null> {
                    ::std::result::Result::Ok(Self {
                        #(#field: match #value::get(columns.#field, row) {
                            ::std::option::Option::Some(value) => value,
                            ::std::option::Option::None => {
                                return ::std::result::Result::Err(::weir_guest::Null { column: #column });
                            }
                        },)*
                    })
                }

                fn builders(plan: ::weir_guest::macros::Plan<#lifetime>) -> Self::Builders {
                    #builders {
                        #(#field: #value::builder(plan),)*
                        __borrows: ::std::marker::PhantomData,
                    }
                }

                #[inline]
                fn push(self, builders: &mut Self::Builders) {
                    #(#value::push(self.#field, &mut builders.#field);)*
                }

                fn push_blank(builders: &mut Self::Builders) {
                    #(::weir_guest::macros::Builder::push_blank(&mut builders.#field);)*
                }

                fn finish(
                    builders: Self::Builders,
                    out: &mut ::weir_guest::macros::Finished,
                ) -> ::std::result::Result<(), ::std::string::String> {
                    #(out.add(#column, builders.#field)?;)*
                    ::std::result::Result::Ok(())
                }
            }
        };
    })
}

/// A field and its column.
struct Column<'a> {
    field: &'a Ident,
    ty: &'a Type,
    name: LitStr,
}

fn columns(input: &DeriveInput) -> syn::Result<Vec<Column<'_>>> {
    let Data::Struct(data) = &input.data else {
        return Err(syn::Error::new_spanned(&input.ident, "a record is a struct: its fields are the columns"));
    };
    let fields = match &data.fields {
        Fields::Named(fields) => &fields.named,
        Fields::Unit => return Ok(Vec::new()),
        Fields::Unnamed(_) => {
            return Err(syn::Error::new_spanned(&input.ident, "a record's fields need names: they are the columns'"));
        }
    };
    let mut columns: Vec<Column<'_>> = Vec::new();
    for field in fields {
        let Some(ident) = &field.ident else { continue };
        let name = column_name(field, ident)?;
        if columns.iter().any(|other| other.name.value() == name.value()) {
            return Err(syn::Error::new_spanned(field, format!("two fields for column `{}`", name.value())));
        }
        columns.push(Column { field: ident, ty: &field.ty, name });
    }
    Ok(columns)
}

/// The field's name, or what `#[record(name = "…")]` says.
fn column_name(field: &Field, ident: &Ident) -> syn::Result<LitStr> {
    let mut name = LitStr::new(&ident.unraw().to_string(), ident.span());
    for attribute in field.attrs.iter().filter(|a| a.path().is_ident("record")) {
        attribute.parse_nested_meta(|meta| {
            if !meta.path.is_ident("name") {
                return Err(meta.error("expected `name = \"column\"`"));
            }
            name = meta.value()?.parse()?;
            Ok(())
        })?;
    }
    Ok(name)
}

/// The lifetime that fields borrow from the input for.
fn lifetime(input: &DeriveInput) -> syn::Result<Lifetime> {
    let generics = &input.generics;
    if let Some(parameter) = generics.type_params().next() {
        return Err(syn::Error::new_spanned(parameter, "a record's types must be known: no type parameters"));
    }
    let mut lifetimes = generics.lifetimes();
    let first = lifetimes.next().map(|l| l.lifetime.clone());
    if let Some(second) = lifetimes.next() {
        return Err(syn::Error::new_spanned(second, "a record borrows from its input alone: one lifetime at most"));
    }
    Ok(first.unwrap_or_else(|| parse_quote!('row)))
}
