//! A restore plan from any text: an error or a plan, which is written and read again the same.
//!
//! Key decision: people edit plans, so every text is possible; what passes the checks must survive a round trip.
//! It does not apply anything.
#![no_main]

use halite_engine::ops::restore::plan::Plan;

libfuzzer_sys::fuzz_target!(|text: &[u8]| {
    if let Ok(plan) = Plan::read(text) {
        let mut once = Vec::new();
        plan.write(&mut once).unwrap();
        let mut twice = Vec::new();
        Plan::read(&once[..]).unwrap().write(&mut twice).unwrap();
        assert_eq!(once, twice);
    }
});
