//! Reads a parsed file against the schema: fills in the environment, and reports every key and value that does not fit
//! in the words of the file, not of serde.
//!
//! Whatever does not fit is reported and left out, and reading goes on, so one run shows all that is wrong.

use toml::de::{DeInteger, DeTable, DeValue};
use toml::{Spanned, Table, Value};

use super::document::Document;
use super::problem::Problem;
use super::shape::{Shape, TableShape, Text};
use super::substitute::{Environment, Expanded, SubstituteError, expand};
use super::suggest::{hint, nearest, words};

/// How deep free-form values may nest, so that no input exhausts the stack.
const MAX_DEPTH: usize = 64;

/// What could be read of a file.
pub(super) struct Reading {
    /// Everything that fits the schema.
    pub table: Table,
    /// What does not.
    pub problems: Vec<Problem>,
    /// The paths of what does not, down from the file's top.
    pub faulty: Vec<Vec<String>>,
}

/// Reads the whole document.
pub(super) fn read(document: &Document<'_>, environment: Environment<'_>) -> Reading {
    let mut reader = Reader { document, environment, path: Vec::new(), problems: Vec::new(), faulty: Vec::new() };
    let table = reader.table(document.root(), Shape::file(), 0);
    Reading { table, problems: reader.problems, faulty: reader.faulty }
}

struct Reader<'d> {
    document: &'d Document<'d>,
    environment: Environment<'d>,
    /// The keys down to where the reader is.
    path: Vec<String>,
    problems: Vec<Problem>,
    faulty: Vec<Vec<String>>,
}

