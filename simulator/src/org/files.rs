//! The bytes of files, outside the rows that name them.
//!
//! Key decision: kept once per content, whatever number of rows hold it; a row's base64 field holds the
//! content's number. Bytes are never given back: an org of a test is short-lived.
//! Not here: what a file is (`write::files`), how it travels (`http::files`).

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// How large files may be, and what a download may ask for.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FileSettings {
    /// Most bytes of a file inside a JSON body, decoded.
    pub in_json: usize,
    /// Most bytes of a JSON body with files.
    pub json_body: usize,
    /// Most bytes of a `ContentVersion` in a multipart body.
    pub version: usize,
    /// Most bytes of any other file in a multipart body.
    pub other: usize,
    /// Most bytes of all files of one collections request.
    pub collection: usize,
    /// A download answers `Range` with 206 (unverified; off, the whole file is sent).
    pub ranges: bool,
}

impl Default for FileSettings {
    fn default() -> Self {
        Self {
            in_json: 37_500_000,
            json_body: 50_000_000,
            version: 2 << 30,
            other: 500 << 20,
            collection: 500 << 20,
            ranges: false,
        }
    }
}

/// All contents of an org's files.
#[derive(Clone, Default)]
pub(crate) struct Files {
    contents: Vec<Arc<[u8]>>,
    numbers: HashMap<Arc<[u8]>, usize>,
    /// Binary parts of the request being answered, by field; a write takes them before its JSON.
    pub parts: Vec<(String, Arc<[u8]>)>,
}

impl fmt::Debug for Files {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Files")
            .field("contents", &self.contents.len())
            .finish_non_exhaustive()
    }
}

impl Files {
    /// Keeps bytes; gives the value that a row holds for them.
    pub fn keep(&mut self, bytes: Arc<[u8]>) -> Value {
        let number = match self.numbers.get(&bytes) {
            Some(number) => *number,
            None => {
                self.contents.push(bytes.clone());
                self.numbers.insert(bytes, self.contents.len() - 1);
                self.contents.len() - 1
            }
        };
        json!(number)
    }

    /// The bytes that a row's value stands for.
    pub fn of(&self, value: Option<&Value>) -> Option<&Arc<[u8]>> {
        let number = usize::try_from(value?.as_u64()?).ok()?;
        self.contents.get(number)
    }

    /// Every content, in the order of its number.
    pub fn contents(&self) -> &[Arc<[u8]>] {
        &self.contents
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_bytes_are_kept_once() {
        let mut files = Files::default();
        let a = files.keep(Arc::from(*b"salt"));
        let b = files.keep(Arc::from(*b"pepper"));
        assert_eq!(files.keep(Arc::from(*b"salt")), a);
        assert_eq!(files.contents.len(), 2);
        assert_eq!(files.of(Some(&b)).map(|c| c.to_vec()), Some(b"pepper".to_vec()));
        assert!(files.of(Some(&json!(7))).is_none() && files.of(None).is_none());
    }
}
