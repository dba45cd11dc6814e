//! A bucket that lets nobody delete, as under an object lock or without the right to: what works there, and what does not.
//!
//! Key decision: every DELETE is refused, from the first on; what then stands in the bucket is compared with the model. It
//! is not the object lock of any provider.

use std::sync::Arc;

use halite_engine::Kind;
use halite_engine::ops::copy::copy;
use halite_engine::ops::prune::prune;
use halite_engine::ops::retain::forget_org;
use halite_engine::store::memory::Memory;
use halite_engine::store::object::{Bucket, Patience};
use halite_engine::vault::{Secret, Vault, VaultOptions};
use halite_simulator_s3::{Act, Rule, S3};

use super::{AT_ONCE, org, rows, sound, truth};

#[test]
fn a_bucket_in_which_nothing_may_be_deleted_takes_snapshots_and_copies() {
    let s3 = S3::start("vaults").unwrap();
    s3.script(Rule::new("DELETE", "", Act::Answer(403, "AccessDenied")).times(u32::MAX));
    let bucket = |prefix: &str| {
        let url = format!("s3://vaults/{prefix}");
        Arc::new(Bucket::open_with(&url, s3.variables(), Patience::default()).unwrap())
    };
    let place = bucket("acme");
    let vault = Vault::create(place.clone(), &Secret::None, VaultOptions::default()).unwrap();
    rows(&vault, org(1), 1, 0, 300).unwrap();
    rows(&vault, org(1), 2, 0, 400).unwrap();
    let (one, two) = (truth(0, 300), truth(0, 400));
    let truths = [(org(1), 1, &one), (org(1), 2, &two)];
    sound(&place, &truths);

    let (folder, beside) = (Memory::new(), bucket("copy"));
    copy(&vault, &folder, &mut |_| ()).unwrap();
    copy(&vault, &*beside, &mut |_| ()).unwrap();
    sound(&beside, &truths);

    // What prune would give back is condemned; taking it away is refused, and costs nothing.
    rows(&vault, org(2), 1, 4000, 4400).unwrap();
    forget_org(&vault, org(2), &[]).unwrap();
    let refused = (0..4)
        .find_map(|_| prune(&vault.reopen().unwrap(), &AT_ONCE).err())
        .unwrap();
    assert_eq!(refused.kind(), Kind::Denied, "{refused}");
    assert!(refused.to_string().contains("delete"), "{refused}");
    sound(&place, &truths);
    rows(&vault.reopen().unwrap(), org(1), 3, 0, 500).unwrap();
    sound(&place, &[truths[0], truths[1], (org(1), 3, &truth(0, 500))]);
}
