//! Reads single columns of single row groups: what a question does not need stays on the disk.
//!
//! Numbers are decoded by the Parquet crate. Text is decoded here, to the words of the dictionary and a code for each
//! row, so that a filter looks at each word once and no row costs an allocation.

use super::hybrid;
use crate::Error;
use bytes::{Buf as _, Bytes};
use parquet::basic::Encoding;
use parquet::bloom_filter::Sbbf;
use parquet::column::page::{Page, PageReader};
use parquet::column::reader::{ColumnReader, get_column_reader};
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader, RowGroupMetaData};
use parquet::file::reader::{ChunkReader, Length};
use parquet::file::serialized_reader::SerializedPageReader;
use parquet::file::statistics::Statistics;
use sekisho_model::disk::{Disk, File, Open};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A Parquet file of which only the footer was read.
pub(crate) struct TableFile {
    path: PathBuf,
    file: Box<dyn File>,
    metadata: ParquetMetaData,
}

/// A row group.
pub(crate) struct Group<'a> {
    table: &'a TableFile,
    metadata: &'a RowGroupMetaData,
}

/// A text column: each word once, and which of them stands in a row.
#[derive(Debug, Default)]
pub(crate) struct Text {
    words: Vec<Bytes>,
    codes: Vec<u32>,
}

/// The code of a row without text.
const NO_WORD: u32 = u32::MAX;

impl TableFile {
    pub(crate) fn open(disk: &dyn Disk, path: &Path) -> std::result::Result<TableFile, Error> {
        let file = disk.open(path, Open::Read).map_err(Error::disk("read", path))?;
        let length = file.len().map_err(Error::disk("read", path))?;
        let whole = Part { file: &*file, length };
        let metadata = ParquetMetaDataReader::new()
            .parse_and_finish(&whole)
            .map_err(|err| Error::Parquet { path: path.to_path_buf(), err })?;
        Ok(TableFile { path: path.to_path_buf(), file, metadata })
    }

    pub(crate) fn groups(&self) -> impl Iterator<Item = Group<'_>> {
        self.metadata.row_groups().iter().map(|metadata| Group { table: self, metadata })
    }
}

