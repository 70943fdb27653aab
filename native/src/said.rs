// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

//! What Python says of a name.

use crate::looks::{Key, Spares};

/// Its words; whether it is a query; whether ids are spared and from how many bytes on; and both
/// for whole numbers.
pub type Said = (Vec<u8>, bool, (bool, usize), Option<(bool, usize)>);

pub fn key_of((words, query, others, whole): Said) -> Key {
    let spares = |(exempt, own_from)| Spares { exempt, own_from };
    Key {
        words: if words.is_empty() {
            words
        } else {
            [b" ", words.as_slice()].concat()
        },
        query,
        spares: spares(others),
        whole: whole.map(spares),
    }
}
