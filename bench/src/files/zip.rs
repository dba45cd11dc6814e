//! Zip archives, as far as a corpus needs them.
//!
//! Key decision: sizes and checksums stand before each member, as most writers do where they can look back.
//! This is no zip library: no folders, no comments, nothing beyond 4 GB, and nothing is read.

use std::io::Write;

use flate2::{Compression, Crc, write::DeflateEncoder};

/// A file in an archive.
pub struct Member {
    /// Its name.
    pub name: String,
    /// The day in January 2026 when it was last changed.
    pub day: u16,
    /// What is in it.
    pub body: Vec<u8>,
}

/// The archive of some members, deflated or stored.
pub fn zip(members: impl Iterator<Item = Member>, deflated: bool) -> Vec<u8> {
    let (mut archive, mut directory, mut count) = (Vec::new(), Vec::new(), 0u16);
    for member in members {
        let at = archive.len() as u32;
        let content = if deflated {
            deflate(&member.body)
        } else {
            member.body.clone()
        };
        let entry = entry(&member, content.len(), deflated);
        archive.extend_from_slice(b"PK\x03\x04");
        archive.extend_from_slice(&entry);
        archive.extend_from_slice(member.name.as_bytes());
        archive.extend_from_slice(&content);
        directory.extend_from_slice(b"PK\x01\x02\x14\0");
        directory.extend_from_slice(&entry);
        // No comment, disk 0, no attributes.
        directory.extend_from_slice(&[0; 10]);
        directory.extend_from_slice(&at.to_le_bytes());
        directory.extend_from_slice(member.name.as_bytes());
        count += 1;
    }
    let (at, length) = (archive.len() as u32, directory.len() as u32);
    archive.append(&mut directory);
    archive.extend_from_slice(b"PK\x05\x06\0\0\0\0");
    archive.extend_from_slice(&count.to_le_bytes());
    archive.extend_from_slice(&count.to_le_bytes());
    archive.extend_from_slice(&length.to_le_bytes());
    archive.extend_from_slice(&at.to_le_bytes());
    archive.extend_from_slice(&[0; 2]);
    archive
}

/// What both the member's own header and the directory say of it.
fn entry(member: &Member, length: usize, deflated: bool) -> Vec<u8> {
    let mut crc = Crc::new();
    crc.update(&member.body);
    let date = (2026 - 1980) << 9 | 1 << 5 | member.day;
    let mut entry = Vec::new();
    for short in [20, 0, if deflated { 8 } else { 0 }, 12 << 11, date] {
        entry.extend_from_slice(&u16::to_le_bytes(short));
    }
    for long in [crc.sum(), length as u32, member.body.len() as u32] {
        entry.extend_from_slice(&long.to_le_bytes());
    }
    for short in [member.name.len() as u16, 0] {
        entry.extend_from_slice(&short.to_le_bytes());
    }
    entry
}

fn deflate(body: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    // Writing to memory does not fail.
    let _ = encoder.write_all(body);
    encoder.finish().unwrap_or_default()
}
