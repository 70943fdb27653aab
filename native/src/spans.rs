// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

//! Ordinary spans as messages `Span` of OTLP, redacted on the way.
//!
//! What is not ordinary (events, links, a value of another type, a text that is not clean) is left to
//! Python, one attribute or the whole span. Python is not called for it: a thread that is in Python's
//! code when the process ends must have nothing of ours below it.

use std::borrow::Cow;
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyString, PyTuple};

use crate::Looks;
use crate::looks::Key;
use crate::memory::Memory;
use crate::said::{Said, key_of};
use crate::wire::{sized, small_field, text_field, varint};

const ATTRIBUTE: u8 = 0x4a;
const MOST_NAMES: usize = 512;
const LONGEST_NAME: usize = 256;
/// Whether the parent is in another process is known; is it so.
const HERE: [u8; 6] = [0x85, 0x01, 0x00, 0x01, 0x00, 0x00];
const REMOTE: [u8; 6] = [0x85, 0x01, 0x00, 0x03, 0x00, 0x00];
/// Bytes of most spans.
const USUAL: usize = 768;

/// What is known of an attribute's name that has nothing in it.
struct Named {
    /// All of a `KeyValue` before its value.
    head: Vec<u8>,
    /// None where a value goes for its name alone.
    key: Option<Key>,
}

/// Objects that stand for what they are encoded as.
type Table = Vec<(Py<PyAny>, Vec<u8>)>;

/// Encodes spans of one class.
#[pyclass(frozen)]
pub struct Spans {
    looks: Py<Looks>,
    kind: Py<PyAny>,
    kinds: Table,
    /// The status of a span that has none.
    unset: Py<PyAny>,
    /// Names of attributes that hold a statement.
    statements: Vec<Py<PyString>>,
    /// From how many digits on an integer may be a number of a person.
    least_digits: usize,
    // The interpreter is held while one is locked, and nothing of Python's runs: nobody waits.
    names: Mutex<HashMap<String, Option<Arc<Named>>>>,
    memory: Mutex<Memory>,
    failed: AtomicBool,
}

#[derive(FromPyObject)]
#[pyo3(from_item_all)]
struct Given {
    looks: Py<Looks>,
    kind: Py<PyAny>,
    kinds: Table,
    unset: Py<PyAny>,
    statements: Vec<Py<PyString>>,
    least_digits: usize,
}

/// What a span says, or None where Python has to encode it.
type Maybe<T> = PyResult<Option<T>>;

/// What Python puts in at a place: a text behind its length, a field of an attribute, a status.
#[derive(IntoPyObject)]
enum Left {
    Text(usize, u8, Py<PyAny>),
    Field(usize, u8, Py<PyAny>, Py<PyAny>),
}
const TEXT: u8 = 0;
const FIELD: u8 = 1;
const STATUS: u8 = 2;

/// A message in the making.
struct Message {
    content: Vec<u8>,
    left: Vec<Left>,
}

impl Message {
    fn leave(&mut self, kind: u8, value: &Bound<'_, PyAny>) {
        let place = self.content.len();
        self.left.push(Left::Text(place, kind, value.clone().unbind()));
    }

    fn leave_field(&mut self, name: &Bound<'_, PyAny>, value: &Bound<'_, PyAny>) {
        let (place, name, value) = (self.content.len(), name.clone(), value.clone());
        let left = Left::Field(place, FIELD, name.unbind(), value.unbind());
        self.left.push(left);
    }
}

/// What became of a span.
enum Outcome<'py> {
    Encoded(Message),
    Strip(Bound<'py, PyDict>),
    Learn(Py<PyString>),
}

#[derive(IntoPyObject)]
enum Answer<'py> {
    Encoded(Cow<'static, [u8]>),
    Partly(Cow<'static, [u8]>, Vec<Left>),
    Strip(Bound<'py, PyDict>),
    Learn(Py<PyString>),
}

#[pymethods]
impl Spans {
    #[new]
    fn new(given: Given) -> Self {
        Self {
            looks: given.looks,
            kind: given.kind,
            kinds: given.kinds,
            unset: given.unset,
            statements: given.statements,
            least_digits: given.least_digits,
            names: Mutex::default(),
            memory: Mutex::new(Memory::new()),
            failed: AtomicBool::new(false),
        }
    }

    /// Say what there is of an attribute's name: the head of its field, and what counts under it.
    fn learn(&self, name: &str, found: Option<(Vec<u8>, Option<Said>)>) {
        let named = found.map(|(head, said)| {
            Arc::new(Named {
                head,
                key: said.map(key_of),
            })
        });
        if let Ok(mut names) = self.names.lock() {
            names.insert(name.to_owned(), named);
        }
    }

    /// A span as a field of a `ScopeSpans`; the message and what Python puts in where; attributes
    /// that hold a statement, to be given back stripped; a name that is to be learnt first. None
    /// where Python has to encode all of it.
    #[pyo3(signature = (span, attributes=None))]
    fn encode<'py>(
        &self,
        span: &Bound<'py, PyAny>,
        attributes: Option<Bound<'py, PyDict>>,
    ) -> Maybe<Answer<'py>> {
        if self.failed.load(Ordering::Relaxed) || !span.get_type().is(&self.kind) {
            return Ok(None);
        }
        let encoded = catch_unwind(AssertUnwindSafe(|| self.span(span, attributes)));
        let encoded = encoded.unwrap_or_else(|_| {
            self.failed.store(true, Ordering::Relaxed);
            Ok(None)
        })?;
        Ok(encoded.map(|outcome| match outcome {
            Outcome::Encoded(Message { content, left }) if left.is_empty() => {
                let mut out = Vec::with_capacity(content.len() + 4);
                out.push(0x12);
                sized(&mut out, &content);
                Answer::Encoded(Cow::Owned(out))
            }
            Outcome::Encoded(Message { content, left }) => {
                Answer::Partly(Cow::Owned(content), left)
            }
            Outcome::Strip(attributes) => Answer::Strip(attributes),
            Outcome::Learn(name) => Answer::Learn(name),
        }))
    }
}

