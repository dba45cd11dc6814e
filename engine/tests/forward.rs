//! What a double does not do itself, it passes on.
//!
//! Key decision: a double of a store or of an org writes the calls that it changes, and names the others, which go to the
//! field that stands first. Nothing is passed on that is not named.

/// Passes these calls of a store on to a field.
macro_rules! pass_on {
    ($under:ident: $($call:ident),+) => { $($crate::forward::pass_on!(@ $call $under);)+ };
    (@ put_new $under:ident) => {
        fn put_new(&self, name: &str, bytes: &[u8]) -> halite_engine::Result<()> {
            self.$under.put_new(name, bytes)
        }
    };
    (@ get $under:ident) => {
        fn get(&self, name: &str) -> halite_engine::Result<Vec<u8>> {
            self.$under.get(name)
        }
    };
    (@ get_range $under:ident) => {
        fn get_range(&self, name: &str, offset: u64, len: usize) -> halite_engine::Result<Vec<u8>> {
            self.$under.get_range(name, offset, len)
        }
    };
    (@ size $under:ident) => {
        fn size(&self, name: &str) -> halite_engine::Result<u64> {
            self.$under.size(name)
        }
    };
    (@ list $under:ident) => {
        fn list(&self, prefix: &str) -> halite_engine::Result<Vec<String>> {
            self.$under.list(prefix)
        }
    };
    (@ delete $under:ident) => {
        fn delete(&self, name: &str) -> halite_engine::Result<()> {
            self.$under.delete(name)
        }
    };
    (@ root $under:ident) => {
        fn root(&self) -> halite_engine::Result<Option<Vec<u8>>> {
            self.$under.root()
        }
    };
    (@ swap_root $under:ident) => {
        fn swap_root(&self, expected: Option<&[u8]>, new: &[u8]) -> halite_engine::Result<bool> {
            self.$under.swap_root(expected, new)
        }
    };
    (@ describe $under:ident) => {
        fn describe(&self) -> String {
            self.$under.describe()
        }
    };
}

/// Passes all calls of an org but its reading on to a field.
macro_rules! pass_on_but_read {
    ($model:ident) => {
        fn identity(&mut self) -> halite_engine::Result<halite_engine::ops::org::Identity> {
            self.$model.identity()
        }

        fn now(&mut self) -> halite_engine::Result<halite_engine::base::stamp::Stamp> {
            self.$model.now()
        }

        fn sobjects(&mut self) -> halite_engine::Result<Vec<halite_engine::ops::org::SObjectInfo>> {
            self.$model.sobjects()
        }

        fn describe(&mut self, sobject: &str) -> halite_engine::Result<Vec<u8>> {
            self.$model.describe(sobject)
        }

        fn count(&mut self, sobject: &str) -> halite_engine::Result<u64> {
            self.$model.count(sobject)
        }

        fn ids(
            &mut self,
            sobject: &str,
            each: &mut dyn FnMut(halite_engine::base::id::RecordId) -> halite_engine::Result<()>,
        ) -> halite_engine::Result<()> {
            self.$model.ids(sobject, each)
        }

        fn calls(&self) -> u64 {
            self.$model.calls()
        }
    };
}

pub(crate) use {pass_on, pass_on_but_read};