impl Group<'_> {
    pub(crate) fn rows(&self) -> usize {
        usize::try_from(self.metadata.num_rows()).unwrap_or(0)
    }

    /// The smallest and largest number of a column, where known.
    pub(crate) fn range(&self, column: &str) -> Option<(i64, i64)> {
        match self.metadata.column(self.position(column).ok()?).statistics()? {
            Statistics::Int64(statistics) => Some((*statistics.min_opt()?, *statistics.max_opt()?)),
            _ => None,
        }
    }

    /// Whether a row can have a word that begins with this, by the smallest and largest word.
    pub(crate) fn may_begin(&self, column: &str, begin: &str) -> bool {
        let statistics = self.position(column).ok().and_then(|at| self.metadata.column(at).statistics());
        let Some(Statistics::ByteArray(statistics)) = statistics else { return true };
        let (Some(min), Some(max)) = (statistics.min_opt(), statistics.max_opt()) else { return true };
        let min = min.data();
        min[..min.len().min(begin.len())] <= *begin.as_bytes() && max.data() >= begin.as_bytes()
    }

    /// Whether a row can have this word, by the column's Bloom filter.
    pub(crate) fn may_have(&self, column: &str, word: &str) -> std::result::Result<bool, Error> {
        self.failing(|| {
            let metadata = self.metadata.column(self.position(column)?);
            let file = Part { file: &*self.table.file, length: self.table.file.len()? };
            let filter = Sbbf::read_from_column_chunk(metadata, &file)?;
            Ok(filter.is_none_or(|filter| filter.check(word)))
        })
    }

    /// Whether statistics say that no row has anything in this column.
    pub(crate) fn is_blank(&self, column: &str) -> bool {
        let statistics = self.position(column).ok().and_then(|at| self.metadata.column(at).statistics());
        statistics.and_then(Statistics::null_count_opt) == Some(self.rows() as u64)
    }

    /// The number that stands in every row, where statistics say that there is one.
    pub(crate) fn only(&self, column: &str) -> Option<i64> {
        let (min, max) = self.range(column)?;
        let statistics = self.metadata.column(self.position(column).ok()?).statistics()?;
        (min == max && statistics.null_count_opt() == Some(0)).then_some(min)
    }

    /// A column of numbers; 0 where there is none.
    pub(crate) fn whole(&self, column: &str) -> std::result::Result<Vec<i64>, Error> {
        if let Some(number) = self.only(column) {
            return Ok(vec![number; self.rows()]);
        }
        let (values, levels) = self.failing(|| self.numbers(column))?;
        let Some(levels) = levels else { return Ok(values) };
        let mut values = values.into_iter();
        Ok(levels.iter().map(|level| if *level > 0 { values.next().unwrap_or(0) } else { 0 }).collect())
    }

    /// A column of numbers that some rows do not have.
    pub(crate) fn whole_if(&self, column: &str) -> std::result::Result<Vec<Option<i64>>, Error> {
        let (values, levels) = self.failing(|| self.numbers(column))?;
        let Some(levels) = levels else { return Ok(values.into_iter().map(Some).collect()) };
        let mut values = values.into_iter();
        Ok(levels.iter().map(|level| if *level > 0 { values.next() } else { None }).collect())
    }

    pub(crate) fn text(&self, column: &str) -> std::result::Result<Text, Error> {
        self.failing(|| {
            let mut pages = self.pages(column)?;
            let mut text = Text { words: Vec::new(), codes: Vec::with_capacity(self.rows()) };
            while let Some(page) = pages.get_next_page()? {
                text.add(page).ok_or_else(|| broken("a page of text"))?;
            }
            if text.codes.len() == self.rows() { Ok(text) } else { Err(broken("a column's length")) }
        })
    }

    fn failing<T>(&self, read: impl Fn() -> Result<T>) -> std::result::Result<T, Error> {
        read().map_err(|err| Error::Parquet { path: self.table.path.clone(), err })
    }

    fn position(&self, column: &str) -> Result<usize> {
        let columns = self.metadata.columns();
        columns
            .iter()
            .position(|found| found.column_descr().name() == column)
            .ok_or_else(|| broken("the list of columns"))
    }

    /// The values that are there, and, where the column may lack some, a level for each row: 1 for there.
    fn numbers(&self, column: &str) -> Result<(Vec<i64>, Option<Vec<i16>>)> {
        let rows = self.rows();
        let descriptor = self.metadata.column(self.position(column)?).column_descr_ptr();
        let mut levels = (descriptor.max_def_level() > 0).then(|| Vec::with_capacity(rows));
        let ColumnReader::Int64ColumnReader(mut reader) = get_column_reader(descriptor, Box::new(self.pages(column)?))
        else {
            return Err(broken("a column of numbers"));
        };
        let (mut values, mut done) = (Vec::with_capacity(rows), 0);
        while done < rows {
            let (read, _, _) = reader.read_records(rows - done, levels.as_mut(), None, &mut values)?;
            if read == 0 {
                return Err(broken("a column's length"));
            }
            done += read;
        }
        Ok((values, levels))
    }

    fn pages(&self, column: &str) -> Result<SerializedPageReader<Chunk>> {
        let metadata = self.metadata.column(self.position(column)?);
        let (start, length) = metadata.byte_range();
        let length = usize::try_from(length).map_err(|_| broken("a column's length"))?;
        let file = Part { file: &*self.table.file, length: self.table.file.len()? };
        let chunk = Arc::new(Chunk { start, bytes: file.get_bytes(start, length)? });
        SerializedPageReader::new(chunk, metadata, self.rows(), None)
    }
}

impl Text {
    /// The word in a row.
    pub(crate) fn at(&self, row: usize) -> Option<&str> {
        let code = usize::try_from(*self.codes.get(row)?).ok()?;
        std::str::from_utf8(self.words.get(code)?).ok()
    }

    /// What `of` makes of each row's word; it is asked once a word.
    pub(crate) fn map<T: Copy>(&self, of: impl Fn(Option<&str>) -> T) -> impl Iterator<Item = T> {
        let none = of(None);
        let of_words: Vec<T> = self.words.iter().map(|word| of(std::str::from_utf8(word).ok())).collect();
        self.codes.iter().map(move |code| of_words.get(*code as usize).copied().unwrap_or(none))
    }