impl Spans {
    fn span<'py>(
        &self,
        span: &Bound<'py, PyAny>,
        stripped: Option<Bound<'py, PyDict>>,
    ) -> Maybe<Outcome<'py>> {
        let py = span.py();
        for name in [intern!(py, "_events"), intern!(py, "_links")] {
            let held = span.getattr(name)?;
            if !held.cast_exact::<PyTuple>().is_ok_and(|one| one.is_empty()) {
                return Ok(None);
            }
        }
        let attributes = span.getattr(intern!(py, "_attributes"))?;
        if attributes
            .getattr(intern!(py, "dropped"))?
            .extract::<u64>()?
            != 0
        {
            return Ok(None);
        }
        let attributes = attributes.getattr(intern!(py, "_dict"))?;
        let Ok(mut attributes) = attributes.cast_into_exact::<PyDict>() else {
            return Ok(None);
        };
        if let Some(stripped) = stripped {
            attributes = stripped;
        } else {
            for name in &self.statements {
                if attributes.contains(name)? {
                    return Ok(Some(Outcome::Strip(attributes.copy()?)));
                }
            }
        }
        let mut message = Message {
            content: Vec::with_capacity(USUAL),
            left: Vec::new(),
        };
        let out = &mut message.content;
        let context = span.getattr(intern!(py, "_context"))?;
        let Some(ids) = Ids::of(&context)? else {
            return Ok(None);
        };
        out.extend_from_slice(&[0x0a, 16]);
        out.extend_from_slice(&ids.trace);
        out.extend_from_slice(&[0x12, 8]);
        out.extend_from_slice(&ids.span);
        let parent = span.getattr(intern!(py, "_parent"))?;
        let mut flags = HERE;
        if !parent.is_none() {
            let Some(ids) = Ids::of_parent(&parent)? else {
                return Ok(None);
            };
            out.extend_from_slice(&[0x22, 8]);
            out.extend_from_slice(&ids.0);
            if ids.1 {
                flags = REMOTE;
            }
        }
        let name = span.getattr(intern!(py, "_name"))?;
        if !self.name(&mut message, &name) {
            return Ok(None);
        }
        let out = &mut message.content;
        let kind = span.getattr(intern!(py, "_kind"))?;
        let Some((_, field)) = self.kinds.iter().find(|(one, _)| kind.is(one)) else {
            return Ok(None);
        };
        out.extend_from_slice(field);
        for (tag, name) in [
            (0x39, intern!(py, "_start_time")),
            (0x41, intern!(py, "_end_time")),
        ] {
            let moment = span.getattr(name)?;
            let Some(moment) = time(&moment) else {
                return Ok(None);
            };
            out.push(tag);
            out.extend_from_slice(&moment.to_le_bytes());
        }
        for (name, value) in attributes {
            match self.attribute(py, &mut message.content, &name, &value) {
                Attribute::Encoded => {}
                Attribute::Left => message.leave_field(&name, &value),
                Attribute::Unknown(name) => return Ok(Some(Outcome::Learn(name))),
            }
        }
        let status = span.getattr(intern!(py, "_status"))?;
        if status.is(&self.unset) {
            message.content.extend_from_slice(&[0x7a, 0]);
        } else {
            message.leave(STATUS, &status);
        }
        message.content.extend_from_slice(&flags);
        Ok(Some(Outcome::Encoded(message)))
    }

    /// Add the name; false where it is none.
    fn name(&self, message: &mut Message, name: &Bound<'_, PyAny>) -> bool {
        let Ok(text) = name.cast_exact::<PyString>() else {
            return false;
        };
        let Ok(text) = text.to_str() else {
            return false;
        };
        if text.is_empty() {
            return true;
        }
        let py = name.py();
        message.content.push(0x2a);
        if self.is_known(py, "", text, |looks| looks.nameless(py, text)) {
            sized(&mut message.content, text.as_bytes());
        } else {
            message.leave(TEXT, name);
        }
        true
    }

    /// Add the field of an attribute, or leave it to Python.
    fn attribute(
        &self,
        py: Python<'_>,
        out: &mut Vec<u8>,
        name: &Bound<'_, PyAny>,
        value: &Bound<'_, PyAny>,
    ) -> Attribute {
        let Ok(text) = name.cast_exact::<PyString>() else {
            return Attribute::Left;
        };
        let Ok(name_text) = text.to_str() else {
            return Attribute::Left;
        };
        let named = match self.names.lock() {
            Ok(names) => match names.get(name_text) {
                Some(Some(named)) => named.clone(),
                None if names.len() < MOST_NAMES && name_text.len() <= LONGEST_NAME => {
                    return Attribute::Unknown(text.clone().unbind());
                }
                _ => return Attribute::Left,
            },
            Err(_) => return Attribute::Left,
        };
        let head = &named.head;
        if let Ok(value) = value.cast_exact::<PyBool>() {
            small_field(out, ATTRIBUTE, head, &[0x10, u8::from(value.is_true())]);
            return Attribute::Encoded;
        }
        let Some(key) = &named.key else {
            return Attribute::Left;
        };
        if let Ok(value) = value.cast_exact::<PyString>() {
            let Ok(text) = value.to_str() else {
                return Attribute::Left;
            };
            if !self.is_known(py, name_text, text, |looks| looks.under(py, key, text)) {
                return Attribute::Left;
            }
            text_field(out, ATTRIBUTE, head, text);
        } else if let Ok(value) = value.cast_exact::<PyInt>() {
            let Ok(number) = value.extract::<i64>() else {
                return Attribute::Left;
            };
            if !self.is_plain(py, key, number) {
                return Attribute::Left;
            }
            let mut encoded = vec![0x18];
            varint(&mut encoded, number.cast_unsigned());
            small_field(out, ATTRIBUTE, head, &encoded);
        } else if let Ok(value) = value.cast_exact::<PyFloat>() {
            let number = value.value();
            // A whole one may be a number of a person.
            if number >= 0.0 && number.fract() == 0.0 {
                return Attribute::Left;
            }
            let mut encoded = [0x21; 9];
            encoded[1..].copy_from_slice(&number.to_le_bytes());
            small_field(out, ATTRIBUTE, head, &encoded);
        } else {
            return Attribute::Left;
        }
        Attribute::Encoded
    }

    fn is_known(
        &self,
        py: Python<'_>,
        name: &str,
        text: &str,
        ask: impl FnOnce(&Looks) -> bool,
    ) -> bool {
        if self
            .memory
            .lock()
            .is_ok_and(|mut memory| memory.has(name, text))
        {
            return true;
        }
        if text.is_empty() || ask(self.looks.bind(py).get()) {
            if let Ok(mut memory) = self.memory.lock() {
                memory.put(name, text);
            }
            return true;
        }
        false
    }

    /// As `Engine.number`.
    fn is_plain(&self, py: Python<'_>, key: &Key, number: i64) -> bool {
        if number < 0 {
            return true;
        }
        let digits = number.to_string();
        digits.len() < self.least_digits || self.looks.bind(py).get().under(py, key, &digits)
    }
}

