//! Text and bytes on their way out: parts of the input for as long as every value is one, copies from the first that
//! is not.
//!
//! A value that borrows from an input column is named by where it starts and how long it is, and the host gathers it.
//! Where a value lies is seen from its address: what lies inside a column's data borrows from it.

use super::{Builder, Plan, without_nulls};
use crate::bindings::rows::{Column, Slices, Values, VarLen};
use crate::chunk::Chunk;

/// Whether a column holds text or bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Bytes,
}

/// The input columns that values may be parts of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sources<'a>(&'a [Column]);

impl<'a> Sources<'a> {
    /// For answers whose values are all copies.
    pub(crate) const NONE: Self = Self(&[]);

    pub(crate) fn of(chunk: &'a Chunk) -> Self {
        Self(chunk.columns())
    }

    fn around(self, kind: Kind, value: &[u8]) -> Option<Source<'a>> {
        self.0.iter().zip(0..).find_map(|(column, index)| {
            let data = match (kind, &column.values) {
                (Kind::Text, Values::Utf8(values)) | (Kind::Bytes, Values::Binary(values)) => &values.data,
                _ => return None,
            };
            let source = Source { index, data };
            source.start_of(value).is_some().then_some(source)
        })
    }
}

/// One input column's data.
#[derive(Debug, Clone, Copy)]
struct Source<'a> {
    index: u32,
    data: &'a [u8],
}

impl Source<'_> {
    /// No value is part of it.
    const NONE: Self = Self { index: 0, data: &[] };

    fn is_none(self) -> bool {
        self.data.is_empty()
    }

    /// Where the value starts in the data, if it begins in it, and is a part of it.
    #[inline]
    fn start_of(self, value: &[u8]) -> Option<u32> {
        // Below the data this wraps around to a number that is too large.
        let start = value.as_ptr().addr().wrapping_sub(self.data.as_ptr().addr());
        (start < self.data.len() && value.len() <= self.data.len() - start).then_some(start as u32)
    }
}

/// Builds a column of text or bytes.
#[derive(Debug)]
pub struct VarLenBuilder<'a> {
    kind: Kind,
    sources: Sources<'a>,
    /// What every value so far is part of, if it is not empty; none before the first, and where values are copied.
    source: Source<'a>,
    /// Where each starts in it, and how long it is: together, since a push costs as much as the rest.
    parts: Vec<(u32, u32)>,
    copies: Option<VarLen>,
}

impl<'a> VarLenBuilder<'a> {
    /// For values that may be part of the input.
    pub(crate) fn new(plan: Plan<'a>, kind: Kind) -> Self {
        let parts = Vec::with_capacity(plan.rows);
        Self { kind, sources: plan.sources, source: Source::NONE, parts, copies: None }
    }

    /// For values that never are.
    pub(crate) fn copying(plan: Plan<'a>, kind: Kind) -> Self {
        let nothing = Plan { rows: 0, sources: Sources::NONE };
        Self { copies: Some(no_copies(plan.rows)), ..Self::new(nothing, kind) }
    }

    #[inline]
    pub(crate) fn push(&mut self, value: &[u8]) {
        if let Some(start) = self.source.start_of(value) {
            self.parts.push((start, value.len() as u32));
        } else if let Some(copies) = &mut self.copies {
            append(copies, value);
        } else {
            self.push_elsewhere(value);
        }
    }

    /// Appends a value that is not part of the source, or before there is one.
    #[cold]
    fn push_elsewhere(&mut self, value: &[u8]) {
        if value.is_empty() {
            return self.push_blank();
        }
        if self.source.is_none()
            && let Some(found) = self.sources.around(self.kind, value)
        {
            self.source = found;
            return self.push(value);
        }
        // From here on, values are copied, those so far too.
        let mut copies = copied(self.source, &self.parts);
        append(&mut copies, value);
        (self.source, self.copies) = (Source::NONE, Some(copies));
    }
}

impl Builder for VarLenBuilder<'_> {
    fn push_blank(&mut self) {
        match &mut self.copies {
            Some(copies) => append(copies, &[]),
            None => self.parts.push((0, 0)),
        }
    }

    fn finish(self) -> Result<Column, String> {
        let Self { kind, source, parts, copies, .. } = self;
        if !source.is_none() {
            let starts = parts.iter().map(|&(start, _)| start).collect();
            let lengths = parts.iter().map(|&(_, length)| length).collect();
            return Ok(without_nulls(Values::Slices(Slices { column: source.index, starts, lengths })));
        }
        let copies = copies.unwrap_or_else(|| copied(source, &parts));
        if i32::try_from(copies.data.len()).is_err() {
            return Err("more than 2 GiB of text or bytes in a column of one answer".to_owned());
        }
        Ok(without_nulls(match kind {
            Kind::Text => Values::Utf8(copies),
            Kind::Bytes => Values::Binary(copies),
        }))
    }
}

fn no_copies(rows: usize) -> VarLen {
    let mut offsets = Vec::with_capacity(rows + 1);
    offsets.push(0);
    VarLen { offsets, data: Vec::new() }
}

