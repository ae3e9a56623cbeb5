//! Files: one container format, and the records that go into it. `FORMATS.md` documents every byte.

mod container;
mod map;
mod reader;
mod record;
mod writer;

pub(crate) use container::{Kind, Owner};
pub(crate) use reader::Container;
pub(crate) use record::{
    CiphertextHeader, Form, ciphertext_form, ciphertext_place, full_record, key_record, packed_seeded_record,
    read_full, read_key, read_seeded, seeded_record,
};
pub(crate) use writer::{Writer, seal_of};
