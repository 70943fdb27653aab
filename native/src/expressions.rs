// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

//! Patterns that are compiled when they are first needed: there are a hundred, and most never are.
//!
//! Each is a lazy automaton that reads from left to right, and one store of its states for all
//! threads: where a match begins or ends nobody asks.

use std::sync::{Mutex, OnceLock};

use pyo3::prelude::*;
use regex_automata::hybrid::dfa::{Cache, Config, DFA};
use regex_automata::nfa::thompson::{self, WhichCaptures};
use regex_automata::util::syntax;
use regex_automata::{Anchored, Input};

/// Bytes that one pattern may take, compiled, and as many again for what it has seen.
const MEMORY: usize = 8 << 20;
const CACHE: usize = 1 << 20;
/// A store that was emptied so often has to be of use: so many bytes of a text for each state that
/// was made of it. Else the search is given up.
const EMPTIED: usize = 3;
const BYTES_EACH: usize = 10;

/// A pattern. Only Python compiles it, when and where it suits it: nothing here calls Python.
#[pyclass(frozen)]
pub struct Expression {
    /// Returns the pattern's text: to write it takes as long as to compile it.
    #[pyo3(get)]
    source: Py<PyAny>,
    compiled: OnceLock<Option<Automaton>>,
}

/// What has to be compiled before an answer can be given.
pub struct Wanted(pub Py<Expression>);

#[pymethods]
impl Expression {
    /// Compile what `source` returned. One that does not compile may always match.
    fn compile(&self, py: Python<'_>, pattern: &str) {
        // Not by `get_or_init`: a child that is forked meanwhile must not find it begun.
        let compiled = py.detach(|| Automaton::new(pattern));
        let _ = self.compiled.set(compiled);
    }
}

impl Expression {
    /// None where there is no memory.
    pub fn new(py: Python<'_>, source: Py<PyAny>) -> Option<Py<Self>> {
        let compiled = OnceLock::new();
        Py::new(py, Self { source, compiled }).ok()
    }

    /// Whether it may match.
    pub fn may_match(this: &Py<Self>, py: Python<'_>, text: &[u8]) -> Result<bool, Wanted> {
        match this.get().compiled.get() {
            Some(Some(automaton)) => Ok(automaton.may_match(text)),
            Some(None) => Ok(true),
            None => Err(Wanted(this.clone_ref(py))),
        }
    }
}

struct Automaton {
    dfa: DFA,
    // The interpreter is held while it is locked: nobody waits, and no fork comes in between.
    cache: Mutex<Cache>,
}

impl Automaton {
    fn new(pattern: &str) -> Option<Self> {
        let dfa = DFA::builder()
            .configure(
                Config::new()
                    .cache_capacity(CACHE)
                    .skip_cache_capacity_check(true)
                    .minimum_cache_clear_count(Some(EMPTIED))
                    .minimum_bytes_per_state(Some(BYTES_EACH)),
            )
            .syntax(syntax::Config::new().unicode(false).utf8(false))
            .thompson(
                thompson::Config::new()
                    .utf8(false)
                    .which_captures(WhichCaptures::None)
                    .nfa_size_limit(Some(MEMORY)),
            )
            .build(pattern)
            .ok()?;
        let cache = Mutex::new(dfa.create_cache());
        Some(Self { dfa, cache })
    }

    fn may_match(&self, text: &[u8]) -> bool {
        let Ok(mut cache) = self.cache.lock() else {
            return true;
        };
        let input = Input::new(text).anchored(Anchored::No).earliest(true);
        // What was given up may have one.
        !matches!(self.dfa.try_search_fwd(&mut cache, &input), Ok(None))
    }
}
