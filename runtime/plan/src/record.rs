//! Little-endian records of fixed size, read in place, and tables of them.

use core::marker::PhantomData;

/// A value with a fixed little-endian form.
pub trait Record: Copy {
    /// The size of the form.
    const BYTES: usize;

    /// Reads the form from the start of `bytes`; missing bytes count as zero.
    fn read(bytes: &[u8]) -> Self;

    /// Writes the form to the start of `bytes`, as far as they reach.
    fn write(self, bytes: &mut [u8]);
}

macro_rules! number {
    ($($type:ty),*) => {$(
        impl Record for $type {
            const BYTES: usize = size_of::<$type>();

            fn read(bytes: &[u8]) -> Self {
                bytes.first_chunk().map_or(<$type>::from_le_bytes([0; size_of::<$type>()]), |b| <$type>::from_le_bytes(*b))
            }

            fn write(self, bytes: &mut [u8]) {
                if let Some(chunk) = bytes.first_chunk_mut() {
                    *chunk = self.to_le_bytes();
                }
            }
        }
    )*};
}

number!(u8, u16, u32, u64, f64);

impl<T: Record + Default, const N: usize> Record for [T; N] {
    const BYTES: usize = N * T::BYTES;

    fn read(bytes: &[u8]) -> Self {
        let mut all = [T::default(); N];
        for (item, chunk) in all.iter_mut().zip(bytes.chunks_exact(T::BYTES)) {
            *item = T::read(chunk);
        }
        all
    }

    fn write(self, bytes: &mut [u8]) {
        for (item, chunk) in self.into_iter().zip(bytes.chunks_exact_mut(T::BYTES)) {
            item.write(chunk);
        }
    }
}

/// Makes a struct a [`Record`]: its fields in the order given, without gaps.
macro_rules! record {
    ($name:ident { $($field:ident: $type:ty),* $(,)? }) => {
        impl $crate::record::Record for $name {
            const BYTES: usize = 0 $(+ <$type as $crate::record::Record>::BYTES)*;

            fn read(bytes: &[u8]) -> Self {
                let rest = bytes;
                $(let ($field, rest) = $crate::record::take::<$type>(rest);)*
                let _ = rest;
                $name { $($field),* }
            }

            fn write(self, bytes: &mut [u8]) {
                let rest = bytes;
                $(let rest = $crate::record::put::<$type>(self.$field, rest);)*
                let _ = rest;
            }
        }
    };
}
pub(crate) use record;

/// Reads a field and gives the bytes after it.
pub(crate) fn take<T: Record>(bytes: &[u8]) -> (T, &[u8]) {
    (T::read(bytes), bytes.get(T::BYTES..).unwrap_or_default())
}

/// Writes a field and gives the bytes after it.
pub(crate) fn put<T: Record>(value: T, bytes: &mut [u8]) -> &mut [u8] {
    value.write(bytes);
    bytes.get_mut(T::BYTES..).unwrap_or_default()
}

/// A run of records in a plan's bytes, read one by one where they lie.
#[derive(Clone, Copy, Debug)]
pub struct Table<'p, T> {
    bytes: &'p [u8],
    record: PhantomData<T>,
}

impl<'p, T: Record> Table<'p, T> {
    /// The table in these bytes (a whole number of records).
    pub(crate) fn new(bytes: &'p [u8]) -> Self {
        debug_assert!(bytes.len().is_multiple_of(T::BYTES));
        Table {
            bytes,
            record: PhantomData,
        }
    }

    /// Number of records.
    pub fn len(&self) -> usize {
        self.bytes.len() / T::BYTES
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Record `index`, if there are that many.
    pub fn get(&self, index: usize) -> Option<T> {
        let start = index.checked_mul(T::BYTES)?;
        self.bytes.get(start..start.checked_add(T::BYTES)?).map(T::read)
    }

    /// The records in order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = T> + ExactSizeIterator + Clone + use<'p, T> {
        self.bytes.chunks_exact(T::BYTES).map(T::read)
    }

    /// `count` records from `first` on; none where the table does not reach that far.
    pub(crate) fn slice(&self, first: u32, count: u32) -> Option<Table<'p, T>> {
        let start = (first as usize).checked_mul(T::BYTES)?;
        let end = start.checked_add((count as usize).checked_mul(T::BYTES)?)?;
        self.bytes.get(start..end).map(Table::new)
    }
}