impl Reader<'_> {
    /// A table whose own key is at offset `at`.
    fn table(&mut self, table: &DeTable<'_>, shape: TableShape, at: usize) -> Table {
        let mut out = Table::new();
        let mut meant = Vec::new();
        for (key, value) in table {
            let (name, key_at) = (key.get_ref().as_ref(), key.span().start);
            self.path.push(name.to_owned());
            match shape.value(name) {
                Some(schema) => {
                    if let Some(value) = self.value(value, schema, key_at) {
                        out.insert(name.to_owned(), value);
                    }
                }
                None => {
                    meant.extend(nearest(name, shape.known()));
                    let message = format!("unknown key `{name}`{}{}", self.of_table(), hint(name, shape.known()));
                    self.report(key_at, message);
                }
            }
            self.path.pop();
        }
        for (key, about) in shape.required() {
            // One that was misspelt is there.
            if !table.contains_key(key) && !meant.contains(&key) {
                self.missing(key, first_sentence(about), at);
            }
        }
        out
    }

    /// A value whose key is at offset `key_at`.
    fn value(
        &mut self,
        value: &Spanned<DeValue<'_>>,
        schema: &'static serde_json::Value,
        key_at: usize,
    ) -> Option<Value> {
        let at = value.span().start;
        match (Shape::of(schema), value.get_ref()) {
            (Shape::Any, value_ref) => self.free(value_ref, value.span(), 0),
            (Shape::Table(shape), DeValue::Table(table)) => Some(Value::Table(self.table(table, shape, key_at))),
            (Shape::Tagged { tag, variants }, DeValue::Table(table)) => {
                let shape = self.variant(table, tag, &variants, key_at)?;
                Some(Value::Table(self.table(table, shape, key_at)))
            }
            (Shape::Array(items), DeValue::Array(values)) => Some(Value::Array(self.items(values, items))),
            (Shape::Boolean, DeValue::Boolean(value)) => Some(Value::Boolean(*value)),
            (Shape::Integer { minimum } | Shape::IntegerOrText { minimum, .. }, DeValue::Integer(value)) => {
                self.integer(integer(value), minimum, at)
            }
            (Shape::Number, DeValue::Integer(value)) => self.number(integer(value).map(|i| i as f64), at),
            (Shape::Number, DeValue::Float(value)) => self.number(value.as_str().parse().ok(), at),
            (shape, DeValue::String(text)) => {
                let expanded = self.expand(text, value.span())?;
                self.text(shape, expanded, at)
            }
            (shape, value) => self.mismatch(&shape, value.type_str(), at),
        }
    }

    /// The keys that follow from what a table says under its tag.
    fn variant(
        &mut self,
        table: &DeTable<'_>,
        tag: &'static str,
        variants: &[(&'static str, TableShape)],
        at: usize,
    ) -> Option<TableShape> {
        let known = variants.iter().map(|(name, _)| *name);
        let Some(value) = table.get(tag) else {
            let is_known = |key: &str| variants.iter().any(|(_, shape)| shape.value(key).is_some());
            let misspelt = |key: &str| nearest(key, [tag]).is_some() && !is_known(key);
            let Some((key, _)) = table.iter().find(|(key, _)| misspelt(key.get_ref())) else {
                self.missing(tag, &format!("one of {}", words(known)), at);
                return None;
            };
            self.path.push(key.get_ref().to_string());
            let message = format!("unknown key `{}`{}; did you mean `{tag}`?", key.get_ref(), self.of_table());
            self.report(key.span().start, message);
            self.path.pop();
            return None;
        };
        self.path.push(tag.to_owned());
        let shape = self.word(value, known).and_then(|word| Some(variants.iter().find(|(name, _)| *name == word)?.1));
        self.path.pop();
        shape
    }

    /// The word under a tag.
    fn word<'w>(
        &mut self,
        value: &Spanned<DeValue<'_>>,
        known: impl Iterator<Item = &'w str> + Clone,
    ) -> Option<String> {
        let at = value.span().start;
        let DeValue::String(text) = value.get_ref() else {
            let message = format!("{} must be one of {}", self.place(), words(known));
            return self.refuse(at, message);
        };
        let word = self.expand(text, value.span())?.text.into_owned();
        if known.clone().any(|name| name == word) {
            return Some(word);
        }
        let tag = self.path.last().map_or("", String::as_str);
        let message = format!("unknown {tag} `{word}`{}{}", self.of_table(), hint(&word, known));
        self.refuse(at, message)
    }

    fn items(&mut self, values: &[Spanned<DeValue<'_>>], schema: &'static serde_json::Value) -> Vec<Value> {
        let Some(key) = self.path.pop() else { return Vec::new() };
        let mut out = Vec::new();
        for (index, value) in values.iter().enumerate() {
            self.path.push(format!("{key}[{index}]"));
            out.extend(self.value(value, schema, value.span().start));
            self.path.pop();
        }
        self.path.push(key);
        out
    }

    fn integer(&mut self, value: Option<i64>, minimum: i64, at: usize) -> Option<Value> {
        match value {
            Some(value) if value >= minimum => Some(Value::Integer(value)),
            Some(value) => {
                let message = format!("{} must be at least {minimum}, not {value}", self.place());
                self.refuse(at, message)
            }
            None => {
                let message = format!("{} does not fit into 64 bits", self.place());
                self.refuse(at, message)
            }
        }
    }

    fn number(&mut self, value: Option<f64>, at: usize) -> Option<Value> {
        match value.filter(|value| value.is_finite()) {
            Some(value) => Some(Value::Float(value)),
            None => {
                let message = format!("{} must be a finite number", self.place());
                self.refuse(at, message)
            }
        }
    }

    /// A string where `shape` is asked for. Only what came whole from the environment, which knows nothing but strings,
    /// is turned into a number.
    fn text(&mut self, shape: Shape, expanded: Expanded<'_>, at: usize) -> Option<Value> {
        let Expanded { text, whole } = expanded;
        match shape {
            Shape::Text(rule) | Shape::IntegerOrText { text: rule, .. } => {
                self.unit(rule, &text, at).then(|| Value::String(text.into_owned()))
            }
            Shape::Word(words) if words.contains(&&*text) => Some(Value::String(text.into_owned())),
            Shape::Word(words) => {
                let message = format!("unknown value `{text}` for {}{}", self.place(), hint(&text, words));
                self.refuse(at, message)
            }
            Shape::Boolean | Shape::Integer { .. } | Shape::Number => match scalar(&shape, &text) {
                Some(_) if !whole => self.mismatch(&shape, "string; leave out the quotes", at),
                Some(Value::Integer(value)) => self.integer(Some(value), shape.minimum(), at),
                Some(value) => Some(value),
                None if !whole => self.mismatch(&shape, "string", at),
                None => {
                    let message = format!("{} must be {}, but its variable gives `{text}`", self.place(), name(&shape));
                    self.refuse(at, message)
                }
            },
            Shape::Any | Shape::Array(_) | Shape::Table(_) | Shape::Tagged { .. } => {
                self.mismatch(&shape, "string", at)
            }
        }
    }

    fn unit(&mut self, rule: Text, text: &str, at: usize) -> bool {
        if let Err(error) = rule.check(text) {
            let message = format!("{}: {error}", self.place());
            self.report(at, message);
            return false;
        }
        true
    }

    /// A value in a table that is the user's own.
    fn free(&mut self, value: &DeValue<'_>, span: std::ops::Range<usize>, depth: usize) -> Option<Value> {
        if depth > MAX_DEPTH {
            let message = format!("{} nests deeper than {MAX_DEPTH} levels", self.place());
            return self.refuse(span.start, message);
        }
        match value {
            DeValue::String(text) => Some(Value::String(self.expand(text, span)?.text.into_owned())),
            DeValue::Integer(value) => self.integer(integer(value), i64::MIN, span.start),
            DeValue::Float(value) => self.number(value.as_str().parse().ok(), span.start),
            DeValue::Boolean(value) => Some(Value::Boolean(*value)),
            // JSON has no date; a component gets the text.
            DeValue::Datetime(value) => Some(Value::String(value.to_string())),
            DeValue::Array(values) => {
                let values = values.iter().filter_map(|v| self.free(v.get_ref(), v.span(), depth + 1));
                Some(Value::Array(values.collect()))
            }
            DeValue::Table(table) => {
                let mut out = Table::new();
                for (key, value) in table {
                    self.path.push(key.get_ref().to_string());
                    if let Some(value) = self.free(value.get_ref(), value.span(), depth + 1) {
                        out.insert(key.get_ref().to_string(), value);
                    }
                    self.path.pop();
                }
                Some(Value::Table(out))
            }
        }
    }

    fn expand<'t>(&mut self, text: &'t str, span: std::ops::Range<usize>) -> Option<Expanded<'t>> {
        let errors = match expand(text, self.environment) {
            Ok(expanded) => return Some(expanded),
            Err(errors) => errors,
        };
        for error in errors {
            // In a query of many lines, the line that has the variable.
            let written = self.document.written(span.clone());
            let within = match &error {
                SubstituteError::Unset { name } => written.find(&format!("${{{name}}}")),
                _ => None,
            };
            let message = format!("{}: {error}", self.place());
            self.report(span.start + within.unwrap_or(0), message);
        }
        None
    }

    fn missing(&mut self, key: &str, about: &str, at: usize) {
        self.path.push(key.to_owned());
        let message = format!("missing key `{key}`{}: {about}", self.of_table());
        self.report(at, message);
        self.path.pop();
    }

    fn mismatch<T>(&mut self, shape: &Shape, found: &str, at: usize) -> Option<T> {
        let expected = match shape {
            Shape::Text(Text { example: Some(example), .. }) => format!("a string such as \"{example}\""),
            Shape::IntegerOrText { text: Text { example: Some(example), .. }, .. } => {
                format!("an integer, or a string such as \"{example}\"")
            }
            Shape::Word(known) => format!("one of {}", words(known.iter().copied())),
            shape => name(shape).to_owned(),
        };
        let article = if found.starts_with(['a', 'i']) { "an" } else { "a" };
        let message = format!("{} must be {expected}, not {article} {found}", self.place());
        self.refuse(at, message)
    }

    /// The key where the reader is, as a reader of the file would name it.
    fn place(&self) -> String {
        format!("`{}`{}", self.path.last().map_or("", String::as_str), self.of_table())
    }

    /// The table that the key is in, as the end of a phrase; nothing at the file's top.
    fn of_table(&self) -> String {
        match self.path.split_last() {
            Some((_, [])) | None => String::new(),
            Some((_, table)) => format!(" in [{}]", table.join(".")),
        }
    }

    /// Notes a problem with the key where the reader is.
    fn report(&mut self, at: usize, message: String) {
        self.problems.push(self.document.problem(at, message));
        self.faulty.push(self.path.clone());
    }

    /// Notes a problem with the value where the reader is, which is then left out.
    fn refuse<T>(&mut self, at: usize, message: String) -> Option<T> {
        self.report(at, message);
        None
    }
}

