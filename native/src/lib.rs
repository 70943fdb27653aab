// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

//! The native part of glasshouse. Everything that it knows of a policy it is given.

mod bits;
mod expressions;
mod looks;
mod memory;
mod said;
mod spans;
mod text;
mod wire;

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, RwLock};

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyString;

use bits::Bits;
use expressions::{Expression, Wanted};
use looks::{Count, Key, Literal, Policy, Word};
use said::{Said, key_of};

type Places = Vec<usize>;

/// Says of texts that nothing in them is to be redacted.
#[pyclass(frozen)]
struct Looks {
    looks: looks::Looks,
    // The interpreter is held while it is locked: nobody waits, and no fork comes in between.
    keys: RwLock<HashMap<Vec<u8>, Option<Arc<Key>>>>,
    failed: AtomicBool,
}

#[derive(FromPyObject)]
#[pyo3(from_item_all)]
struct Given {
    rules: usize,
    counts: Vec<(usize, usize, Places)>,
    literals: Vec<(Vec<u8>, bool, Places)>,
    counted: Vec<(usize, usize, Places)>,
    asking: Places,
    words: Vec<(Vec<u8>, Places)>,
    near: Places,
    patterns: Vec<Option<Py<PyAny>>>,
    suppressed_on_ids: Places,
    only_own: Places,
    not_in_ids: Places,
    pairs: Places,
    pair_signs: Vec<u8>,
    pair_names: Py<PyAny>,
    query_names: Option<Py<PyAny>>,
    query_signs: Vec<u8>,
    tokens: Places,
    token_starts: Option<Py<PyAny>>,
    least_token: usize,
    folds: Py<PyAny>,
    longest: usize,
}

impl Given {
    fn policy(self, py: Python<'_>) -> Option<Policy> {
        let counts = |given: Vec<(usize, usize, Places)>| {
            given
                .into_iter()
                .map(|(kind, least, rules)| {
                    Some(Count {
                        kind,
                        least,
                        rules: Bits::of(&rules)?,
                    })
                })
                .collect::<Option<Vec<_>>>()
        };
        let literals = self
            .literals
            .into_iter()
            .map(|(text, folded, rules)| {
                Some(Literal {
                    text,
                    folded,
                    rules: Bits::of(&rules)?,
                })
            })
            .collect::<Option<Vec<_>>>()?;
        let words = self
            .words
            .into_iter()
            .map(|(text, rules)| {
                Some(Word {
                    text,
                    rules: Bits::of(&rules)?,
                })
            })
            .collect::<Option<Vec<_>>>()?;
        let expression = |source: Option<Py<PyAny>>| match source {
            Some(source) => Some(Some(Expression::new(py, source)?)),
            None => Some(None),
        };
        Some(Policy {
            every: Bits::first(self.rules)?,
            counts: counts(self.counts)?,
            literals,
            counted: counts(self.counted)?,
            asking: Bits::of(&self.asking)?,
            words,
            near: Bits::of(&self.near)?,
            patterns: self
                .patterns
                .into_iter()
                .map(expression)
                .collect::<Option<_>>()?,
            suppressed_on_ids: Bits::of(&self.suppressed_on_ids)?,
            only_own: Bits::of(&self.only_own)?,
            not_in_ids: Bits::of(&self.not_in_ids)?,
            pairs: Bits::of(&self.pairs)?,
            pair_signs: self.pair_signs,
            pair_names: Expression::new(py, self.pair_names)?,
            query_names: expression(self.query_names)?,
            query_signs: self.query_signs,
            tokens: Bits::of(&self.tokens)?,
            token_starts: expression(self.token_starts)?,
            least_token: self.least_token,
            folds: Expression::new(py, self.folds)?,
            longest: self.longest,
        })
    }
}

#[pymethods]
impl Looks {
    /// Raises `ValueError` where the policy is too large.
    #[new]
    fn new(py: Python<'_>, policy: Given) -> PyResult<Self> {
        let looks = policy.policy(py).and_then(looks::Looks::new);
        let looks = looks.ok_or_else(|| PyValueError::new_err("the policy is too large"))?;
        Ok(Self {
            looks,
            keys: RwLock::default(),
            failed: AtomicBool::new(false),
        })
    }

    /// Say what counts under a name: its words; whether it is a query; whether ids are spared and
    /// from how many bytes on, and both for whole numbers. Without that nothing there is clean.
    fn learn(&self, name: &str, said: Option<Said>) {
        let key = said.map(key_of);
        if let Ok(mut keys) = self.keys.write() {
            keys.insert(name.as_bytes().to_vec(), key.map(Arc::new));
        }
    }

    /// Whether the engine would change nothing in a text under a name; None for an unknown name,
    /// and a pattern that is to be compiled first.
    fn is_clean(
        &self,
        py: Python<'_>,
        name: &Bound<'_, PyAny>,
        text: &Bound<'_, PyAny>,
    ) -> Option<Answer> {
        const NO: Option<Answer> = Some(Answer::Clean(false));
        let (Ok(name), Ok(text)) = (name.cast_exact::<PyString>(), text.cast_exact::<PyString>())
        else {
            return NO;
        };
        // Half a surrogate pair has no UTF-8.
        let (Ok(name), Ok(text)) = (name.to_str(), text.to_str()) else {
            return NO;
        };
        if self.failed.load(Ordering::Relaxed) {
            return NO;
        }
        let looked = catch_unwind(AssertUnwindSafe(|| {
            let Some(key) = self.keys.read().ok()?.get(name.as_bytes())?.clone() else {
                return NO;
            };
            Some(match self.looks.is_clean(py, &key, text.as_bytes()) {
                Ok(clean) => Answer::Clean(clean),
                Err(Wanted(pattern)) => Answer::Wanted(pattern),
            })
        }));
        looked.unwrap_or_else(|_| {
            self.failed.store(true, Ordering::Relaxed);
            NO
        })
    }
}

#[derive(IntoPyObject)]
enum Answer {
    Clean(bool),
    Wanted(Py<Expression>),
}

impl Looks {
    /// Where a pattern is to be compiled first nothing is said: Python, which is asked then, does so.
    fn under(&self, py: Python<'_>, key: &Key, text: &str) -> bool {
        !self.failed.load(Ordering::Relaxed)
            && matches!(self.looks.is_clean(py, key, text.as_bytes()), Ok(true))
    }

    /// Of a text that stands under no name.
    fn nameless(&self, py: Python<'_>, text: &str) -> bool {
        self.under(py, &Key::default(), text)
    }
}

#[pymodule]
mod glasshouse_native {
    use pyo3::prelude::*;

    #[pymodule_export]
    use super::Looks;
    #[pymodule_export]
    use super::spans::Spans;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("GLASSHOUSE_VERSION"))
    }
}