/// What parts stand for.
fn copied(source: Source<'_>, parts: &[(u32, u32)]) -> VarLen {
    let mut copies = no_copies(parts.len());
    for &(start, length) in parts {
        append(&mut copies, &source.data[start as usize..][..length as usize]);
    }
    copies
}

#[inline]
fn append(copies: &mut VarLen, value: &[u8]) {
    append_bytes(&mut copies.data, value);
    // Where this wraps around, `finish` refuses.
    copies.offsets.push(copies.data.len() as i32);
}

/// Most bytes that are moved in place: a `memory.copy` of a few bytes costs a call into the engine.
const SHORT: usize = 16;

#[inline]
fn append_bytes(out: &mut Vec<u8>, value: &[u8]) {
    if value.len() > SHORT {
        return out.extend_from_slice(value);
    }
    out.reserve(SHORT);
    let (at, len) = (out.len(), value.len());
    let (from, to) = (value.as_ptr(), out.spare_capacity_mut().as_mut_ptr().cast::<u8>());
    // SAFETY: each move reads inside value[0 .. len] and writes inside the same range of the spare capacity, which has
    // room for `len` <= SHORT bytes; together they cover the range, so that all `at + len` bytes are initialized.
    unsafe {
        if len >= 8 {
            to.copy_from_nonoverlapping(from, 8);
            to.add(len - 8).copy_from_nonoverlapping(from.add(len - 8), 8);
        } else if len >= 4 {
            to.copy_from_nonoverlapping(from, 4);
            to.add(len - 4).copy_from_nonoverlapping(from.add(len - 4), 4);
        } else if len >= 1 {
            to.write(*from);
            to.add(len / 2).write(*from.add(len / 2));
            to.add(len - 1).write(*from.add(len - 1));
        }
        out.set_len(at + len);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::bindings::rows::Batch;

    fn text(values: &[&str]) -> Column {
        let mut copies = no_copies(values.len());
        values.iter().for_each(|v| append(&mut copies, v.as_bytes()));
        without_nulls(Values::Utf8(copies))
    }

    fn built(chunk: &Chunk, values: &[&str]) -> Values {
        let plan = Plan { rows: values.len(), sources: Sources::of(chunk) };
        let mut builder = VarLenBuilder::new(plan, Kind::Text);
        values.iter().for_each(|v| builder.push(v.as_bytes()));
        builder.finish().expect("small").values
    }

    fn chunk(columns: Vec<Column>) -> Chunk {
        Chunk::new(Batch { row_count: 1, columns }).expect("sound")
    }

    fn data(chunk: &Chunk, column: usize) -> &str {
        crate::column::text(&chunk.columns()[column]).expect("text").data()
    }

    #[test]
    fn parts_of_one_column_are_slices() {
        let chunk = chunk(vec![text(&["left"]), text(&["right"])]);
        let right = data(&chunk, 1);
        let slices = Slices { column: 1, starts: vec![1, 0, 0, 0], lengths: vec![2, 0, 5, 0] };
        assert_eq!(built(&chunk, &[&right[1..3], "", right, &right[5..]]), Values::Slices(slices));
    }

    #[test]
    fn parts_of_two_columns_are_copies() {
        let chunk = chunk(vec![text(&["left"]), text(&["right"])]);
        let copies = built(&chunk, &[&data(&chunk, 0)[..2], &data(&chunk, 1)[..2], data(&chunk, 0)]);
        assert_eq!(copies, text(&["le", "ri", "left"]).values);
    }

    #[test]
    fn a_value_from_elsewhere_makes_all_of_them_copies() {
        let chunk = chunk(vec![text(&["left"])]);
        assert_eq!(built(&chunk, &[&data(&chunk, 0)[1..], "static"]), text(&["eft", "static"]).values);
        assert_eq!(built(&chunk, &["static", &data(&chunk, 0)[1..]]), text(&["static", "eft"]).values);
    }

    #[test]
    fn text_is_never_cut_out_of_bytes() {
        let Values::Utf8(bytes) = text(&["bytes"]).values else { unreachable!("text") };
        let chunk = chunk(vec![without_nulls(Values::Binary(bytes))]);
        let part = crate::column::bytes(&chunk.columns()[0]).expect("bytes").data();
        assert_eq!(built(&chunk, &[std::str::from_utf8(part).expect("text")]), text(&["bytes"]).values);
    }

    #[test]
    fn nothing_but_empty_text_is_text() {
        let chunk = chunk(vec![text(&["left"])]);
        assert_eq!(built(&chunk, &["", ""]), text(&["", ""]).values);
        assert_eq!(built(&chunk, &[]), text(&[]).values);
    }

    proptest! {
        #[test]
        fn appended_bytes_are_the_bytes(values in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..20)) {
            let mut out = Vec::new();
            values.iter().for_each(|v| append_bytes(&mut out, v));
            prop_assert_eq!(out, values.concat());
        }
    }
}