/// The number that was written, unless it is too large.
fn integer(value: &DeInteger<'_>) -> Option<i64> {
    i64::from_str_radix(value.as_str(), value.radix()).ok()
}

/// A text as the number or boolean that it spells.
fn scalar(shape: &Shape, text: &str) -> Option<Value> {
    match shape {
        Shape::Boolean => text.parse().ok().map(Value::Boolean),
        Shape::Integer { .. } => text.parse().ok().map(Value::Integer),
        Shape::Number => text.parse().ok().filter(|value: &f64| value.is_finite()).map(Value::Float),
        _ => None,
    }
}

/// What a value has to be, in TOML's words.
fn name(shape: &Shape) -> &'static str {
    match shape {
        Shape::Boolean => "true or false",
        Shape::Integer { .. } => "an integer",
        Shape::IntegerOrText { .. } => "an integer or a string",
        Shape::Number => "a number",
        Shape::Text(_) | Shape::Word(_) => "a string",
        Shape::Array(_) => "an array",
        Shape::Table(_) | Shape::Tagged { .. } => "a table",
        Shape::Any => "a value",
    }
}

fn first_sentence(about: &str) -> &str {
    let about = about.split(['\n', ';']).next().unwrap_or_default();
    about.split(". ").next().unwrap_or_default().trim_end_matches('.')
}
