//! Rules of writing, seen through the org's own handle.
