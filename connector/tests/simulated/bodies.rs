//! Bodies of files: whole, cut off in the middle, from the middle, refused.
//!
//! Key decision: what comes is put together by the offsets alone, as the engine does it.
//! It checks no MD5, and it does not decide which bodies are wanted.

use halite_engine::base::error::{Error, Kind, Result};
use halite_engine::ops::org::Source;
use halite_simulator::{Fault, Org};
use serde_json::json;

use super::{Place, refusal};

fn file(bytes: &[u8]) -> (Place, String) {
    let place = Place::of(Org::sample());
    let account = place.org.rows("Account")[0]["Id"].clone();
    let text: String = bytes.iter().map(|b| char::from(*b)).collect();
    let values = json!({"ParentId": account, "Name": "file.txt", "Body": base64(text.as_bytes())});
    let id = place.org.create("Attachment", &values).unwrap();
    (place, id)
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let word = |three: &[u8]| {
        three
            .iter()
            .fold(0_u32, |word, byte| word << 8 | u32::from(*byte))
    };
    let four = |three: &[u8]| {
        let word = word(three);
        [18, 12, 6, 0].map(|shift| char::from(LETTERS[(word >> shift & 63) as usize]))
    };
    bytes.chunks_exact(3).flat_map(four).collect()
}

/// What comes, by offsets; the number of pieces that began where bytes had come already.
fn take(place: &Place, id: &str, from: u64) -> Result<(Vec<u8>, usize)> {
    let (mut bytes, mut again) = (vec![0; usize::try_from(from).unwrap()], 0);
    place
        .open()
        .body("Attachment", id.parse()?, "Body", from, &mut |at, piece| {
            let known = bytes.len() - usize::try_from(at).unwrap();
            again += usize::from(known > 0);
            bytes.extend_from_slice(piece.get(known..).unwrap_or_default());
            Ok(())
        })?;
    Ok((bytes, again))
}

#[test]
fn a_body_comes_whole_whatever_cuts_it() {
    let bytes: Vec<u8> = (0..300_000_u32).map(|n| b'a' + (n % 23) as u8).collect();
    let (place, id) = file(&bytes);
    assert_eq!(take(&place, &id, 0).unwrap().0, bytes);
    for (ranges, cut) in [(false, 100_000), (true, 100_000), (true, 0)] {
        place.org.configure(|s| s.files.ranges = ranges);
        place.org.fault("/Body", 2, Fault::CutBody(cut));
        let (came, again) = take(&place, &id, 0).unwrap();
        assert!(came == bytes, "{ranges}, {cut}");
        assert_eq!(again > 0, !ranges, "with ranges nothing comes twice");
    }
}

#[test]
fn a_body_is_gone_on_with_from_the_middle() {
    let bytes: Vec<u8> = (0..30_000_u32).map(|n| b'a' + (n % 23) as u8).collect();
    let (place, id) = file(&bytes);
    place.org.configure(|s| s.files.ranges = true);
    let (came, _) = take(&place, &id, 20_001).unwrap();
    assert_eq!(came[20_001..], bytes[20_001..]);
    // There is nothing behind the end.
    assert_eq!(take(&place, &id, 30_000).unwrap().0.len(), 30_000);
}

#[test]
fn one_that_is_refused_is_an_error_about_itself_and_costs_a_call() {
    let (place, id) = file(b"abc");
    place
        .org
        .fault("/Body", 1, refusal(403, "INSUFFICIENT_ACCESS", "no"));
    assert_eq!(take(&place, &id, 0).unwrap_err().kind(), Kind::Denied);
    let mut org = place.open();
    let (before, gone) = (org.spent(), "00P000000000zzz".parse().unwrap());
    let missing = org.body("Attachment", gone, "Body", 0, &mut |_, _| Ok(()));
    assert_eq!(missing.unwrap_err().kind(), Kind::NotFound);
    assert_eq!((org.spent().files, org.spent().calls - before.calls), (1, 1));
    let ours = org.body("Attachment", id.parse().unwrap(), "Body", 0, &mut |_, _| {
        Err(Error::new(Kind::Quota, "the disk is full"))
    });
    assert_eq!(ours.unwrap_err().kind(), Kind::Quota, "as it was said");
}
