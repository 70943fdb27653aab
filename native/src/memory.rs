// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

//! Texts that were clean before, under a name: the same few are most of what a service says.

use std::collections::HashSet;

/// In one generation.
const MOST: usize = 1024;
const MOST_IDS: usize = 64;
const LONGEST: usize = 1024;

/// When it is full, the half goes that was not asked for of late.
struct Generations {
    most: usize,
    young: HashSet<Vec<u8>>,
    old: HashSet<Vec<u8>>,
}

impl Generations {
    fn new(most: usize) -> Self {
        Self {
            most,
            young: HashSet::new(),
            old: HashSet::new(),
        }
    }

    fn has(&mut self, entry: &[u8]) -> bool {
        if self.young.contains(entry) {
            return true;
        }
        let found = self.old.take(entry);
        found.is_some_and(|one| {
            self.put(one);
            true
        })
    }

    fn put(&mut self, entry: Vec<u8>) {
        if self.young.len() >= self.most {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(entry);
    }
}

pub struct Memory {
    texts: Generations,
    /// New with each request: they would displace what repeats. But the spans of one request come
    /// one after the other.
    ids: Generations,
    entry: Vec<u8>,
}

impl Memory {
    pub fn new() -> Self {
        let entry = Vec::with_capacity(LONGEST);
        Self {
            texts: Generations::new(MOST),
            ids: Generations::new(MOST_IDS),
            entry,
        }
    }

    pub fn has(&mut self, name: &str, text: &str) -> bool {
        if text.len() > LONGEST {
            return false;
        }
        self.write(name, text);
        let generations = if is_id(text) {
            &mut self.ids
        } else {
            &mut self.texts
        };
        generations.has(&self.entry)
    }

    pub fn put(&mut self, name: &str, text: &str) {
        if text.len() <= LONGEST {
            self.write(name, text);
            let generations = if is_id(text) {
                &mut self.ids
            } else {
                &mut self.texts
            };
            generations.put(self.entry.clone());
        }
    }

    fn write(&mut self, name: &str, text: &str) {
        self.entry.clear();
        self.entry.extend_from_slice(&name.len().to_le_bytes());
        self.entry.extend_from_slice(name.as_bytes());
        self.entry.extend_from_slice(text.as_bytes());
    }
}

fn is_id(text: &str) -> bool {
    let text = text.as_bytes();
    match text.len() {
        16 | 32 => text.iter().all(u8::is_ascii_hexdigit),
        36 => text.iter().all(|c| c.is_ascii_hexdigit() || *c == b'-'),
        _ => false,
    }
}
