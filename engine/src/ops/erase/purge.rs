//! Deletes, at once, every pack in which something lies that held a record and to which nothing refers any more.
//!
//! Key decision: of a dead value part nobody can tell whose it was, so all packs with dead chunks of records go, live
//! ones after what is alive in them has been copied; strays and packs condemned before go too. No grace is given, but
//! each is condemned by a commit before it is deleted. What is alive is never touched.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::base::error::Result;
use crate::base::id::PackId;
use crate::format::pack::DirEntry;
use crate::ops::erase::look::holds_records;
use crate::ops::prune::{self, PackUse, Plan, Survey, execute, survey};
use crate::store::backend::pack_name;
use crate::vault::open::Vault;

/// Packs that are to go.
pub struct Going {
    /// What is alive.
    survey: Survey,
    /// Live packs.
    live: Vec<PackUse>,
    /// Packs that no root names, or that are only noted.
    strays: Vec<PackId>,
    /// Packs condemned before.
    condemned: Vec<PackId>,
}

/// Which packs are to go; `also` do in any case.
pub fn going(vault: &Vault, also: &BTreeSet<PackId>) -> Result<Going> {
    let catalog = vault.refresh()?;
    let listed = prune::listed(vault)?;
    let survey = survey(vault, Arc::clone(&catalog))?;
    let named = prune::named(&catalog)?;
    let (mut noted, mut condemned) = (BTreeSet::new(), BTreeSet::new());
    for (pack, entry) in catalog.condemned()? {
        let set = if entry.condemned {
            &mut condemned
        } else {
            &mut noted
        };
        set.insert(pack);
    }
    let mut going = Going {
        live: Vec::new(),
        strays: Vec::new(),
        condemned: Vec::new(),
        survey,
    };
    for usage in &going.survey.packs {
        let dead =
            |entry: &DirEntry| holds_records(entry.kind) && !going.survey.alive(&entry.id, &usage.pack);
        let goes = usage.dead > 0 && vault.directory(&usage.pack)?.iter().any(dead);
        if goes || also.contains(&usage.pack) {
            going.live.push(*usage);
        }
    }
    for (pack, _) in listed.iter().filter(|(pack, _)| !catalog.has_pack(pack)) {
        vault.go_on()?;
        // One whose directory cannot be read may hold anything.
        let holds = vault
            .directory(pack)
            .map_or(true, |all| all.iter().any(|entry| holds_records(entry.kind)));
        if !holds && !also.contains(pack) {
            continue;
        }
        if condemned.contains(pack) {
            going.condemned.push(*pack);
        } else if noted.contains(pack) || !named.contains(pack) {
            going.strays.push(*pack);
        }
    }
    Ok(going)
}

impl Going {
    /// All of them.
    pub fn packs(&self) -> BTreeSet<PackId> {
        let live = self.live.iter().map(|usage| usage.pack);
        live.chain(self.strays.iter().copied())
            .chain(self.condemned.iter().copied())
            .collect()
    }

    /// Copies what is alive in them, condemns and deletes them; gives how many were deleted. One on which somebody
    /// has relied since is spared.
    ///
    /// # Errors
    /// What was done up to then stands; running it again goes on.
    pub fn purge(self, vault: &Vault) -> Result<u64> {
        let all = self.packs();
        execute(vault, &Plan::at_once(self.survey, self.live, self.strays))?;
        vault.settle_root()?;
        let mut deleted = 0;
        for (pack, entry) in vault.catalog().condemned()? {
            // Their entries stay for prune: should a crash bring one back, it goes once more.
            if entry.condemned && all.contains(&pack) {
                vault.go_on()?;
                vault.backend.delete(&pack_name(&pack))?;
                deleted += 1;
            }
        }
        Ok(deleted)
    }
}
