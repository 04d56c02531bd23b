//! A stream: the pieces in which it arrives make no difference, and what is held stays within the limit.
#![no_main]

use rooms::sip::message::{MAX_MESSAGE, StreamDecoder, StreamItem, Unframed};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    // The first bytes say how the rest is cut, each as a length.
    let (sizes, stream) = data.split_at(data.len().min(4));
    let whole = read(std::iter::once(stream));
    let mut rest = stream;
    let pieces = sizes.iter().cycle().map_while(|size| {
        let (piece, tail) = rest.split_at(usize::from(*size).clamp(1, rest.len().max(1)).min(rest.len()));
        rest = tail;
        (!piece.is_empty()).then_some(piece)
    });
    assert_eq!(read(pieces), whole);
});

fn read<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> (Vec<StreamItem>, Option<Unframed>) {
    let mut decoder = StreamDecoder::default();
    let mut items = Vec::new();
    for piece in pieces {
        decoder.push(piece);
        loop {
            match decoder.pop() {
                Ok(Some(item)) => items.push(item),
                Ok(None) => break,
                Err(error) => return (items, Some(error.why)),
            }
        }
        assert!(decoder.len() <= MAX_MESSAGE);
    }
    (items, None)
}
