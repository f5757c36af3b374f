//! A map of bounded size that forgets what nobody uses.

use std::collections::BTreeMap;

/// Two maps: when the young one is full it becomes the old one, whose entries are forgotten unless
/// they are used again. One that is used in every generation stays, however many others come. (Not
/// one map from which some are removed: that is 5 KB of code in each function.)
#[derive(Debug)]
pub struct Generations<K, V, const MAX: usize> {
    young: BTreeMap<K, V>,
    old: BTreeMap<K, V>,
}

impl<K, V, const MAX: usize> Default for Generations<K, V, MAX> {
    fn default() -> Self {
        Self {
            young: BTreeMap::new(),
            old: BTreeMap::new(),
        }
    }
}

impl<K: Ord, V: Clone, const MAX: usize> Generations<K, V, MAX> {
    /// The value, in whatever generation.
    pub fn get(&self, key: &K) -> Option<&V> {
        self.young.get(key).or_else(|| self.old.get(key))
    }

    /// The value if it was used in this generation.
    pub fn young_mut(&mut self, key: &K) -> Option<&mut V> {
        self.young.get_mut(key)
    }

    /// Uses the value, and makes a new one for a key that is not known.
    pub fn entry(&mut self, key: K, new: impl FnOnce() -> V) -> &mut V {
        if self.young.len() >= MAX && !self.young.contains_key(&key) {
            self.old = core::mem::take(&mut self.young);
        }
        let known = self.old.get(&key).cloned();
        self.young
            .entry(key)
            .or_insert_with(|| known.unwrap_or_else(new))
    }

    /// Entries that are held.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.young.len().saturating_add(self.old.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_used_stays_and_memory_is_bounded() {
        let mut known: Generations<u32, u32, 100> = Generations::default();
        for n in 1..2_000 {
            *known.entry(0, || 0) += 1;
            known.entry(n, || n);
            assert_eq!(known.get(&0), Some(&n));
            assert!(known.len() <= 200, "{n}");
        }
        assert_eq!(known.get(&1), None);
        assert_eq!(known.young_mut(&1), None);
    }
}
