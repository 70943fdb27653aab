// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

//! Sets of a policy's rules.

use std::ops::{BitAnd, BitAndAssign, BitOr, BitOrAssign, Not};

/// Of 64 rules each.
const WORDS: usize = 4;

#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Bits([u64; WORDS]);

impl Bits {
    /// Of rules by their places. None where one is beyond the last.
    pub fn of(places: &[usize]) -> Option<Self> {
        let mut bits = Self::default();
        for &place in places {
            *bits.0.get_mut(place / 64)? |= 1 << (place % 64);
        }
        Some(bits)
    }

    pub fn first(count: usize) -> Option<Self> {
        Self::of(&(0..count).collect::<Vec<_>>())
    }

    pub fn any(self) -> bool {
        self != Self::default()
    }

    pub fn places(self) -> impl Iterator<Item = usize> {
        self.0.into_iter().enumerate().flat_map(|(word, mut left)| {
            std::iter::from_fn(move || {
                let place = left.trailing_zeros() as usize;
                // Past the last it stays 0.
                left &= left.wrapping_sub(1);
                (place < 64).then_some(word * 64 + place)
            })
        })
    }
}

impl BitAnd for Bits {
    type Output = Self;
    fn bitand(mut self, other: Self) -> Self {
        self &= other;
        self
    }
}

impl BitAndAssign for Bits {
    fn bitand_assign(&mut self, other: Self) {
        for (mine, theirs) in self.0.iter_mut().zip(other.0) {
            *mine &= theirs;
        }
    }
}

impl BitOr for Bits {
    type Output = Self;
    fn bitor(mut self, other: Self) -> Self {
        self |= other;
        self
    }
}

impl BitOrAssign for Bits {
    fn bitor_assign(&mut self, other: Self) {
        for (mine, theirs) in self.0.iter_mut().zip(other.0) {
            *mine |= theirs;
        }
    }
}

impl Not for Bits {
    type Output = Self;
    fn not(self) -> Self {
        Self(self.0.map(|word| !word))
    }
}
