// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

//! Patterns that are compiled at their first use: there are a hundred, and most are never needed.

use std::sync::OnceLock;

use pyo3::prelude::*;
use regex::bytes::{Regex, RegexBuilder};

/// Bytes that one pattern may take, compiled, and as many again for what it has seen.
const MEMORY: usize = 8 << 20;
const CACHE: usize = 1 << 20;

pub struct Expression {
    /// Called for the pattern's text: to write it takes as long as to compile it.
    source: Py<PyAny>,
    compiled: OnceLock<Option<Regex>>,
}

impl Expression {
    pub fn new(source: Py<PyAny>) -> Self {
        Self {
            source,
            compiled: OnceLock::new(),
        }
    }

    /// Whether it may match. One that does not compile always may.
    pub fn may_match(&self, py: Python<'_>, text: &[u8]) -> bool {
        if self.compiled.get().is_none() {
            // Not by `get_or_init`: nobody may wait for another who waits for the interpreter, and
            // a child that is forked meanwhile must not find it begun.
            let source = self
                .source
                .call0(py)
                .and_then(|text| text.extract::<String>(py));
            let compiled = source.ok().and_then(|text| py.detach(|| compile(&text)));
            let _ = self.compiled.set(compiled);
        }
        match self.compiled.get() {
            Some(Some(regex)) => regex.is_match(text),
            _ => true,
        }
    }
}

fn compile(source: &str) -> Option<Regex> {
    RegexBuilder::new(source)
        .unicode(false)
        .size_limit(MEMORY)
        .dfa_size_limit(CACHE)
        .build()
        .ok()
}
