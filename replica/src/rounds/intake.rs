//! Requests that clients gave to this replica, from their arrival to their execution.
//!
//! waiting → in a packet that is on its way → in a packet that is back, at a position → executed.
//! What is lost on the way waits again. A request may so be proposed twice; the second copy finds
//! its reply in the client table when its turn comes to be executed.

use crate::history::{Origin, RequestRef, StoredRequest};
use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;
use wire::message::Request;
use wire::message::rounds::Batch;
use wire::{ClientId, Position, RequestNumber};

/// A packet of this replica that is on its way to the root and back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Flight {
    number: u64,
    requests: Vec<StoredRequest>,
}

/// What this replica has taken and not executed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Intake {
    waiting: VecDeque<StoredRequest>,
    flight: Option<Flight>,
    /// Packets that are back, by position.
    placed: VecDeque<(Position, Vec<StoredRequest>)>,
    /// The request of each client that is underway here.
    underway: BTreeMap<ClientId, RequestNumber>,
}

impl Intake {
    /// How many requests were taken and not executed.
    pub(super) fn len(&self) -> usize {
        self.underway.len()
    }

    /// Whether requests wait for a packet.
    pub(super) fn has_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Whether the own packet has not come back yet.
    pub(super) fn is_in_flight(&self) -> bool {
        self.flight.is_some()
    }

    /// Takes a request; false if it is underway already, or an older one than that is.
    pub(super) fn take(&mut self, request: &Request<'_>) -> bool {
        let known = self.underway.get(&request.client);
        if known.is_some_and(|number| *number >= request.number) {
            return false;
        }
        self.forget_outdated();
        self.underway.insert(request.client, request.number);
        let request = RequestRef::new(Origin::default(), request);
        self.waiting.push_back(request.to_stored());
        true
    }

    /// Of what waits, requests that were executed otherwise, or whose clients have given them up,
    /// are left out when they would be sent. While nothing is sent they must not pile up. Half of
    /// what waits is outdated when it is looked through, so this costs a request little.
    fn forget_outdated(&mut self) {
        if self.waiting.len() >= Self::most_waiting(self.underway.len()) {
            let underway = &self.underway;
            self.waiting
                .retain(|request| underway.get(&request.client) == Some(&request.number));
        }
    }

    /// What may wait while so many requests are underway.
    fn most_waiting(underway: usize) -> usize {
        2 * underway.max(8)
    }

    /// How many requests wait for a packet, outdated ones included.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// At most so many do if no more than `limit` are underway.
    pub(super) fn waiting_max(limit: usize) -> usize {
        Self::most_waiting(limit)
    }

    /// Puts as many requests as fit `limit` bytes into the batch of packet `number`.
    pub(super) fn depart(&mut self, number: u64, limit: usize, batch: &mut Vec<u8>) {
        batch.clear();
        let mut requests = Vec::new();
        while let Some(request) = self.waiting.front() {
            if batch.len() + Batch::cost(request.operation.len()) > limit {
                break;
            }
            let request = self.waiting.pop_front().expect("it was looked at");
            if self.is_underway(&request) {
                Batch::push(batch, &request.as_request());
                requests.push(request);
            }
        }
        self.flight = Some(Flight { number, requests });
    }

    /// The own packet `number` has been voted for at `position`; true if it was the one awaited.
    pub(super) fn arrive(&mut self, number: u64, position: Position) -> bool {
        match self.flight.take() {
            Some(flight) if flight.number == number => {
                if !flight.requests.is_empty() {
                    self.placed.push_back((position, flight.requests));
                }
                true
            }
            other => {
                self.flight = other;
                false
            }
        }
    }

    /// The own packet `number` has come back from the root. With requests it is still awaited, at
    /// its position; an empty one is done, so that who is behind a hole can go on talking.
    pub(super) fn is_back(&mut self, number: u64) {
        let is_done = |flight: &mut Flight| flight.number == number && flight.requests.is_empty();
        self.flight.take_if(is_done);
    }

    /// The own packet is taken for lost.
    pub(super) fn give_up_flight(&mut self) {
        if let Some(flight) = self.flight.take() {
            self.wait_again(flight.requests);
        }
    }

    /// The log is decided and executed up to here: what was placed there is done, or was put
    /// aside and is proposed again.
    pub(super) fn executed(&mut self, position: Position) {
        while let Some((placed, _)) = self.placed.front() {
            if *placed > position {
                break;
            }
            let (_, requests) = self.placed.pop_front().expect("it was looked at");
            self.wait_again(requests);
        }
    }

    /// A request was executed, whoever proposed it.
    pub(super) fn done(&mut self, client: ClientId, number: RequestNumber) {
        if self
            .underway
            .get(&client)
            .is_some_and(|underway| *underway <= number)
        {
            self.underway.remove(&client);
        }
    }

