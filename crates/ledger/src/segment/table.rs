//! Writes a table of whole and text columns as Parquet, with the low-level column API: no Arrow. `column` reads it.

use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::data_type::{ByteArray, ByteArrayType, Int64Type};
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use parquet::schema::types::ColumnPath;
use std::borrow::Cow;
use std::sync::Arc;

/// Rows of a row group: what is skipped or read at once. A column of them fits a core's own cache.
const ROW_GROUP_ROWS: usize = 16_384;

/// The words of a row group's column stand once, in its dictionary: a reader compares words instead of rows. Beyond
/// this many bytes the rest of the column is plain.
const DICTIONARY_BYTES_MAX: usize = 4 * 1024 * 1024;

/// The share of row groups that a Bloom filter admits without need.
const BLOOM_MISTAKES: f64 = 0.01;

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A number in every row; u64 keep their bits.
    Whole,
    /// A number, or none.
    WholeIf,
    /// µs since 1970 in UTC, in every row.
    Time,
    /// µs since 1970 in UTC, or none.
    TimeIf,
    /// UTF-8, or none; few or short words, which are smaller than what a decompressor costs.
    Word,
    /// UTF-8, or none.
    Text,
    /// UTF-8, or none, with a Bloom filter: one value is looked for in row groups that are not sorted by it.
    Key,
}

/// Columns by name.
pub(crate) type Schema = &'static [(&'static str, Kind)];

/// The values of one column to be written, by row: they are asked for a row group at a time, so that no more of them are there
/// at once.
pub(crate) enum Values<'a> {
    Whole(Box<dyn Fn(usize) -> i64 + 'a>),
    WholeIf(Box<dyn Fn(usize) -> Option<i64> + 'a>),
    Text(Box<dyn Fn(usize) -> Option<Cow<'a, str>> + 'a>),
}

/// The bytes of a Parquet file with these columns, in the schema's order, of so many rows. A row group ends before
/// row `cut`, so that what comes behind need not be read with what is before.
pub(crate) fn write(
    schema: Schema,
    notes: &[(&str, String)],
    columns: &[Values<'_>],
    rows: usize,
    cut: usize,
) -> Result<Vec<u8>> {
    let fields = schema.iter().map(|(name, kind)| match kind {
        Kind::Whole => format!("required int64 {name};"),
        Kind::WholeIf => format!("optional int64 {name};"),
        Kind::Time => format!("required int64 {name} (TIMESTAMP(MICROS,true));"),
        Kind::TimeIf => format!("optional int64 {name} (TIMESTAMP(MICROS,true));"),
        Kind::Word | Kind::Text | Kind::Key => format!("optional binary {name} (STRING);"),
    });
    let message = format!("message sekisho {{ {} }}", fields.collect::<String>());
    let notes = notes.iter().map(|(key, value)| KeyValue::new((*key).to_owned(), value.clone())).collect();
    let mut properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(3)?))
        .set_statistics_truncate_length(None)
        .set_dictionary_page_size_limit(DICTIONARY_BYTES_MAX)
        .set_key_value_metadata(Some(notes))
        .set_created_by("sekisho".to_owned());
    for (name, kind) in schema {
        let column = ColumnPath::from(*name);
        properties = match kind {
            Kind::Word => properties.set_column_compression(column, Compression::UNCOMPRESSED),
            Kind::Text => properties,
            Kind::Key => properties
                .set_column_bloom_filter_max_ndv(column.clone(), ROW_GROUP_ROWS as u64)
                .set_column_bloom_filter_fpp(column, BLOOM_MISTAKES),
            // Differences of neighbours in as few bits as they need: smaller than a dictionary with zstd for what is
            // nearly sorted, and read several times faster.
            Kind::Whole | Kind::WholeIf | Kind::Time | Kind::TimeIf => properties
                .set_column_dictionary_enabled(column.clone(), false)
                .set_column_encoding(column.clone(), Encoding::DELTA_BINARY_PACKED)
                .set_column_compression(column, Compression::UNCOMPRESSED),
        };
    }
    let properties = properties.build();
    let mut writer =
        SerializedFileWriter::new(Vec::new(), Arc::new(parse_message_type(&message)?), Arc::new(properties))?;
    let starts = (0..cut).step_by(ROW_GROUP_ROWS).chain((cut..rows).step_by(ROW_GROUP_ROWS));
    for start in starts {
        let end = (start + ROW_GROUP_ROWS).min(if start < cut { cut } else { rows });
        let mut group = writer.next_row_group()?;
        for column in columns {
            let mut out = group.next_column()?.ok_or_else(|| ParquetError::General("a column too many".into()))?;
            match column {
                Values::Whole(value) => {
                    let values: Vec<i64> = (start..end).map(value).collect();
                    out.typed::<Int64Type>().write_batch(&values, None, None)?;
                }
                Values::WholeIf(value) => {
                    let (levels, values) = split((start..end).map(value));
                    out.typed::<Int64Type>().write_batch(&values, Some(&levels), None)?;
                }
                Values::Text(text) => {
                    let mut last = None;
                    let (levels, values) =
                        split((start..end).map(|row| text(row).map(|text| bytes_of(text, &mut last))));
                    out.typed::<ByteArrayType>().write_batch(&values, Some(&levels), None)?;
                }
            }
            out.close()?;
        }
        group.close()?;
    }
    writer.into_inner()
}

/// The bytes of a text. Rows are sorted, and many have the text of the row before.
fn bytes_of<'a>(text: Cow<'a, str>, last: &mut Option<(Cow<'a, str>, ByteArray)>) -> ByteArray {
    match last {
        Some((known, bytes)) if *known == text => bytes.clone(),
        _ => {
            let bytes = ByteArray::from(&*text);
            *last = Some((text, bytes.clone()));
            bytes
        }
    }
}

fn split<V>(values: impl Iterator<Item = Option<V>>) -> (Vec<i16>, Vec<V>) {
    let mut there = Vec::with_capacity(values.size_hint().0);
    let levels = values
        .map(|value| {
            let level = i16::from(value.is_some());
            there.extend(value);
            level
        })
        .collect();
    (levels, there)
}
