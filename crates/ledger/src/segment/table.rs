//! A table of whole and text columns in Parquet, with the low-level column API: no Arrow.

use crate::Error;
use crate::durable::read_file;
use parquet::basic::{Compression, ZstdLevel};
use parquet::column::reader::ColumnReader;
use parquet::data_type::{ByteArray, ByteArrayType, Int64Type};
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::RowGroupMetaData;
use parquet::file::properties::WriterProperties;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::file::statistics::Statistics;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use sekisho_model::disk::Disk;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Rows of a row group: what is skipped or read at once.
const ROW_GROUP_ROWS: usize = 65_536;

/// What a column holds. All columns may be empty in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A number; u64 keep their bits.
    Whole,
    /// µs since 1970 in UTC.
    Time,
    /// UTF-8.
    Text,
}

/// Columns by name.
pub(crate) type Schema = &'static [(&'static str, Kind)];

/// The values of one column.
#[derive(Clone, Debug)]
pub(crate) enum Column {
    Whole(Vec<Option<i64>>),
    Text(Vec<Option<ByteArray>>),
}

/// The bytes of a Parquet file with these columns, in the schema's order and all of one length.
pub(crate) fn write(schema: Schema, columns: &[Column]) -> Result<Vec<u8>> {
    let fields = schema.iter().map(|(name, kind)| match kind {
        Kind::Whole => format!("optional int64 {name};"),
        Kind::Time => format!("optional int64 {name} (TIMESTAMP(MICROS,true));"),
        Kind::Text => format!("optional binary {name} (STRING);"),
    });
    let message = format!("message sekisho {{ {} }}", fields.collect::<String>());
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(3)?))
        .set_statistics_truncate_length(None)
        .set_created_by("sekisho".to_owned())
        .build();
    let mut writer =
        SerializedFileWriter::new(Vec::new(), Arc::new(parse_message_type(&message)?), Arc::new(properties))?;
    let rows = columns.first().map_or(0, Column::len);
    for start in (0..rows).step_by(ROW_GROUP_ROWS) {
        let end = rows.min(start + ROW_GROUP_ROWS);
        let mut group = writer.next_row_group()?;
        for column in columns {
            let mut out = group.next_column()?.ok_or_else(|| ParquetError::General("a column too many".into()))?;
            match column {
                Column::Whole(values) => {
                    let (levels, values) = split(&values[start..end]);
                    out.typed::<Int64Type>().write_batch(&values, Some(&levels), None)?;
                }
                Column::Text(values) => {
                    let (levels, values) = split(&values[start..end]);
                    out.typed::<ByteArrayType>().write_batch(&values, Some(&levels), None)?;
                }
            }
            out.close()?;
        }
        group.close()?;
    }
    writer.into_inner()
}

impl Column {
    pub(crate) fn whole(values: impl Iterator<Item = Option<i64>>) -> Column {
        Column::Whole(values.collect())
    }

    pub(crate) fn text(values: impl Iterator<Item = Option<String>>) -> Column {
        Column::Text(values.map(|value| value.map(|text| ByteArray::from(text.into_bytes()))).collect())
    }

    fn len(&self) -> usize {
        match self {
            Column::Whole(values) => values.len(),
            Column::Text(values) => values.len(),
        }
    }

    /// The number in a row; 0 when there is none or the column holds text.
    pub(crate) fn whole_at(&self, row: usize) -> i64 {
        self.whole_if(row).unwrap_or(0)
    }

    pub(crate) fn whole_if(&self, row: usize) -> Option<i64> {
        match self {
            Column::Whole(values) => values.get(row).copied().flatten(),
            Column::Text(_) => None,
        }
    }

    pub(crate) fn text_if(&self, row: usize) -> Option<&str> {
        match self {
            Column::Text(values) => std::str::from_utf8(values.get(row)?.as_ref()?.data()).ok(),
            Column::Whole(_) => None,
        }
    }
}

/// A Parquet file in memory, read by row groups.
pub(crate) struct TableFile {
    path: PathBuf,
    reader: SerializedFileReader<bytes::Bytes>,
}

impl TableFile {
    pub(crate) fn open(disk: &dyn Disk, path: &Path) -> std::result::Result<TableFile, Error> {
        let bytes = bytes::Bytes::from(read_file(disk, path)?);
        let reader =
            SerializedFileReader::new(bytes).map_err(|err| Error::Parquet { path: path.to_path_buf(), err })?;
        Ok(TableFile { path: path.to_path_buf(), reader })
    }

    /// Hands out each row group that `wanted` does not rule out by its statistics: its columns and its rows.
    pub(crate) fn row_groups(
        &self,
        wanted: &dyn Fn(&RowGroupMetaData) -> bool,
        each: &mut dyn FnMut(&[Column], usize),
    ) -> std::result::Result<(), Error> {
        let failed = |err| Error::Parquet { path: self.path.clone(), err };
        for index in 0..self.reader.num_row_groups() {
            let group = self.reader.get_row_group(index).map_err(failed)?;
            if !wanted(group.metadata()) {
                continue;
            }
            let rows = usize::try_from(group.metadata().num_rows()).unwrap_or(0);
            let columns = (0..group.num_columns())
                .map(|column| read_column(group.get_column_reader(column)?, rows))
                .collect::<Result<Vec<_>>>();
            each(&columns.map_err(failed)?, rows);
        }
        Ok(())
    }
}

/// The smallest and largest number of a column in a row group, where known.
pub(crate) fn whole_range(group: &RowGroupMetaData, column: usize) -> Option<(i64, i64)> {
    match group.column(column).statistics()? {
        Statistics::Int64(statistics) => Some((*statistics.min_opt()?, *statistics.max_opt()?)),
        _ => None,
    }
}

fn split<T: Clone>(values: &[Option<T>]) -> (Vec<i16>, Vec<T>) {
    let levels = values.iter().map(|value| i16::from(value.is_some())).collect();
    (levels, values.iter().flatten().cloned().collect())
}

fn read_column(reader: ColumnReader, rows: usize) -> Result<Column> {
    let mut levels = Vec::with_capacity(rows);
    match reader {
        ColumnReader::Int64ColumnReader(mut reader) => {
            let mut values = Vec::with_capacity(rows);
            while levels.len() < rows {
                let (read, _, _) = reader.read_records(rows - levels.len(), Some(&mut levels), None, &mut values)?;
                ensure_progress(read)?;
            }
            Ok(Column::Whole(join(&levels, values)))
        }
        ColumnReader::ByteArrayColumnReader(mut reader) => {
            let mut values = Vec::with_capacity(rows);
            while levels.len() < rows {
                let (read, _, _) = reader.read_records(rows - levels.len(), Some(&mut levels), None, &mut values)?;
                ensure_progress(read)?;
            }
            Ok(Column::Text(join(&levels, values)))
        }
        _ => Err(ParquetError::General("a column of a type that no ledger has".into())),
    }
}

fn ensure_progress(read: usize) -> Result<()> {
    if read == 0 { Err(ParquetError::General("a column is shorter than its row group".into())) } else { Ok(()) }
}

fn join<T>(levels: &[i16], values: Vec<T>) -> Vec<Option<T>> {
    let mut values = values.into_iter();
    levels.iter().map(|level| if *level > 0 { values.next() } else { None }).collect()
}