    /// The log above `kept` is another one: everything placed there is proposed again.
    pub(super) fn displace_above(&mut self, kept: Position) {
        while let Some((placed, _)) = self.placed.back() {
            if *placed <= kept {
                break;
            }
            let (_, requests) = self.placed.pop_back().expect("it was looked at");
            self.wait_again(requests);
        }
    }

    fn wait_again(&mut self, requests: Vec<StoredRequest>) {
        for request in requests.into_iter().rev() {
            if self.is_underway(&request) {
                self.forget_outdated();
                self.waiting.push_front(request);
            }
        }
    }

    fn is_underway(&self, request: &StoredRequest) -> bool {
        self.underway.get(&request.client) == Some(&request.number)
    }

    pub(super) fn check(&self, limit: usize) {
        assert!(
            self.underway.len() <= limit,
            "more requests than may be taken"
        );
        assert!(
            self.waiting.len() <= Self::waiting_max(limit),
            "more requests wait than may"
        );
        let placed: usize = self.placed.iter().map(|(_, requests)| requests.len()).sum();
        let flight = self
            .flight
            .as_ref()
            .map_or(0, |flight| flight.requests.len());
        // A client's older request may still be on its way when its newer one is taken.
        assert!(self.waiting.len() + flight + placed >= self.underway.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use wire::HostAddress;
    use wire::message::Wants;

    fn request(client: u64, number: u64) -> Request<'static> {
        Request {
            client: ClientId(client),
            number: RequestNumber(number),
            reply_to: HostAddress::default(),
            wants: Wants::Reply,
            operation: b"operation",
        }
    }

    fn taken(clients: &[u64]) -> Intake {
        let mut intake = Intake::default();
        for client in clients {
            assert!(intake.take(&request(*client, 1)));
        }
        intake
    }

    /// The clients in the next packet.
    fn depart(intake: &mut Intake, number: u64, requests: usize) -> Vec<u64> {
        let mut bytes = Vec::new();
        intake.depart(number, requests * Batch::cost(9), &mut bytes);
        let batch = Batch::parse(&bytes).unwrap();
        batch.iter().map(|request| request.client.0).collect()
    }

    #[test]
    fn a_packet_takes_what_fits_and_the_rest_waits() {
        let mut intake = taken(&[1, 2, 3]);
        assert_eq!(depart(&mut intake, 1, 2), [1, 2]);
        assert!(intake.is_in_flight() && intake.has_waiting());
        assert!(!intake.arrive(9, Position(1)) && intake.arrive(1, Position(4)));
        assert_eq!(depart(&mut intake, 2, 2), [3]);
        assert_eq!(intake.len(), 3);
    }

    #[test]
    fn an_empty_packet_is_awaited_until_it_is_back_and_others_until_they_have_a_position() {
        let mut intake = Intake::default();
        assert!(depart(&mut intake, 1, 9).is_empty());
        intake.is_back(2);
        assert!(intake.is_in_flight());
        intake.is_back(1);
        assert!(!intake.is_in_flight());
        assert!(intake.take(&request(1, 1)));
        assert_eq!(depart(&mut intake, 2, 9), [1]);
        intake.is_back(2);
        assert!(intake.is_in_flight());
    }

    #[test]
    fn a_request_that_is_underway_is_not_taken_again() {
        let mut intake = taken(&[1]);
        assert!(!intake.take(&request(1, 1)));
        assert!(
            intake.take(&request(1, 2)),
            "a newer one ends the wait for the older"
        );
        assert_eq!(depart(&mut intake, 1, 9), [1]);
        assert_eq!(intake.len(), 1);
    }

    #[test]
    fn what_is_lost_or_displaced_is_proposed_again_in_its_order() {
        let mut intake = taken(&[1, 2]);
        assert_eq!(depart(&mut intake, 1, 1), [1]);
        intake.give_up_flight();
        assert_eq!(depart(&mut intake, 2, 1), [1]);
        intake.arrive(2, Position(7));
        assert_eq!(depart(&mut intake, 3, 1), [2]);
        intake.arrive(3, Position(8));
        intake.displace_above(Position(7));
        assert_eq!(depart(&mut intake, 4, 9), [2]);
        intake.displace_above(Position(6));
        intake.give_up_flight();
        let mut again = depart(&mut intake, 5, 9);
        again.sort_unstable();
        assert_eq!(again, vec![1, 2]);
    }

    #[test]
    fn what_was_executed_is_done_and_what_was_put_aside_waits() {
        let mut intake = taken(&[1, 2]);
        depart(&mut intake, 1, 9);
        intake.arrive(1, Position(3));
        intake.done(ClientId(1), RequestNumber(1));
        intake.executed(Position(2));
        assert!(!intake.has_waiting());
        // Position 3 was decided to be a no-op, and client 1 was served by another member.
        intake.executed(Position(3));
        assert_eq!(depart(&mut intake, 2, 9), [2]);
    }
}
