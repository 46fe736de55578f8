//! The switch on a thread: links in, pipeline, links out, and the control plane's jobs between
//! two batches of packets.
//!
//! *Invariant:* everything that leaves by one port leaves in the order in which its packets came
//! in. One thread takes a packet from ingress to the egress link before it looks at the next, and
//! links are first-in first-out, so no queue exists that could reorder.

use crate::pipeline::{Copies, PortNumber};
use crate::server::{ControlHandle, ControlJobs, Device, control_queue};
use link::{Descriptors, Link, LinkCounters, LinkError, Node, NodeError, Poll, Waker};
use std::os::fd::AsFd;
use wire::Tick;

/// Frames taken from one port before the next port has its turn.
const BATCH: usize = 32;
/// Jobs of the control plane run between two rounds over the ports.
const JOBS: usize = 16;

/// A port: its number in the program, and the wire plugged into it.
pub struct Port {
    /// The number; 0 is not used, 511 is the drop port.
    pub number: PortNumber,
    /// The wire.
    pub link: Box<dyn Link>,
}

/// A software switch as an event-loop node.
pub struct SwitchNode {
    name: String,
    device: Device,
    jobs: ControlJobs,
    waker: Waker,
    ports: Vec<Port>,
    /// Index into `ports` by port number.
    by_number: Vec<Option<usize>>,
    copies: Copies,
    without_port: u64,
    without_program: u64,
}

impl SwitchNode {
    /// A switch without a program and the handle through which the control plane gives it one.
    pub fn new(name: &str, ports: Vec<Port>) -> Result<(Self, ControlHandle), LinkError> {
        let waker = Waker::new()?;
        let ring = waker.clone();
        let (handle, jobs) = control_queue(move || ring.wake());
        let mut by_number = Vec::new();
        for (index, port) in ports.iter().enumerate() {
            let number = usize::from(port.number.0);
            by_number.resize(by_number.len().max(number + 1), None);
            assert!(
                by_number[number].is_none(),
                "port {number} is plugged twice"
            );
            by_number[number] = Some(index);
        }
        let node = Self {
            name: name.to_owned(),
            device: Device::new(),
            jobs,
            waker,
            ports,
            by_number,
            copies: Copies::new(),
            without_port: 0,
            without_program: 0,
        };
        Ok((node, handle))
    }

    /// Frames in and out, by port.
    pub fn counters(&self) -> impl Iterator<Item = (PortNumber, LinkCounters)> + '_ {
        self.ports
            .iter()
            .map(|port| (port.number, port.link.counters()))
    }

    /// Frames that the program sent to a port where nothing is plugged in.
    pub fn without_port(&self) -> u64 {
        self.without_port
    }

    /// Frames that came before there was a program.
    pub fn without_program(&self) -> u64 {
        self.without_program
    }

    /// Takes a batch from each port through the pipeline.
    fn take_frames(&mut self, now: Tick) -> Result<bool, LinkError> {
        // The program's clock is monotonic: rounds are counted from the start of a term, and a
        // clock set back would make that difference enormous.
        let now_us = now.0 / 1_000;
        let mut worked = false;
        for index in 0..self.ports.len() {
            let Self {
                ports,
                device,
                copies,
                without_program,
                ..
            } = self;
            let port = &mut ports[index];
            copies.clear();
            let number = port.number;
            let taken = port
                .link
                .receive(BATCH, &mut |frame| match device.switch_mut() {
                    Some(switch) => switch.process(now_us, number, frame, copies),
                    None => *without_program += 1,
                })?;
            worked |= taken > 0;
            self.send_copies();
        }
        if worked {
            for port in &mut self.ports {
                port.link.flush()?;
            }
        }
        Ok(worked)
    }

    fn send_copies(&mut self) {
        for (number, frame) in self.copies.iter() {
            let index = self.by_number.get(usize::from(number.0)).copied().flatten();
            match index {
                Some(index) => self.ports[index].link.send(frame),
                None => self.without_port += 1,
            }
        }
    }
}

impl Node for SwitchNode {
    fn name(&self) -> &str {
        &self.name
    }

    fn poll(&mut self, now: Tick) -> Result<Poll, NodeError> {
        let mut deadline = None;
        for port in &mut self.ports {
            deadline = link::run::earliest(deadline, port.link.advance(now));
        }
        self.waker.disarm();
        let jobs = self.jobs.run_pending(&mut self.device, JOBS);
        let worked = self.take_frames(now)?;
        if jobs > 0 || deadline.is_some_and(|at| at <= now) {
            for port in &mut self.ports {
                port.link.flush()?;
            }
        }
        Ok(Poll {
            worked: worked || jobs > 0,
            deadline,
        })
    }

    fn prepare_to_wait(&mut self) -> bool {
        self.waker.arm();
        let mut found = !self.jobs.is_empty();
        for port in &mut self.ports {
            found |= port.link.prepare_to_wait();
        }
        found
    }

    fn readiness<'a>(&'a self, descriptors: &mut Descriptors<'a>) {
        descriptors.add(self.waker.as_fd());
        for port in &self.ports {
            descriptors.add(port.link.readiness());
        }
    }
}
