// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

//! Whether a text has nothing in it that the engine in Python would change.
//!
//! The same conditions as `Triggers.of` in `triggers.py`, for texts of ASCII that are no JSON and
//! have nothing encoded in them. What is found clean here is clean there; of all else nothing is
//! said.

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use pyo3::prelude::*;

use crate::bits::Bits;
use crate::expressions::{Expression, Wanted};
use crate::text::{self, Counts, KINDS};

/// A policy may ask in vain for very much: so many bytes are searched for one text in all, and
/// what takes more is left to the engine. A search takes up to 0.1 µs a byte.
const MOST_SEARCHED: usize = 8192;

/// A count that a text must reach for some rules.
#[derive(Clone, Copy)]
pub struct Count {
    pub kind: usize,
    pub least: usize,
    pub rules: Bits,
}

/// A string of which one must be in a text for some rules.
pub struct Literal {
    pub text: Vec<u8>,
    /// Whether it counts in any case; it is in lower case then.
    pub folded: bool,
    pub rules: Bits,
}

/// A word that must stand near for some rules, in lower case.
pub struct Word {
    pub text: Vec<u8>,
    pub rules: Bits,
}

/// What the policy says of one name.
#[derive(Default)]
pub struct Key {
    /// Its words, behind a blank.
    pub words: Vec<u8>,
    pub query: bool,
    pub spares: Spares,
    /// What counts for whole numbers, if it differs.
    pub whole: Option<Spares>,
}

#[derive(Clone, Copy, Default)]
pub struct Spares {
    pub exempt: bool,
    /// Bytes from which on an exempt name spares all that ids are spared.
    pub own_from: usize,
}

pub struct Policy {
    pub every: Bits,
    pub counts: Vec<Count>,
    pub literals: Vec<Literal>,
    pub counted: Vec<Count>,
    /// Those that ask for one of some strings or counts.
    pub asking: Bits,
    pub words: Vec<Word>,
    /// Those that ask for a word nearby.
    pub near: Bits,
    /// By rule; none for those that are built in.
    pub patterns: Vec<Option<Py<Expression>>>,
    pub suppressed_on_ids: Bits,
    pub only_own: Bits,
    pub not_in_ids: Bits,
    pub pairs: Bits,
    pub pair_signs: Vec<u8>,
    pub pair_names: Py<Expression>,
    pub query_names: Option<Py<Expression>>,
    pub query_signs: Vec<u8>,
    pub tokens: Bits,
    pub token_starts: Option<Py<Expression>>,
    pub least_token: usize,
    pub folds: Py<Expression>,
    pub longest: usize,
}

pub struct Looks {
    policy: Policy,
    literals: AhoCorasick,
    words: AhoCorasick,
}

impl Looks {
    /// None where the policy cannot be compiled.
    pub fn new(policy: Policy) -> Option<Self> {
        // Two megabytes for a thousand strings, at half the time. Words are seldom asked for.
        let fast = Some(AhoCorasickKind::DFA);
        let literals = automaton(policy.literals.iter().map(|one| &one.text), fast)?;
        let words = automaton(policy.words.iter().map(|one| &one.text), None)?;
        Some(Self {
            policy,
            literals,
            words,
        })
    }

    pub fn is_clean(&self, py: Python<'_>, key: &Key, text: &[u8]) -> Result<bool, Wanted> {
        let policy = &self.policy;
        if text.is_empty() || text.len() > policy.longest || !text.is_ascii() {
            return Ok(false);
        }
        if text::may_be_json(text) || Expression::may_match(&policy.folds, py, text)? {
            return Ok(false);
        }
        let mut blanked = None;
        let mut possible = self.possible(text, policy.every);
        if (possible & policy.not_in_ids).any() {
            blanked = text::without_ids(text);
            if let Some(blanked) = &blanked {
                let others = possible & !policy.not_in_ids;
                possible = others | self.possible(blanked, possible & policy.not_in_ids);
            }
        }
        possible &= !self.spared(key, text);
        if (possible & policy.near).any() {
            possible &= self.beside_words(text, &key.words) | !policy.near;
        }
        if !self.has_pairs(py, key, text, possible)? {
            possible &= !policy.pairs;
        }
        if !self.has_tokens(py, text, possible)? {
            possible &= !policy.tokens;
        }
        self.none_matches(py, text, blanked.as_deref().unwrap_or(text), possible)
    }

