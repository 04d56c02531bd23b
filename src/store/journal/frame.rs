//! One frame: length (u32 LE), CRC-32 of the payload (u32 LE), payload (an [`Entry`] as JSON).

use crate::journal::{Entry, Event};

/// Bytes before a payload.
pub(super) const PREFIX: usize = 8;
/// The longest payload that is written or believed, bytes.
pub(super) const MAX_PAYLOAD: usize = 1 << 20;
/// How every payload begins; inside a JSON string its quotes would be escaped, so it occurs nowhere else.
const START: &[u8] = b"{\"seq\":";

/// What stands at an offset.
#[derive(Debug, PartialEq)]
pub(super) enum Frame {
    /// A whole entry, and the offset after it.
    Entry(Box<Entry>, usize),
    /// The bytes end here.
    End,
    /// No whole frame; what is wrong.
    Bad(String),
}

/// Appends the frame of `entry`; `None` where it would be longer than [`MAX_PAYLOAD`] or is not JSON.
pub(super) fn encode(entry: &Entry, out: &mut Vec<u8>) -> Option<()> {
    let payload = match finite(entry) {
        Some(entry) => serde_json::to_vec(&entry),
        None => serde_json::to_vec(entry),
    }
    .ok()?;
    if payload.len() > MAX_PAYLOAD {
        return None;
    }
    out.extend_from_slice(&(payload.len() as u32).to_le_bytes());
    out.extend_from_slice(&crc32fast::hash(&payload).to_le_bytes());
    out.extend_from_slice(&payload);
    Some(())
}

/// JSON knows no NaN and no infinity: a frame that held one could never be read again.
fn finite(entry: &Entry) -> Option<Entry> {
    let Event::QualityMeasured { call, leg, mos, loss, jitter_ms, round_trip_ms, sent_loss, sent_jitter_ms } =
        entry.event
    else {
        return None;
    };
    let known = |value: Option<f32>| value.filter(|value| value.is_finite());
    let or_zero = |value: f32| if value.is_finite() { value } else { 0.0 };
    let event = Event::QualityMeasured {
        call,
        leg,
        mos: known(mos),
        loss: or_zero(loss),
        jitter_ms: or_zero(jitter_ms),
        round_trip_ms: known(round_trip_ms),
        sent_loss: known(sent_loss),
        sent_jitter_ms: known(sent_jitter_ms),
    };
    Some(Entry { seq: entry.seq, wall_ms: entry.wall_ms, event })
}

/// Reads the frame at `offset`.
pub(super) fn decode(bytes: &[u8], offset: usize) -> Frame {
    let rest = bytes.get(offset..).unwrap_or_default();
    if rest.is_empty() {
        return Frame::End;
    }
    let Some((len, rest)) = rest.split_first_chunk::<4>() else { return Frame::Bad("length cut short".into()) };
    let Some((sum, rest)) = rest.split_first_chunk::<4>() else { return Frame::Bad("checksum cut short".into()) };
    let len = u32::from_le_bytes(*len) as usize;
    if len == 0 || len > MAX_PAYLOAD {
        return Frame::Bad(format!("impossible length {len}"));
    }
    let Some(payload) = rest.get(..len) else { return Frame::Bad("payload cut short".into()) };
    if crc32fast::hash(payload) != u32::from_le_bytes(*sum) {
        return Frame::Bad("checksum differs".into());
    }
    match serde_json::from_slice(payload) {
        Ok(entry) => Frame::Entry(Box::new(entry), offset.saturating_add(PREFIX).saturating_add(len)),
        Err(error) => Frame::Bad(format!("not an entry that this version reads: {error}")),
    }
}

/// Whether a whole frame stands anywhere after `offset`: then what is bad there is no torn tail.
pub(super) fn any_after(bytes: &[u8], offset: usize) -> bool {
    let from = offset.saturating_add(1);
    let rest = bytes.get(from..).unwrap_or_default();
    rest.windows(START.len()).enumerate().filter(|(_, window)| *window == START).any(|(at, _)| {
        let Some(start) = (from + at).checked_sub(PREFIX) else { return false };
        start > offset && matches!(decode(bytes, start), Frame::Entry(..))
    })
}

/// Whether the frame at `offset` is whole by its checksum, so that no torn write can explain what is wrong with it.
pub(super) fn checksum_holds(bytes: &[u8], offset: usize) -> bool {
    let rest = bytes.get(offset..).unwrap_or_default();
    let Some((len, rest)) = rest.split_first_chunk::<4>() else { return false };
    let Some((sum, rest)) = rest.split_first_chunk::<4>() else { return false };
    let len = u32::from_le_bytes(*len) as usize;
    len > 0 && len <= MAX_PAYLOAD && rest.get(..len).is_some_and(|p| crc32fast::hash(p) == u32::from_le_bytes(*sum))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{CallId, LegId};

    #[test]
    fn not_a_number_is_never_written() {
        let call = CallId::new(1, 1);
        let measured = |mos, loss, round_trip_ms| Event::QualityMeasured {
            call,
            leg: LegId(1),
            mos,
            loss,
            jitter_ms: 2.5,
            round_trip_ms,
            sent_loss: None,
            sent_jitter_ms: Some(1.0),
        };
        let event = measured(Some(f32::NAN), f32::INFINITY, Some(f32::NAN));
        let mut bytes = Vec::new();
        encode(&Entry { seq: 1, wall_ms: 0, event }, &mut bytes).unwrap();
        let event = measured(None, 0.0, None);
        assert_eq!(decode(&bytes, 0), Frame::Entry(Box::new(Entry { seq: 1, wall_ms: 0, event }), bytes.len()));
    }
}
