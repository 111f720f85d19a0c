//! The stored form of an index.
//!
//! Little endian: a magic with a version, the key's check value, the registers, and a CMAC of all before it. A file
//! of another key, a damaged file and a foreign file are three different errors. Reading never allocates more than
//! a bounded amount beyond what the file really holds.

use super::table::HashTable;
use super::{Index, NameColumn, Register, ValueColumn};
use crate::key::{HashKey, RunningMac, ValueKind};
use crate::names::Fingerprint;
use crate::value::{account, secret};
use sekisho_model::{Field, FieldIndex, FieldKind, FieldSet, RegisterDescription, RegisterId, Timestamp};
use std::io::{self, Read, Write};
use std::sync::Arc;

const MAGIC: &[u8; 12] = b"sekisho-edm\n";
const VERSION: u32 = 3;
/// The longest text in the file: names of registers and columns, reasons.
const TEXT_BYTES_MAX: usize = 64 * 1024;
/// Elements that are read at once, so that a false length cannot allocate much.
const ELEMENTS_AT_ONCE: usize = 64 * 1024;

/// Why an index cannot be stored or read.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// Reading or writing failed.
    #[error("cannot read or write the index")]
    Io(#[from] io::Error),
    /// Not an index file at all.
    #[error("the file is not an index of Sekisho")]
    NotAnIndex,
    /// Of another version of this software.
    #[error("the index has format {found}, this version reads format {VERSION}")]
    Version {
        /// The file's format.
        found: u32,
    },
    /// Built under another key.
    #[error("the index was built under another key")]
    WrongKey,
    /// Changed or cut after it was written.
    #[error("the index is damaged: {what}")]
    Damaged {
        /// What does not fit.
        what: &'static str,
    },
}

impl Index {
    /// Stores the index.
    ///
    /// # Errors
    /// When writing fails.
    pub fn write_to(&self, output: impl Write) -> Result<(), IndexError> {
        let mut to = Writer { output, mac: self.key.file_mac(), buffer: Vec::new() };
        to.bytes(MAGIC)?;
        to.u32(VERSION)?;
        to.bytes(&self.key.check_value())?;
        to.u32(len_u32(self.registers.len()))?;
        for (description, register) in self.descriptions.iter().zip(&self.registers) {
            to.description(description)?;
            to.register(register)?;
        }
        to.finish()
    }

    /// Reads a stored index.
    ///
    /// # Errors
    /// When reading fails, the file is no index, is damaged, or belongs to another key.
    pub fn read_from(input: impl Read, key: Arc<HashKey>) -> Result<Index, IndexError> {
        let mut from = Reader { input, mac: key.file_mac() };
        if from.array::<12>()? != *MAGIC {
            return Err(IndexError::NotAnIndex);
        }
        match from.u32()? {
            VERSION => {}
            found => return Err(IndexError::Version { found }),
        }
        if from.array::<16>()? != key.check_value() {
            return Err(IndexError::WrongKey);
        }
        let count = from.u32()? as usize;
        check(count <= usize::from(RegisterId::MAX) + 1, "too many registers")?;
        let mut descriptions = Vec::with_capacity(count);
        let mut registers = Vec::with_capacity(count);
        for at in 0..count {
            let mut description = from.description(at)?;
            let register = from.register(&description)?;
            description.subject_next = register.subject_next;
            registers.push(register);
            descriptions.push(description);
        }
        from.finish()?;
        Ok(Index::new(key, descriptions, registers))
    }
}

struct Writer<'a, W> {
    output: W,
    mac: RunningMac<'a>,
    buffer: Vec<u8>,
}

