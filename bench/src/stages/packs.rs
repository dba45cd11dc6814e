//! From plain parts to a sealed pack: compressed, proven to decode, sealed; and where bodies of files are cut.
//!
//! Key decision: `compress` is zstd and nothing else, one frame a part, at the level that a vault takes by default, so that
//! `prepare`, which names, compresses in the engine's frames and decodes again, has something to stand beside. Nothing is
//! written to disk.

use std::sync::Arc;

use halite_engine::base::id::PackId;
use halite_engine::format::blob::{Cutter, PIECE_MAX};
use halite_engine::format::pack::{PackBuilder, PackRole};
use halite_engine::format::seal::{Compressor, Prepared};
use halite_engine::vault::VaultOptions;
use zstd::bulk;

use crate::stages::input::Part;
use crate::stages::{Input, Outcome, Stage};

/// A body has this many bytes at least, so that it is cut.
const BODY: usize = 2 * PIECE_MAX;

/// The level of zstd of a vault.
pub fn level() -> i32 {
    VaultOptions::default().level
}

/// The ends of pieces of a body.
pub fn cut(input: &Arc<Input>) -> Outcome<Stage> {
    let body: Vec<u8> = input.text().iter().copied().cycle().take(BODY).collect();
    let cutter = Cutter::new(input.keys.blob_cut_table());
    Ok(Stage::new(body.len(), move || {
        let (mut rest, mut ends) = (&body[..], 0);
        while !rest.is_empty() {
            let len = cutter.cut(rest);
            rest = &rest[len..];
            ends = ends * 31 + len as u64;
        }
        Ok(ends)
    }))
}

/// zstd alone.
pub fn compress(input: &Arc<Input>) -> Outcome<Stage> {
    let (parts, mut zstd) = (input.parts()?, bulk::Compressor::new(level())?);
    Ok(Stage::new(bytes(&parts), move || {
        let mut sum = 0;
        for part in &parts {
            sum += zstd.compress(&part.bytes)?.len();
        }
        Ok(sum as u64)
    }))
}

fn bytes(parts: &[Part]) -> usize {
    parts.iter().map(|part| part.bytes.len()).sum()
}

fn prepared(compressor: &mut Compressor, input: &Input, part: &Part) -> Outcome<Prepared> {
    Ok(compressor.prepare_in_parts(&input.keys, part.kind, &part.bytes, &part.ends)?)
}

/// Named, compressed, decoded again and compared.
pub fn prepare(input: &Arc<Input>) -> Outcome<Stage> {
    let (parts, input) = (input.parts()?, Arc::clone(input));
    let mut compressor = Compressor::new(level());
    Ok(Stage::new(bytes(&parts), move || {
        let mut sum = 0;
        for part in &parts {
            sum += prepared(&mut compressor, &input, part)?.stored_len();
        }
        Ok(sum as u64)
    }))
}

/// Compressed chunks are sealed into a pack. It takes in what is stored, not what is plain.
pub fn seal(input: &Arc<Input>) -> Outcome<Stage> {
    let (parts, input) = (input.parts()?, Arc::clone(input));
    let mut compressor = Compressor::new(level());
    let chunks = parts.iter().map(|part| prepared(&mut compressor, &input, part));
    let chunks = chunks.collect::<Outcome<Vec<Prepared>>>()?;
    let bytes = chunks.iter().map(Prepared::stored_len).sum();
    Ok(Stage::new(bytes, move || {
        let mut pack = PackBuilder::new(&input.keys, PackId([7; 32]), PackRole::Data);
        for chunk in &chunks {
            pack.append(chunk)?;
        }
        Ok(pack.finish()?.len() as u64)
    }))
}