/// What became of an attribute.
enum Attribute {
    Encoded,
    Left,
    Unknown(Py<PyString>),
}

struct Ids {
    trace: [u8; 16],
    span: [u8; 8],
}

impl Ids {
    /// None where there is a trace state.
    fn of(context: &Bound<'_, PyAny>) -> Maybe<Self> {
        let Ok(context) = context.cast::<PyTuple>() else {
            return Ok(None);
        };
        if context.len() < 5 {
            return Ok(None);
        }
        // Its length is Python's code.
        let state = context.get_item(4)?.getattr(intern!(context.py(), "_dict"))?;
        if !state.cast::<PyDict>().is_ok_and(|one| one.is_empty()) {
            return Ok(None);
        }
        let (trace, span) = (context.get_item(0)?, context.get_item(1)?);
        let (Ok(trace), Ok(span)) = (trace.extract::<u128>(), span.extract::<u64>()) else {
            return Ok(None);
        };
        Ok(Some(Self {
            trace: trace.to_be_bytes(),
            span: span.to_be_bytes(),
        }))
    }

    /// The id of a parent, and whether it is in another process.
    fn of_parent(context: &Bound<'_, PyAny>) -> Maybe<([u8; 8], bool)> {
        let Ok(context) = context.cast::<PyTuple>() else {
            return Ok(None);
        };
        if context.len() < 3 {
            return Ok(None);
        }
        let Ok(span) = context.get_item(1)?.extract::<u64>() else {
            return Ok(None);
        };
        Ok(Some((
            span.to_be_bytes(),
            context.get_item(2)?.is_truthy()?,
        )))
    }
}

/// Nanoseconds since 1970 that are written as they are.
fn time(moment: &Bound<'_, PyAny>) -> Option<u64> {
    let number = moment.cast_exact::<PyInt>().ok()?.extract::<i64>().ok()?;
    u64::try_from(number).ok().filter(|one| *one > 0)
}