    fn possible(&self, text: &[u8], among: Bits) -> Bits {
        let counts = text::count(text);
        let mut possible = among;
        for count in &self.policy.counts {
            if !reaches(&counts, *count) {
                possible &= !count.rules;
            }
        }
        let asking = possible & self.policy.asking;
        if asking.any() {
            let mut found = !self.policy.asking;
            for count in &self.policy.counted {
                if reaches(&counts, *count) {
                    found |= count.rules;
                }
            }
            if (asking & !found).any() {
                for hit in self.literals.find_overlapping_iter(text) {
                    let literal = &self.policy.literals[hit.pattern().as_usize()];
                    if literal.folded || text[hit.range()] == literal.text {
                        found |= literal.rules;
                    }
                }
            }
            possible &= found;
        }
        possible
    }

    fn spared(&self, key: &Key, text: &[u8]) -> Bits {
        let spares = match key.whole {
            Some(whole) if text.iter().all(u8::is_ascii_digit) => whole,
            _ => key.spares,
        };
        if !spares.exempt {
            return Bits::default();
        }
        if text.len() < spares.own_from {
            return self.policy.suppressed_on_ids & !self.policy.only_own;
        }
        self.policy.suppressed_on_ids
    }

    /// The rules of which a word stands in the text or in the name.
    fn beside_words(&self, text: &[u8], words: &[u8]) -> Bits {
        let joined: Vec<u8>;
        let all = if words.is_empty() {
            text
        } else {
            joined = [text, words].concat();
            &joined
        };
        let mut found = Bits::default();
        for hit in self.words.find_overlapping_iter(all) {
            if begins_word(all, hit.start()) && ends_word(all, hit.end()) {
                found |= self.policy.words[hit.pattern().as_usize()].rules;
            }
        }
        found
    }

    fn has_pairs(
        &self,
        py: Python<'_>,
        key: &Key,
        text: &[u8],
        possible: Bits,
    ) -> Result<bool, Wanted> {
        let policy = &self.policy;
        if !(possible & policy.pairs).any() || !holds(text, &policy.pair_signs) {
            return Ok(false);
        }
        if Expression::may_match(&policy.pair_names, py, text)? {
            return Ok(true);
        }
        match &policy.query_names {
            Some(names) if key.query || holds(text, &policy.query_signs) => {
                Expression::may_match(names, py, text)
            }
            _ => Ok(false),
        }
    }

    fn has_tokens(&self, py: Python<'_>, text: &[u8], possible: Bits) -> Result<bool, Wanted> {
        let policy = &self.policy;
        match &policy.token_starts {
            Some(starts) if (possible & policy.tokens).any() && text.len() >= policy.least_token => {
                Expression::may_match(starts, py, text)
            }
            _ => Ok(false),
        }
    }

    fn none_matches(
        &self,
        py: Python<'_>,
        text: &[u8],
        blanked: &[u8],
        possible: Bits,
    ) -> Result<bool, Wanted> {
        let mut left = MOST_SEARCHED;
        for place in possible.places() {
            let Some(Some(pattern)) = self.policy.patterns.get(place) else {
                return Ok(false);
            };
            let Some(less) = left.checked_sub(text.len()) else {
                return Ok(false);
            };
            left = less;
            let not_in_ids =
                (Bits::of(&[place]).unwrap_or_default() & self.policy.not_in_ids).any();
            if Expression::may_match(pattern, py, if not_in_ids { blanked } else { text })? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

fn automaton<'a>(
    strings: impl Iterator<Item = &'a Vec<u8>>,
    kind: Option<AhoCorasickKind>,
) -> Option<AhoCorasick> {
    AhoCorasick::builder()
        .match_kind(MatchKind::Standard)
        .kind(kind)
        .ascii_case_insensitive(true)
        .build(strings)
        .ok()
}

fn reaches(counts: &Counts, count: Count) -> bool {
    count.kind >= KINDS || counts[count.kind] >= count.least
}

fn holds(text: &[u8], signs: &[u8]) -> bool {
    text.iter().any(|c| signs.contains(c))
}

/// As `_standing` in `triggers.py`: not behind a letter, unless it begins with a capital.
fn begins_word(text: &[u8], start: usize) -> bool {
    let first = text[start];
    !first.is_ascii_alphabetic()
        || first.is_ascii_uppercase()
        || start == 0
        || !text[start - 1].is_ascii_alphabetic()
}

/// Not before a letter, unless that is a capital.
fn ends_word(text: &[u8], end: usize) -> bool {
    !text[end - 1].is_ascii_alphabetic() || text.get(end).is_none_or(|c| !c.is_ascii_lowercase())
}