    fn add(&mut self, page: Page) -> Option<()> {
        match page {
            Page::DictionaryPage { buf, num_values, .. } => plain_words(&buf, num_values as usize, &mut self.words),
            Page::DataPage { buf, num_values, encoding, def_level_encoding: Encoding::RLE, .. } => {
                self.add_rows(&buf, num_values as usize, encoding)
            }
            _ => None,
        }
    }

    /// A data page: four bytes of length, that many bytes of levels, then the words or their codes.
    fn add_rows(&mut self, page: &Bytes, rows: usize, encoding: Encoding) -> Option<()> {
        let levels_end = 4 + usize::try_from(page.get(..4)?.get_u32_le()).ok()?;
        let mut levels = Vec::with_capacity(rows);
        hybrid::decode(page.get(4..levels_end)?, 1, rows, &mut levels)?;
        let there = levels.iter().filter(|level| **level == 1).count();
        let begin = self.codes.len();
        if encoding == Encoding::RLE_DICTIONARY {
            if there > 0 {
                let width = *page.get(levels_end)?;
                hybrid::decode(page.get(levels_end + 1..)?, width, there, &mut self.codes)?;
            }
        } else if encoding == Encoding::PLAIN {
            let first = u32::try_from(self.words.len()).ok()?;
            plain_words(&page.slice(levels_end..), there, &mut self.words)?;
            self.codes.extend(first..u32::try_from(self.words.len()).ok()?);
        } else {
            return None;
        }
        if there < rows {
            let mut dense = self.codes.split_off(begin).into_iter();
            self.codes
                .extend(levels.iter().map(|level| if *level == 1 { dense.next().unwrap_or(NO_WORD) } else { NO_WORD }));
        }
        Some(())
    }
}

/// Words as they stand in a dictionary or a plain page: four bytes of length, then the bytes.
fn plain_words(bytes: &Bytes, count: usize, words: &mut Vec<Bytes>) -> Option<()> {
    let mut at = 0usize;
    for _ in 0..count {
        let length = usize::try_from(bytes.get(at..at.checked_add(4)?)?.get_u32_le()).ok()?;
        let (start, end) = (at + 4, at.checked_add(4)?.checked_add(length)?);
        if end > bytes.len() {
            return None;
        }
        words.push(bytes.slice(start..end));
        at = end;
    }
    Some(())
}

fn broken(what: &str) -> ParquetError {
    ParquetError::General(format!("{what} is not as a ledger writes it"))
}

/// The whole file, read where it is asked for.
struct Part<'a> {
    file: &'a dyn File,
    length: u64,
}

impl Length for Part<'_> {
    fn len(&self) -> u64 {
        self.length
    }
}

impl ChunkReader for Part<'_> {
    type T = bytes::buf::Reader<Bytes>;

    fn get_read(&self, start: u64) -> Result<Self::T> {
        let length = usize::try_from(self.length.saturating_sub(start)).map_err(|_| broken("the file's length"))?;
        Ok(self.get_bytes(start, length)?.reader())
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes> {
        if start.checked_add(length as u64).is_none_or(|end| end > self.length) {
            return Err(ParquetError::EOF("a column lies beyond the end of the file".into()));
        }
        let mut bytes = vec![0; length];
        let mut filled = 0;
        while filled < length {
            match self.file.read_at(&mut bytes[filled..], start + filled as u64)? {
                0 => return Err(ParquetError::EOF("the file became shorter".into())),
                count => filled += count,
            }
        }
        Ok(bytes.into())
    }
}

/// The bytes of one column of one row group, at their place in the file.
struct Chunk {
    start: u64,
    bytes: Bytes,
}

impl Length for Chunk {
    fn len(&self) -> u64 {
        self.start + self.bytes.len() as u64
    }
}

impl ChunkReader for Chunk {
    type T = bytes::buf::Reader<Bytes>;

    fn get_read(&self, start: u64) -> Result<Self::T> {
        let begin = start.checked_sub(self.start).and_then(|begin| usize::try_from(begin).ok());
        let begin = begin.filter(|begin| *begin <= self.bytes.len()).ok_or_else(|| broken("a page's place"))?;
        Ok(self.bytes.slice(begin..).reader())
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes> {
        let bytes = self.get_read(start)?.into_inner();
        if length > bytes.len() {
            return Err(ParquetError::EOF("a page lies beyond its column".into()));
        }
        Ok(bytes.slice(..length))
    }
}
