//! A tee that records frames to a capture file which Wireshark and tcpdump read.
//!
//! The format is classic pcap, little endian, nanosecond timestamps, LINKTYPE_ETHERNET. One file
//! may take the frames of several links. A frame is recorded where the tee is: inside of faults
//! it shows what really crossed, outside what the program sent.
//!
//! Recording never stops a link: what the file cannot take is counted as `capture-failed`.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::os::fd::BorrowedFd;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use pcap_file::pcap::{PcapHeader, PcapPacket, PcapWriter};
use pcap_file::{DataLink, Endianness, PcapError, TsResolution};
use wire::Tick;

use crate::{DropReason, Drops, Link, LinkCounters, LinkError};

/// Frames reach the file at the latest this long after they were recorded, if the link is driven.
const FLUSH_EVERY_US: u64 = 1_000_000;

/// A capture file; clones are the same file. It is complete once the last clone is dropped.
#[derive(Clone)]
pub struct CaptureFile {
    writer: Arc<Mutex<PcapWriter<Output>>>,
    output: Output,
    tick_zero: Duration,
}

/// The buffered file, reachable from within the pcap writer and from beside it.
#[derive(Clone)]
struct Output(Arc<Mutex<BufWriter<Box<dyn Write + Send>>>>);

impl CaptureFile {
    /// Begins a capture on `output`. `tick_zero` is the wall-clock time since 1970 at
    /// `Tick(0)`; on a running host `Clock.unix_at_tick_zero()`.
    pub fn new(
        output: impl Write + Send + 'static,
        tick_zero: Duration,
    ) -> Result<Self, LinkError> {
        let output = Output(Arc::new(Mutex::new(BufWriter::new(Box::new(output)))));
        let header = PcapHeader {
            datalink: DataLink::ETHERNET,
            ts_resolution: TsResolution::NanoSecond,
            endianness: Endianness::Little,
            ..PcapHeader::default()
        };
        let writer = PcapWriter::with_header(output.clone(), header)
            .map_err(|error| LinkError::io("begin a capture file", into_io(error)))?;
        Ok(Self {
            writer: Arc::new(Mutex::new(writer)),
            output,
            tick_zero,
        })
    }

    /// Creates or empties the file at `path`.
    pub fn create(path: &Path, tick_zero: Duration) -> Result<Self, LinkError> {
        let file = File::create(path).map_err(|source| LinkError::File {
            path: path.to_owned(),
            source,
        })?;
        Self::new(file, tick_zero)
    }

    /// Writes what is buffered.
    pub fn flush(&self) -> Result<(), LinkError> {
        let result = self.output.lock().flush();
        result.map_err(|source| LinkError::io("write a capture file", source))
    }

    fn record(&self, frame: &[u8], now: Tick) -> Result<(), PcapError> {
        let at = self.tick_zero.saturating_add(Duration::from_nanos(now.0));
        let length =
            u32::try_from(frame.len()).map_err(|_| PcapError::InvalidField("a frame of 4 GiB"))?;
        let packet = PcapPacket::new(at, length, frame);
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        writer.write_packet(&packet).map(|_| ())
    }
}

impl Output {
    fn lock(&self) -> MutexGuard<'_, BufWriter<Box<dyn Write + Send>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.lock().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.lock().flush()
    }
}

fn into_io(error: PcapError) -> io::Error {
    match error {
        PcapError::IoError(error) => error,
        other => io::Error::other(other),
    }
}

/// A link whose frames, sent and received, are recorded.
pub struct PcapTee<L> {
    link: L,
    file: CaptureFile,
    now: Tick,
    flush_at: Tick,
    drops: Drops,
}

impl<L: Link> PcapTee<L> {
    /// Records everything that crosses `link` from now on to `file`, with the time that
    /// `advance` gave last.
    pub fn new(link: L, file: CaptureFile) -> Self {
        let zero = Tick::default();
        Self {
            link,
            file,
            now: zero,
            flush_at: zero,
            drops: Drops::default(),
        }
    }

    /// The link below.
    pub fn link(&self) -> &L {
        &self.link
    }
}

impl<L: Link> Link for PcapTee<L> {
    fn send(&mut self, frame: &[u8]) {
        if self.file.record(frame, self.now).is_err() {
            self.drops.count(DropReason::CaptureFailed);
        }
        self.link.send(frame);
    }

    fn flush(&mut self) -> Result<(), LinkError> {
        self.link.flush()
    }