impl<W: Write> Writer<'_, W> {
    fn bytes(&mut self, bytes: &[u8]) -> Result<(), IndexError> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= ELEMENTS_AT_ONCE {
            self.flush()?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), IndexError> {
        self.mac.update(&self.buffer);
        self.output.write_all(&self.buffer)?;
        self.buffer.clear();
        Ok(())
    }

    fn finish(mut self) -> Result<(), IndexError> {
        self.flush()?;
        self.output.write_all(&self.mac.finish())?;
        self.output.flush()?;
        Ok(())
    }

    fn u16(&mut self, value: u16) -> Result<(), IndexError> {
        self.bytes(&value.to_le_bytes())
    }

    fn u32(&mut self, value: u32) -> Result<(), IndexError> {
        self.bytes(&value.to_le_bytes())
    }

    fn u64(&mut self, value: u64) -> Result<(), IndexError> {
        self.bytes(&value.to_le_bytes())
    }

    fn text(&mut self, text: &str) -> Result<(), IndexError> {
        self.u32(len_u32(text.len()))?;
        self.bytes(text.as_bytes())
    }

    fn description(&mut self, description: &RegisterDescription) -> Result<(), IndexError> {
        self.text(&description.name)?;
        self.u64(description.persons)?;
        self.u64(description.built_at.0.cast_unsigned())?;
        self.u32(len_u32(description.fields.len()))?;
        for field in &description.fields {
            self.text(&field.name)?;
            self.text(field.kind.name())?;
            self.text(field.not_examined.as_deref().unwrap_or_default())?;
            self.u64(field.values_not_indexed)?;
        }
        Ok(())
    }

    fn register(&mut self, register: &Register) -> Result<(), IndexError> {
        self.text(&register.row_key)?;
        self.u32(register.subject_next)?;
        self.table(&register.row_keys)?;
        self.u32(len_u32(register.values.len()))?;
        for column in &register.values {
            self.u32(u32::from(column.field.0))?;
            self.table(&column.table)?;
        }
        self.u32(len_u32(register.names.len()))?;
        for column in &register.names {
            self.u32(u32::from(column.field.0))?;
            self.u64(column.fingerprints.len() as u64)?;
            column.fingerprints.iter().try_for_each(|fingerprint| self.u64(fingerprint.0))?;
        }
        self.u32(len_u32(register.not_indexed.len()))?;
        for (field, persons) in &register.not_indexed {
            self.u32(u32::from(field.0))?;
            self.u64(persons.len() as u64)?;
            persons.iter().try_for_each(|person| self.u32(*person))?;
        }
        self.u64(register.account_shapes.runs)?;
        self.u64(register.account_shapes.lens)?;
        self.u64(register.secret_runs.len() as u64)?;
        for (hash, shape) in &register.secret_runs {
            self.u64(*hash)?;
            self.u16(shape.before)?;
            self.u16(shape.len)?;
        }
        Ok(())
    }

    fn table(&mut self, table: &HashTable) -> Result<(), IndexError> {
        self.u64(table.hashes().len() as u64)?;
        table.hashes().iter().try_for_each(|hash| self.u64(*hash))?;
        table.ids().iter().try_for_each(|id| self.u32(*id))
    }
}

struct Reader<'a, R> {
    input: R,
    mac: RunningMac<'a>,
}

