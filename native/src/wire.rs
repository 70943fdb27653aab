// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

//! Protocol Buffers' wire format: <https://protobuf.dev/programming-guides/encoding/>.

pub fn varint(out: &mut Vec<u8>, mut number: u64) {
    while number > 0x7f {
        out.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn length_of_varint(number: usize) -> usize {
    let bits = usize::BITS - (number | 1).leading_zeros();
    bits.div_ceil(7) as usize
}

/// Bytes behind their length.
pub fn sized(out: &mut Vec<u8>, content: &[u8]) {
    varint(out, content.len() as u64);
    out.extend_from_slice(content);
}

/// A `KeyValue` of a text, as the repeated field that `tag` names. `head` is all before its value.
pub fn text_field(out: &mut Vec<u8>, tag: u8, head: &[u8], text: &str) {
    let value = 1 + length_of_varint(text.len()) + text.len();
    out.push(tag);
    varint(out, (head.len() + length_of_varint(value) + value) as u64);
    out.extend_from_slice(head);
    varint(out, value as u64);
    out.push(0x0a);
    sized(out, text.as_bytes());
}

/// The same of another value, which is small.
pub fn small_field(out: &mut Vec<u8>, tag: u8, head: &[u8], value: &[u8]) {
    out.push(tag);
    varint(out, (head.len() + 1 + value.len()) as u64);
    out.extend_from_slice(head);
    sized(out, value);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_is_as_long_as_it_is_written() {
        for number in (0..70_000).chain([1 << 21, (1 << 21) - 1, 1 << 28, (1 << 28) - 1]) {
            let mut out = Vec::new();
            varint(&mut out, number as u64);
            assert_eq!(out.len(), length_of_varint(number), "{number}");
        }
    }
}
