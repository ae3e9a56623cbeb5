//! The parameters of an operation by name.

use std::borrow::Cow;
use std::fmt;

use super::Attribute;

/// A name of an attribute; nearly all are known when Cipherloom is compiled, and take no memory of their own.
pub type Name = Cow<'static, str>;

/// Named attributes, in the order of their names. There are few, so that a list is smaller and faster than a tree.
#[derive(Clone, Default, PartialEq)]
pub struct Attributes(Vec<(Name, Attribute)>);

impl Attributes {
    /// None.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    fn place(&self, name: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|(other, _)| other.as_ref().cmp(name))
    }

    /// The attribute of a name.
    pub fn get(&self, name: &str) -> Option<&Attribute> {
        let pair = self.0.iter().find(|(other, _)| other == name)?;
        Some(&pair.1)
    }

    /// The same, to be changed.
    pub fn get_mut(&mut self, name: &str) -> Option<&mut Attribute> {
        let pair = self.0.iter_mut().find(|(other, _)| other == name)?;
        Some(&mut pair.1)
    }

    /// Whether there is one of this name.
    pub fn contains_key(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Sets an attribute; gives the value that it had.
    pub fn insert(&mut self, name: impl Into<Name>, value: Attribute) -> Option<Attribute> {
        let name = name.into();
        match self.place(&name) {
            Ok(place) => Some(std::mem::replace(&mut self.0[place].1, value)),
            Err(place) => {
                self.0.insert(place, (name, value));
                None
            }
        }
    }

    /// Takes an attribute away.
    pub fn remove(&mut self, name: &str) -> Option<Attribute> {
        let place = self.place(name).ok()?;
        Some(self.0.remove(place).1)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All of them, in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&Name, &Attribute)> {
        self.0.iter().map(|(name, value)| (name, value))
    }
}

impl fmt::Debug for Attributes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl IntoIterator for Attributes {
    type Item = (Name, Attribute);
    type IntoIter = std::vec::IntoIter<(Name, Attribute)>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<N: Into<Name>> Extend<(N, Attribute)> for Attributes {
    fn extend<T: IntoIterator<Item = (N, Attribute)>>(&mut self, pairs: T) {
        for (name, value) in pairs {
            self.insert(name, value);
        }
    }
}

impl<N: Into<Name>> FromIterator<(N, Attribute)> for Attributes {
    fn from_iter<T: IntoIterator<Item = (N, Attribute)>>(pairs: T) -> Self {
        let pairs = pairs.into_iter();
        let mut attributes = Self(Vec::with_capacity(pairs.size_hint().0));
        attributes.extend(pairs);
        attributes
    }
}

impl<N: Into<Name>, const COUNT: usize> From<[(N, Attribute); COUNT]> for Attributes {
    fn from(pairs: [(N, Attribute); COUNT]) -> Self {
        pairs.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_stand_in_the_order_of_their_names() {
        let mut attributes = Attributes::from([
            ("tile", Attribute::Int(1)),
            ("by", Attribute::Int(2)),
            ("tile", Attribute::Int(3)),
        ]);
        assert_eq!(attributes.insert("port", Attribute::Int(4)), None);
        assert_eq!(
            attributes.insert("by", Attribute::Int(5)),
            Some(Attribute::Int(2))
        );
        let names: Vec<&str> = attributes.iter().map(|(name, _)| name.as_ref()).collect();
        assert_eq!(names, ["by", "port", "tile"]);
        assert_eq!(attributes.remove("port"), Some(Attribute::Int(4)));
        assert!(!attributes.contains_key("port"));
        assert_eq!(
            [attributes.get("by"), attributes.get("tile")],
            [Some(&Attribute::Int(5)), Some(&Attribute::Int(3))]
        );
    }
}
