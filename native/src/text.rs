// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

//! What is counted in a text of ASCII, and the ids in it.

use std::ops::Range;

const HEX_DIGITS: usize = 32;
const UUID: usize = 36;
/// Where the dashes of a UUID stand.
const DASHES: [usize; 4] = [8, 13, 18, 23];
/// No pattern of a policy matches it.
const BLANK: u8 = 1;

/// Digits, colons, dashes, dots, and the longest run of letters and digits: in the order of
/// `COUNTED` in `needs.py`.
pub const KINDS: usize = 5;
pub type Counts = [usize; KINDS];

pub fn count(text: &[u8]) -> Counts {
    let [
        mut digits,
        mut colons,
        mut dashes,
        mut dots,
        mut longest,
        mut run,
    ] = [0; 6];
    for &c in text {
        if c.is_ascii_alphanumeric() {
            run += 1;
            digits += usize::from(c.is_ascii_digit());
            continue;
        }
        longest = longest.max(run);
        run = 0;
        match c {
            b':' => colons += 1,
            b'-' => dashes += 1,
            b'.' => dots += 1,
            _ => (),
        }
    }
    [digits, colons, dashes, dots, longest.max(run)]
}

/// The text with U+0001 for each character of an id, as `without_ids` in `ids.py`; none without one.
pub fn without_ids(text: &[u8]) -> Option<Vec<u8>> {
    let mut blanked: Option<Vec<u8>> = None;
    let mut at = 0;
    while at < text.len() {
        let end = word_end(text, at);
        let length = end - at;
        if length == HEX_DIGITS && is_hex(&text[at..end]) {
            blank(&mut blanked, text, at..end);
        } else if length == DASHES[0]
            && let Some(id) = text.get(at..at + UUID)
            && word_end(text, at + DASHES[3] + 1) == at + UUID
            && is_uuid(id)
        {
            blank(&mut blanked, text, at..at + UUID);
        }
        at = end + 1;
    }
    blanked
}

fn blank(blanked: &mut Option<Vec<u8>>, text: &[u8], id: Range<usize>) {
    blanked.get_or_insert_with(|| text.to_vec())[id].fill(BLANK);
}

fn word_end(text: &[u8], from: usize) -> usize {
    let rest = &text[from..];
    from + rest
        .iter()
        .position(|c| !c.is_ascii_alphanumeric())
        .unwrap_or(rest.len())
}

/// Hex digits of one case. Of digits alone it may be a number.
fn is_hex(word: &[u8]) -> bool {
    let lower = word.iter().all(|c| matches!(c, b'0'..=b'9' | b'a'..=b'f'));
    let upper = word.iter().all(|c| matches!(c, b'0'..=b'9' | b'A'..=b'F'));
    (lower || upper) && !word.iter().all(u8::is_ascii_digit)
}

fn is_uuid(id: &[u8]) -> bool {
    let mut digits = true;
    for (at, c) in id.iter().enumerate() {
        if DASHES.contains(&at) {
            if *c != b'-' {
                return false;
            }
        } else if !c.is_ascii_hexdigit() {
            return false;
        } else {
            digits &= c.is_ascii_digit();
        }
    }
    !digits
}

/// Whether it may be JSON, as `looks_like_json` in `json_text.py`.
pub fn may_be_json(text: &[u8]) -> bool {
    let is_blank = |c: &&u8| matches!(c, b' ' | b'\t' | b'\r' | b'\n');
    let first = text.iter().find(|c| !is_blank(c));
    let last = text.iter().rev().find(|c| !is_blank(c));
    matches!(
        (first, last),
        (Some(b'{'), Some(b'}')) | (Some(b'['), Some(b']'))
    )
}
