//! Interfaces that let only so much through in a second: a bucket that fills with the virtual clock, like Linux's
//! token bucket filter (tc-tbf(8)). What finds it empty waits at the sender.

use super::{Hop, LinkKind, Net};
use crate::network::Rate;
use std::time::Duration;

/// The bytes of a stream that go into one packet of Ethernet, and what goes with them: headers of Ethernet, IPv4
/// and TCP with its time stamps.
const SEGMENT: u64 = 1_448;
const HEADERS: u64 = 66;

/// The state of one bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Shaper {
    rate: Rate,
    /// When all that was let through would have gone at the rate alone.
    busy_until: Duration,
}

impl Shaper {
    pub fn new(rate: Rate) -> Shaper {
        Shaper { rate, busy_until: Duration::ZERO }
    }

    /// Takes `bytes` in: how long until the last of them is out. A burst's worth goes at once.
    fn take(&mut self, now: Duration, bytes: u64) -> Duration {
        self.busy_until = self.busy_until.max(now) + self.rate.time(bytes);
        self.busy_until.saturating_sub(now + self.rate.time(self.rate.burst()))
    }

    /// How many bytes are worth one wait: those of a twentieth of a second.
    fn portion(&self) -> u64 {
        (self.rate.0 / 160).max(SEGMENT)
    }
}

/// What a number of bytes of a stream are as packets.
pub(super) fn packed(bytes: usize) -> u64 {
    let bytes = bytes as u64;
    bytes + bytes.div_ceil(SEGMENT).max(1) * HEADERS
}

impl Net {
    /// The interfaces on a way that hold back: those that the packet leaves by, ends of cables at bridges included.
    fn shapers(&self, hops: &[Hop], back: bool) -> Vec<(u64, u32)> {
        let shaped = |(ns, link): &(u64, u32)| {
            self.spaces.get(ns).and_then(|s| s.links.get(link)).is_some_and(|l| l.shaper.is_some())
        };
        let mut found: Vec<(u64, u32)> = Vec::new();
        for hop in hops {
            let link = self.spaces.get(&hop.ns).and_then(|s| s.links.get(&hop.link));
            let end = match (hop.sends != back, link.map(|l| &l.kind)) {
                (true, _) => Some((hop.ns, hop.link)),
                // What comes in here was sent by the other end of the cable, which the way does not name.
                (false, Some(LinkKind::Veth { peer })) => Some(*peer),
                _ => None,
            };
            found.extend(end.filter(|end| shaped(end) && !found.contains(end)));
        }
        found
    }

    /// How much of a stream may be sent in one go along a way; all of it where nothing holds it back.
    pub fn portion(&self, hops: &[Hop], back: bool) -> Option<usize> {
        let shapers = self.shapers(hops, back);
        let portion =
            |(ns, link): &(u64, u32)| self.spaces.get(ns)?.links.get(link)?.shaper.as_ref().map(Shaper::portion);
        shapers.iter().filter_map(portion).min().map(|n| n as usize)
    }

    /// Sends `bytes` along a way: how long until they are through.
    pub fn hold_back(&mut self, now: Duration, hops: &[Hop], back: bool, bytes: u64) -> Duration {
        let mut longest = Duration::ZERO;
        for (ns, link) in self.shapers(hops, back) {
            let link = self.spaces.get_mut(&ns).and_then(|s| s.links.get_mut(&link));
            if let Some(shaper) = link.and_then(|l| l.shaper.as_mut()) {
                longest = longest.max(shaper.take(now, bytes));
            }
        }
        longest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_fills_with_time() {
        let rate = Rate(8_000_000);
        let mut shaper = Shaper::new(rate);
        let second = Duration::from_secs(1);
        assert_eq!(shaper.take(second, rate.burst()), Duration::ZERO);
        assert_eq!(shaper.take(second, 1_000_000), second);
        assert_eq!(shaper.take(second, 1_000_000), second * 2);
        // After a pause there is one burst again, not all that was not used.
        assert_eq!(shaper.take(second * 60, rate.burst() + 1_000_000), second);
    }

    #[test]
    fn packets_have_headers() {
        for (bytes, all) in [(0, 66), (1, 67), (1_448, 1_514), (1_449, 1_581)] {
            assert_eq!(packed(bytes), all, "{bytes}");
        }
    }
}
