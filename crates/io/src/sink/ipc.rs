//! Arrow IPC: files and streams.

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::ipc::CompressionType;
use arrow::ipc::writer::{FileWriter, IpcWriteOptions, StreamWriter};
use dframe_core::Result;

use super::conform::conform;
use super::output::Output;
use super::{Compression, Format, Sink, SinkOptions, SinkReport, not_inside};

/// Writes an Arrow IPC file or stream, batch by batch.
pub(super) struct ArrowSink {
    writer: IpcWriter,
    schema: SchemaRef,
    rows: u64,
}

enum IpcWriter {
    File(FileWriter<Output>),
    Stream(StreamWriter<Output>),
}

impl ArrowSink {
    /// A file: its end says where batches are.
    pub(super) fn file(output: Output, schema: SchemaRef, options: &SinkOptions) -> Result<Self> {
        let writer = FileWriter::try_new_with_options(output, &schema, ipc_options(options)?)?;
        Ok(Self { writer: IpcWriter::File(writer), schema, rows: 0 })
    }

    /// A stream.
    pub(super) fn stream(output: Output, schema: SchemaRef, options: &SinkOptions) -> Result<Self> {
        let writer = StreamWriter::try_new_with_options(output, &schema, ipc_options(options)?)?;
        Ok(Self { writer: IpcWriter::Stream(writer), schema, rows: 0 })
    }
}

fn ipc_options(options: &SinkOptions) -> Result<IpcWriteOptions> {
    let compression = match options.compression {
        Compression::Default | Compression::None => None,
        Compression::Lz4 => Some(CompressionType::LZ4_FRAME),
        Compression::Zstd => Some(CompressionType::ZSTD),
        other => return Err(not_inside(Format::Arrow, other)),
    };
    Ok(IpcWriteOptions::default().try_with_compression(compression)?)
}

impl Sink for ArrowSink {
    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let batch = conform(batch, &self.schema)?;
        match &mut self.writer {
            IpcWriter::File(writer) => writer.write(&batch)?,
            IpcWriter::Stream(writer) => writer.write(&batch)?,
        }
        self.rows += batch.num_rows() as u64;
        Ok(())
    }

    fn bytes(&self) -> u64 {
        match &self.writer {
            IpcWriter::File(writer) => writer.get_ref().bytes(),
            IpcWriter::Stream(writer) => writer.get_ref().bytes(),
        }
    }

    fn finish(self: Box<Self>) -> Result<SinkReport> {
        let output = match self.writer {
            IpcWriter::File(writer) => writer.into_inner()?,
            IpcWriter::Stream(writer) => writer.into_inner()?,
        };
        output.finish(self.rows)
    }
}
