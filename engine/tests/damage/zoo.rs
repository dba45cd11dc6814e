//! Damaged vaults, each with the report that a check must give of it, word for word: `zoo.txt`.
//!
//! Key decision: the vault is the same at every run, so that only names of packs and chunks, and where they lie, are left
//! out of a report. A changed word in it is a changed promise.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;

use halite_engine::Result;
use halite_engine::base::id::{OrgId, PackId};
use halite_engine::format::pack::Location;
use halite_engine::ops::check::{CheckOptions, Level, check};
use halite_engine::ops::walk::{Seen, Visit, walk};
use halite_engine::store::backend::{Backend, pack_name};
use halite_engine::store::faulty::Faulty;
use halite_engine::vault::rescue::rescue;
use halite_engine::vault::{Secret, Vault};

use super::{Kept, everything, open, options};

/// Where the first chunk of each kind lies.
#[derive(Default)]
struct Places(BTreeMap<&'static str, Vec<Location>>);

impl Visit for Places {
    fn chunk(&mut self, seen: &Seen<'_>) -> Result<()> {
        self.0.entry(seen.kind.name()).or_insert_with(|| seen.at.to_vec());
        Ok(())
    }

    fn draft(&mut self, _: OrgId, _: &PackId) -> Result<()> {
        Ok(())
    }
}

/// Without names of packs and chunks, and without numbers of bytes.
fn plain(text: &str) -> String {
    let hex = |word: &str| word.len() >= 32 && word.bytes().all(|b| b.is_ascii_hexdigit());
    let words = text.split(' ').map(|word| {
        let trimmed = word.trim_end_matches([':', ',', ';']);
        match trimmed {
            name if hex(name.rsplit('/').next().unwrap_or(name)) => word.replace(trimmed, "*"),
            number if number.len() > 2 && number.bytes().all(|b| b.is_ascii_digit()) => {
                word.replace(trimmed, "#")
            }
            _ => word.to_owned(),
        }
    });
    words.collect::<Vec<_>>().join(" ")
}

fn report(vault: &Vault) -> String {
    let mut out = String::new();
    for level in [Level::Structure, Level::All] {
        let options = CheckOptions {
            level,
            ..CheckOptions::default()
        };
        let found = check(vault, &options).unwrap();
        let states = (found.states_proved, found.states_unproved);
        writeln!(out, "  {level:?}: states proved, not: {states:?}").unwrap();
        for damage in &found.damages {
            writeln!(
                out,
                "    damaged: {}: {}",
                plain(&damage.what),
                plain(&damage.why)
            )
            .unwrap();
        }
        for loss in &found.losses {
            writeln!(out, "    lost: {loss}").unwrap();
        }
    }
    out
}

type Act<'a> = Box<dyn Fn(&Faulty) + 'a>;

/// What was done to each.
fn animals<'a>(kept: &'a Kept, places: &'a Places) -> Vec<(String, Act<'a>)> {
    let flip = |at: Location, offset: u32| -> Act<'a> {
        Box::new(move |store| store.corrupt(&pack_name(&at.pack), (at.offset + offset) as usize))
    };
    let mut animals: Vec<(String, Act<'a>)> = Vec::new();
    for (kind, at) in &places.0 {
        animals.push((format!("a byte of {kind}"), flip(at[0], 60)));
        animals.push((format!("the header of {kind}"), flip(at[0], 1)));
        if let [one, two] = at[..] {
            let both: Act<'a> = Box::new(move |store| {
                for at in [one, two] {
                    store.corrupt(&pack_name(&at.pack), at.offset as usize + 60);
                }
            });
            animals.push((format!("a byte of both copies of {kind}"), both));
        }
    }
    let data = places.0["page keys"][0];
    let metadata = places.0["manifest"][0];
    for (role, at) in [("data", data), ("metadata", metadata)] {
        let name = pack_name(&at.pack);
        let size = usize::try_from(kept.store.size(&name).unwrap()).unwrap();
        for (region, offset) in [("header", 3), ("footer", size - 3), ("directory", size - 40)] {
            let name = name.clone();
            let act: Act<'a> = Box::new(move |store| store.corrupt(&name, offset));
            animals.push((format!("the {region} of a pack of {role}"), act));
        }
        let (lost, cut) = (name.clone(), name);
        animals.push((
            format!("a pack of {role} is gone"),
            Box::new(move |store| store.lose(&lost)),
        ));
        let act: Act<'a> = Box::new(move |store| store.truncate(&cut, size / 2));
        animals.push((format!("a pack of {role} is cut off"), act));
    }
    let slot = kept.store.list("keys/").unwrap().remove(0);
    animals.push((
        "a byte of a key slot".into(),
        Box::new(move |store| store.corrupt(&slot, 70)),
    ));
    animals.push((
        "a byte of the root".into(),
        Box::new(|store| store.corrupt("root", 90)),
    ));
    animals.push((
        "a byte of the marker".into(),
        Box::new(|store| store.corrupt("vault", 40)),
    ));
    animals.push(("nothing".into(), Box::new(|_| ())));
    animals
}

#[test]
fn each_damage_has_its_report() {
    let kept = Kept::new(900);
    let vault = open(&kept.store);
    let mut places = Places::default();
    walk(&vault, &vault.catalog(), &mut places).unwrap();
    let mut zoo = String::new();
    for (name, act) in animals(&kept, &places) {
        let faulty = Faulty::over(kept.store.fork(), 1);
        act(&faulty);
        writeln!(zoo, "{name}").unwrap();
        let place: Arc<dyn Backend> = Arc::new(faulty.memory());
        match Vault::open(Arc::clone(&place), &Secret::None, options(false)) {
            Ok(vault) => zoo += &report(&vault),
            Err(error) => {
                writeln!(zoo, "  it does not open: {}", plain(error.message())).unwrap();
                match rescue(&place, &Secret::None, &options(false)) {
                    Ok((vault, mended)) => {
                        writeln!(zoo, "  mended: {}", plain(&mended.join(", "))).unwrap();
                        assert!(everything(&vault).is_sound() || name.contains("both"), "{name}");
                    }
                    Err(error) => writeln!(zoo, "  rescue: {}", plain(error.message())).unwrap(),
                }
            }
        }
    }
    let golden = include_str!("zoo.txt");
    assert!(zoo == golden, "reports differ from zoo.txt; they are now:\n{zoo}");
}