impl<R: Read> Reader<'_, R> {
    fn finish(mut self) -> Result<(), IndexError> {
        let mut stored = [0; 16];
        self.read(&mut stored)?;
        check(stored == self.mac.finish(), "its checksum is wrong")?;
        check(self.input.read(&mut [0])? == 0, "something follows its end")
    }

    fn read(&mut self, bytes: &mut [u8]) -> Result<(), IndexError> {
        self.input.read_exact(bytes).map_err(|err| match err.kind() {
            io::ErrorKind::UnexpectedEof => IndexError::Damaged { what: "it ends early" },
            _ => IndexError::Io(err),
        })
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], IndexError> {
        let mut bytes = [0; N];
        self.read(&mut bytes)?;
        self.mac.update(&bytes);
        Ok(bytes)
    }

    fn u16(&mut self) -> Result<u16, IndexError> {
        self.array().map(u16::from_le_bytes)
    }

    fn u32(&mut self) -> Result<u32, IndexError> {
        self.array().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Result<u64, IndexError> {
        self.array().map(u64::from_le_bytes)
    }

    fn len(&mut self, max: u64, what: &'static str) -> Result<usize, IndexError> {
        let len = self.u64()?;
        check(len <= max, what)?;
        usize::try_from(len).map_err(|_| IndexError::Damaged { what })
    }

    fn text(&mut self) -> Result<String, IndexError> {
        let len = self.u32()? as usize;
        check(len <= TEXT_BYTES_MAX, "a text is too long")?;
        let mut bytes = vec![0; len];
        self.read(&mut bytes)?;
        self.mac.update(&bytes);
        String::from_utf8(bytes).map_err(|_| IndexError::Damaged { what: "a text is not UTF-8" })
    }

    /// Reads `len` elements of `N` bytes; memory grows as they arrive.
    fn elements<const N: usize, T>(
        &mut self,
        len: usize,
        element: impl Fn([u8; N]) -> T,
    ) -> Result<Vec<T>, IndexError> {
        let mut elements = Vec::new();
        let mut buffer = vec![0; N * len.min(ELEMENTS_AT_ONCE)];
        while elements.len() < len {
            let count = (len - elements.len()).min(ELEMENTS_AT_ONCE);
            let bytes = &mut buffer[..N * count];
            self.read(bytes)?;
            self.mac.update(bytes);
            let (arrays, _) = bytes.as_chunks::<N>();
            elements.extend(arrays.iter().map(|bytes| element(*bytes)));
        }
        elements.shrink_to_fit();
        Ok(elements)
    }

    fn description(&mut self, at: usize) -> Result<RegisterDescription, IndexError> {
        let name = self.text()?;
        let persons = self.u64()?;
        let built_at = Timestamp(self.u64()?.cast_signed());
        let count = self.u32()? as usize;
        check(count <= FieldSet::FIELDS_MAX, "too many columns")?;
        let mut fields = Vec::with_capacity(count);
        for _ in 0..count {
            let name = self.text()?;
            let kind = FieldKind::from_name(&self.text()?).ok_or(IndexError::Damaged { what: "an unknown kind" })?;
            let not_examined = Some(self.text()?).filter(|reason| !reason.is_empty());
            fields.push(Field { name, kind, not_examined, values_not_indexed: self.u64()? });
        }
        let (id, subject_next, is_canary) = (super::register_id(at), 0, false);
        Ok(RegisterDescription { id, name, fields, persons, subject_next, built_at, is_canary })
    }

    fn register(&mut self, description: &RegisterDescription) -> Result<Register, IndexError> {
        let (row_key, subject_next) = (self.text()?, self.u32()?);
        let row_keys = self.table(subject_next)?;
        let mut register = Register { row_key, subject_next, row_keys, ..Register::default() };
        let columns = self.u32()? as usize;
        check(columns <= FieldSet::FIELDS_MAX, "too many columns")?;
        for _ in 0..columns {
            let (field, kind) = self.field(description)?;
            let kind = ValueKind::of(kind).ok_or(IndexError::Damaged { what: "a column of another kind" })?;
            register.values.push(ValueColumn { field, kind, table: self.table(subject_next)? });
        }
        let columns = self.u32()? as usize;
        check(columns <= FieldSet::FIELDS_MAX, "too many columns")?;
        for _ in 0..columns {
            let (field, _) = self.field(description)?;
            let len = self.len(u64::from(subject_next), "more names than persons")?;
            let fingerprints = self.elements(len, |bytes| Fingerprint(u64::from_le_bytes(bytes)))?;
            register.names.push(NameColumn { field, fingerprints });
        }
        let columns = self.u32()? as usize;
        check(columns <= FieldSet::FIELDS_MAX, "too many columns")?;
        for _ in 0..columns {
            let (field, _) = self.field(description)?;
            let len = self.len(u64::from(subject_next), "more persons than there are")?;
            register.not_indexed.push((field, self.elements(len, u32::from_le_bytes)?));
        }
        register.account_shapes = account::Shapes { runs: self.u64()?, lens: self.u64()? };
        let runs = self.len(u64::from(u32::MAX), "too many secrets")?;
        for _ in 0..runs {
            let (hash, before, len) = (self.u64()?, self.u16()?, self.u16()?);
            let fits = before <= len && usize::from(len) <= secret::CHARS_MAX;
            check(fits, "a secret of impossible length")?;
            register.secret_runs.push((hash, secret::Shape { before, len }));
        }
        Ok(register)
    }

    fn field(&mut self, description: &RegisterDescription) -> Result<(FieldIndex, FieldKind), IndexError> {
        let at = self.u32()?;
        let damaged = IndexError::Damaged { what: "a column that the register does not have" };
        match (u8::try_from(at), description.fields.get(at as usize)) {
            (Ok(field), Some(described)) => Ok((FieldIndex(field), described.kind)),
            _ => Err(damaged),
        }
    }

    fn table(&mut self, ids_end: u32) -> Result<HashTable, IndexError> {
        let len = self.len(u64::from(u32::MAX), "a table is too long")?;
        let hashes = self.elements(len, u64::from_le_bytes)?;
        let ids = self.elements(len, u32::from_le_bytes)?;
        let pairs = || hashes.iter().zip(&ids);
        check(pairs().is_sorted_by(|a, b| a < b), "a table is out of order")?;
        check(ids.iter().all(|id| *id < ids_end), "a table names an unknown person")?;
        Ok(HashTable::of_sorted(hashes, ids))
    }
}

fn check(holds: bool, what: &'static str) -> Result<(), IndexError> {
    if holds { Ok(()) } else { Err(IndexError::Damaged { what }) }
}

fn len_u32(len: usize) -> u32 {
    u32::try_from(len).expect("counts of registers, columns and text bytes are small")
}

/// Reads hostile bytes as an index: no panic, no large allocation. What reads is written and read again.
pub(crate) fn fuzz_index(data: &[u8]) {
    let key = Arc::new(HashKey::new([7; 16]));
    if let Ok(index) = Index::read_from(data, Arc::clone(&key)) {
        let mut stored = Vec::new();
        index.write_to(&mut stored).expect("writing to memory");
        assert_eq!(stored, data, "an index is written as it was read");
    }
    // Behind a right head, the rest of the reader is reached too.
    let mut headed = Vec::from(MAGIC);
    headed.extend(VERSION.to_le_bytes());
    headed.extend(key.check_value());
    headed.extend(data);
    assert!(Index::read_from(headed.as_slice(), key).is_err() || data.len() > 16, "a checksum has 16 bytes");
}