    fn receive(&mut self, limit: usize, each: &mut dyn FnMut(&[u8])) -> Result<usize, LinkError> {
        let Self {
            link,
            file,
            now,
            drops,
            ..
        } = self;
        link.receive(limit, &mut |frame| {
            if file.record(frame, *now).is_err() {
                drops.count(DropReason::CaptureFailed);
            }
            each(frame);
        })
    }

    fn prepare_to_wait(&mut self) -> bool {
        self.link.prepare_to_wait()
    }

    fn readiness(&self) -> Option<BorrowedFd<'_>> {
        self.link.readiness()
    }

    fn advance(&mut self, now: Tick) -> Option<Tick> {
        self.now = now;
        if now >= self.flush_at {
            self.flush_at = now.plus_us(FLUSH_EVERY_US);
            if self.file.flush().is_err() {
                self.drops.count(DropReason::CaptureFailed);
            }
        }
        self.link.advance(now)
    }

    fn counters(&self) -> LinkCounters {
        let mut counters = self.link.counters();
        counters.drops += self.drops;
        counters
    }
}

#[cfg(test)]
mod tests {
    use pcap_file::pcap::PcapReader;

    use super::*;
    use crate::ring;

    const BASE: Duration = Duration::new(1_800_000_000, 5);

    #[test]
    fn a_capture_reads_back_with_its_times() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let (a, mut b) = ring::pair(ring::DEFAULT_CAPACITY).unwrap();
        let mut a = PcapTee::new(a, CaptureFile::create(file.path(), BASE).unwrap());
        a.advance(Tick(1_000_000_007));
        a.send(&[1; 60]);
        a.flush().unwrap();
        a.advance(Tick(1_000_000_900));
        b.send(&[2; 9_000]);
        let mut got = 0;
        a.receive(10, &mut |_| got += 1).unwrap();
        assert_eq!(got, 1);
        assert_eq!(a.counters().drops.total(), 0);
        drop(a);

        let bytes = std::fs::read(file.path()).unwrap();
        // Little endian, nanoseconds, version 2.4, and LINKTYPE_ETHERNET at the header's end.
        assert_eq!(bytes[..8], [0x4d, 0x3c, 0xb2, 0xa1, 2, 0, 4, 0]);
        assert_eq!(bytes[20..24], [1, 0, 0, 0]);
        let mut reader = PcapReader::new(&bytes[..]).unwrap();
        let mut read = Vec::new();
        while let Some(packet) = reader.next_packet() {
            let packet = packet.unwrap();
            assert_eq!(packet.orig_len as usize, packet.data.len());
            read.push((
                packet.timestamp.checked_sub(BASE).unwrap(),
                packet.data.into_owned(),
            ));
        }
        let expected = [
            (Duration::from_nanos(1_000_000_007), vec![1; 60]),
            (Duration::from_nanos(1_000_000_900), vec![2; 9_000]),
        ];
        assert_eq!(read, expected);
    }

    #[test]
    fn frames_reach_the_file_while_the_link_runs() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let length = || file.as_file().metadata().unwrap().len();
        let (a, _b) = ring::pair(ring::DEFAULT_CAPACITY).unwrap();
        let mut a = PcapTee::new(a, CaptureFile::create(file.path(), BASE).unwrap());
        a.advance(Tick(0));
        a.send(&[1; 60]);
        a.advance(Tick(0).plus_us(FLUSH_EVERY_US - 1));
        assert_eq!(length(), 24);
        a.advance(Tick(0).plus_us(FLUSH_EVERY_US));
        assert_eq!(length(), 24 + 16 + 60);
    }

    /// Takes the file header and nothing more.
    struct FullDisk(usize);

    impl Write for FullDisk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let taken = bytes.len().min(self.0);
            self.0 -= taken;
            if taken == 0 {
                Err(io::Error::other("the disk is full"))
            } else {
                Ok(taken)
            }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_full_disk_is_counted_and_the_frames_still_cross() {
        let (a, mut b) = ring::pair(ring::DEFAULT_CAPACITY).unwrap();
        let mut a = PcapTee::new(a, CaptureFile::new(FullDisk(24), BASE).unwrap());
        for _ in 0..20 {
            a.send(&[1; 1_500]);
        }
        assert!(a.counters().drops[DropReason::CaptureFailed] > 0);
        assert_eq!(a.counters().sent.frames, 20);
        assert_eq!(b.receive(100, &mut |_| {}).unwrap(), 20);
        let error = CaptureFile::create(Path::new("/nosuch/file.pcap"), BASE)
            .err()
            .unwrap();
        assert!(
            error
                .to_string()
                .starts_with("cannot create /nosuch/file.pcap: "),
            "{error}"
        );
    }
}
