// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

//! Ordinary spans as messages `Span` of OTLP, redacted on the way.
//!
//! What is not ordinary (events, links, a value of another type, a text that is not clean) is asked
//! of Python, one attribute or the whole span.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyDict, PyFloat, PyInt, PyString, PyTuple};

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
    /// Of Python: what there is of a name, a field of an attribute, a text behind its length, a
    /// status, attributes with their statements stripped.
    named: Py<PyAny>,
    field: Py<PyAny>,
    text: Py<PyAny>,
    status: Py<PyAny>,
    stripped: Py<PyAny>,
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
    named: Py<PyAny>,
    field: Py<PyAny>,
    text: Py<PyAny>,
    status: Py<PyAny>,
    stripped: Py<PyAny>,
}

/// What a span says, or None where Python has to encode it.
type Maybe<T> = PyResult<Option<T>>;

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
            named: given.named,
            field: given.field,
            text: given.text,
            status: given.status,
            stripped: given.stripped,
            names: Mutex::default(),
            memory: Mutex::new(Memory::new()),
            failed: AtomicBool::new(false),
        }
    }

    /// A span as a field of a `ScopeSpans`; None where Python has to encode it.
    ///
    /// Raises what Python raised of it.
    fn encode<'py>(&self, span: &Bound<'py, PyAny>) -> Maybe<Bound<'py, PyBytes>> {
        if self.failed.load(Ordering::Relaxed) || !span.get_type().is(&self.kind) {
            return Ok(None);
        }
        let py = span.py();
        let encoded = catch_unwind(AssertUnwindSafe(|| self.span(span))).unwrap_or_else(|_| {
            self.failed.store(true, Ordering::Relaxed);
            Ok(None)
        })?;
        Ok(encoded.map(|content| {
            let mut out = Vec::with_capacity(content.len() + 4);
            out.push(0x12);
            sized(&mut out, &content);
            PyBytes::new(py, &out)
        }))
    }
}

impl Spans {
    fn span(&self, span: &Bound<'_, PyAny>) -> Maybe<Vec<u8>> {
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
        let Ok(attributes) = attributes.cast_into_exact::<PyDict>() else {
            return Ok(None);
        };
        let mut out = Vec::with_capacity(USUAL);
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
        if !self.name(&mut out, &name)? {
            return Ok(None);
        }
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
        if !self.attributes(&mut out, attributes)? {
            return Ok(None);
        }
        let status = span.getattr(intern!(py, "_status"))?;
        if status.is(&self.unset) {
            out.extend_from_slice(&[0x7a, 0]);
        } else {
            let field = self.status.call1(py, (status,))?;
            out.extend_from_slice(field.cast_bound::<PyBytes>(py)?.as_bytes());
        }
        out.extend_from_slice(&flags);
        Ok(Some(out))
    }

    fn name(&self, out: &mut Vec<u8>, name: &Bound<'_, PyAny>) -> PyResult<bool> {
        let py = name.py();
        let Ok(text) = name.cast_exact::<PyString>() else {
            return Ok(false);
        };
        let Ok(text) = text.to_str() else {
            return Ok(false);
        };
        if text.is_empty() {
            return Ok(true);
        }
        out.push(0x2a);
        if self.is_known(py, "", text, |looks| looks.nameless(py, text)) {
            sized(out, text.as_bytes());
        } else {
            let found = self.text.call1(py, (name,))?;
            out.extend_from_slice(found.cast_bound::<PyBytes>(py)?.as_bytes());
        }
        Ok(true)
    }

    fn attributes(&self, out: &mut Vec<u8>, held: Bound<'_, PyDict>) -> PyResult<bool> {
        let py = held.py();
        let mut attributes = held;
        for name in &self.statements {
            if attributes.contains(name)? {
                let stripped = self
                    .stripped
                    .call1(py, (attributes.copy()?,))?
                    .into_bound(py);
                let Ok(found) = stripped.cast_into_exact::<PyDict>() else {
                    return Ok(false);
                };
                attributes = found;
                break;
            }
        }
        for (name, value) in attributes {
            if self.attribute(py, out, &name, &value)? {
                continue;
            }
            let field = self.field.call1(py, (name, value))?;
            // Two names may become one.
            if field.is_none(py) {
                return Ok(false);
            }
            out.extend_from_slice(field.cast_bound::<PyBytes>(py)?.as_bytes());
        }
        Ok(true)
    }

    /// Add the field of an attribute; false where that is left to Python.
    fn attribute(
        &self,
        py: Python<'_>,
        out: &mut Vec<u8>,
        name: &Bound<'_, PyAny>,
        value: &Bound<'_, PyAny>,
    ) -> PyResult<bool> {
        let Ok(text) = name.cast_exact::<PyString>() else {
            return Ok(false);
        };
        let Ok(name_text) = text.to_str() else {
            return Ok(false);
        };
        let Some(named) = self.what_is(name, name_text)? else {
            return Ok(false);
        };
        let head = &named.head;
        if let Ok(value) = value.cast_exact::<PyBool>() {
            small_field(out, ATTRIBUTE, head, &[0x10, u8::from(value.is_true())]);
            return Ok(true);
        }
        let Some(key) = &named.key else {
            return Ok(false);
        };
        if let Ok(value) = value.cast_exact::<PyString>() {
            let Ok(text) = value.to_str() else {
                return Ok(false);
            };
            if !self.is_known(py, name_text, text, |looks| looks.under(py, key, text)) {
                return Ok(false);
            }
            text_field(out, ATTRIBUTE, head, text);
        } else if let Ok(value) = value.cast_exact::<PyInt>() {
            let Ok(number) = value.extract::<i64>() else {
                return Ok(false);
            };
            if !self.is_plain(py, key, number) {
                return Ok(false);
            }
            let mut encoded = vec![0x18];
            varint(&mut encoded, number.cast_unsigned());
            small_field(out, ATTRIBUTE, head, &encoded);
        } else if let Ok(value) = value.cast_exact::<PyFloat>() {
            let number = value.value();
            // A whole one may be a number of a person.
            if number >= 0.0 && number.fract() == 0.0 {
                return Ok(false);
            }
            let mut encoded = [0x21; 9];
            encoded[1..].copy_from_slice(&number.to_le_bytes());
            small_field(out, ATTRIBUTE, head, &encoded);
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    fn what_is(&self, name: &Bound<'_, PyAny>, text: &str) -> Maybe<Arc<Named>> {
        if let Ok(names) = self.names.lock() {
            if let Some(found) = names.get(text) {
                return Ok(found.clone());
            }
            if names.len() >= MOST_NAMES || text.len() > LONGEST_NAME {
                return Ok(None);
            }
        }
        let py = name.py();
        let found: Option<(Vec<u8>, Option<Said>)> = self.named.call1(py, (name,))?.extract(py)?;
        let named = found.map(|(head, said)| {
            Arc::new(Named {
                head,
                key: said.map(key_of),
            })
        });
        if let Ok(mut names) = self.names.lock() {
            names.insert(text.to_owned(), named.clone());
        }
        Ok(named)
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
        if context.len() < 5 || context.get_item(4)?.len()? > 0 {
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
