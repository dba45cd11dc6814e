//! The order of records that point at each other: parents first, and the fewest references left for later.
//!
//! Key decision: iterative Tarjan finds the rings; small ones are cut at the least number of references by trying
//! every order (dynamic programming over sets), large ones greedily. It knows no records, only numbers.

use std::collections::BTreeSet;

/// `child` points at `parent`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Edge {
    /// The record that has the reference.
    pub child: usize,
    /// The record that it names.
    pub parent: usize,
    /// The reference may be left empty at first, and be set later.
    pub breakable: bool,
}

/// An order of records.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Order {
    /// The level of each node: above that of each parent, except over deferred edges.
    pub levels: Vec<u32>,
    /// The edges (by position) to set later.
    pub deferred: Vec<usize>,
    /// Nodes in rings of references that cannot be left empty. If there are any, the rest is empty.
    pub stuck: Vec<usize>,
}

/// Rings of at most this many nodes are cut at the least number of references.
const EXACT: usize = 12;

/// Orders `nodes` nodes.
pub fn order(nodes: usize, edges: &[Edge]) -> Order {
    let required = |e: &Edge| !e.breakable;
    let mut stuck: BTreeSet<usize> = edges
        .iter()
        .filter(|e| required(e) && e.child == e.parent)
        .map(|e| e.child)
        .collect();
    stuck.extend(rings(nodes, edges, required).into_iter().flatten());
    if !stuck.is_empty() {
        return Order {
            stuck: stuck.into_iter().collect(),
            ..Order::default()
        };
    }
    let (mut rank, mut ring_of) = (vec![0; nodes], vec![usize::MAX; nodes]);
    let all = rings(nodes, edges, |_| true);
    for (number, ring) in all.iter().enumerate() {
        ring.iter().for_each(|&node| ring_of[node] = number);
    }
    let mut inside = vec![Vec::new(); all.len()];
    for e in edges
        .iter()
        .filter(|e| e.child != e.parent && ring_of[e.child] == ring_of[e.parent])
    {
        if let Some(ring) = all.get(ring_of[e.child]) {
            let place = |node: usize| ring.binary_search(&node).unwrap_or(0);
            let local = Edge {
                child: place(e.child),
                parent: place(e.parent),
                breakable: e.breakable,
            };
            inside[ring_of[e.child]].push(local);
        }
    }
    for (ring, inside) in all.iter().zip(&inside) {
        let sequence = if ring.len() <= EXACT {
            exact(ring.len(), inside)
        } else {
            greedy(ring.len(), inside)
        };
        for (position, node) in sequence.into_iter().enumerate() {
            rank[ring[node]] = position;
        }
    }
    let later = |e: &Edge| {
        let ringed = ring_of[e.child] != usize::MAX && ring_of[e.child] == ring_of[e.parent];
        e.child == e.parent || (ringed && rank[e.parent] > rank[e.child])
    };
    let deferred: Vec<usize> = (0..edges.len()).filter(|&i| later(&edges[i])).collect();
    Order {
        levels: levels(nodes, edges, later),
        deferred,
        stuck: Vec::new(),
    }
}

/// For each node its parents, over the edges that count.
fn parents(nodes: usize, edges: &[Edge], counts: impl Fn(&Edge) -> bool) -> Vec<Vec<usize>> {
    let mut lists = vec![Vec::new(); nodes];
    for edge in edges.iter().filter(|e| counts(e)) {
        lists[edge.child].push(edge.parent);
    }
    lists
}

/// The strongly connected parts of more than one node, each ascending (Tarjan 1972, with a stack of its own).
fn rings(nodes: usize, edges: &[Edge], counts: impl Fn(&Edge) -> bool) -> Vec<Vec<usize>> {
    let lists = parents(nodes, edges, counts);
    let (mut index, mut low) = (vec![usize::MAX; nodes], vec![0; nodes]);
    let (mut open, mut is_open, mut found, mut next) = (Vec::new(), vec![false; nodes], Vec::new(), 0);
    for root in 0..nodes {
        if index[root] != usize::MAX {
            continue;
        }
        let mut path = vec![(root, 0)];
        while let Some((node, at)) = path.pop() {
            if at == 0 {
                (index[node], low[node]) = (next, next);
                next += 1;
                open.push(node);
                is_open[node] = true;
            }
            if let Some(&parent) = lists[node].get(at) {
                path.push((node, at + 1));
                if index[parent] == usize::MAX {
                    path.push((parent, 0));
                } else if is_open[parent] {
                    low[node] = low[node].min(index[parent]);
                }
                continue;
            }
            if low[node] == index[node] {
                let start = open.iter().rposition(|&n| n == node).unwrap_or(0);
                let mut ring = open.split_off(start);
                ring.iter().for_each(|&n| is_open[n] = false);
                ring.sort_unstable();
                if ring.len() > 1 {
                    found.push(ring);
                }
            }
            if let Some(&(above, _)) = path.last() {
                low[above] = low[above].min(low[node]);
            }
        }
    }
    found
}

/// The order with the fewest edges to nodes that come later: the best way to each set of placed nodes.
fn exact(nodes: usize, edges: &[Edge]) -> Vec<usize> {
    let mut best: Vec<Option<(usize, usize)>> = vec![None; 1 << nodes];
    best[0] = Some((0, 0));
    for placed in 0..best.len() {
        let Some((cost, _)) = best[placed] else { continue };
        for node in (0..nodes).filter(|n| placed & (1 << n) == 0) {
            let open = || {
                edges
                    .iter()
                    .filter(|e| e.child == node && placed & (1 << e.parent) == 0)
            };
            if open().any(|e| !e.breakable) {
                continue;
            }
            let total = cost + open().count();
            let slot = &mut best[placed | (1 << node)];
            if slot.is_none_or(|(other, _)| total < other) {
                *slot = Some((total, node));
            }
        }
    }
    let (mut sequence, mut placed) = (Vec::with_capacity(nodes), best.len() - 1);
    while let Some((_, node)) = best[placed].filter(|_| placed != 0) {
        sequence.push(node);
        placed &= !(1 << node);
    }
    sequence.reverse();
    sequence
}

/// Places, again and again, the node with the fewest open references among those whose required ones are met.
fn greedy(nodes: usize, edges: &[Edge]) -> Vec<usize> {
    let mut children = vec![Vec::new(); nodes];
    let mut open = vec![(0, 0); nodes];
    for edge in edges {
        children[edge.parent].push((edge.child, edge.breakable));
        let (required, breakable) = &mut open[edge.child];
        *(if edge.breakable { breakable } else { required }) += 1;
    }
    let mut queue: BTreeSet<((usize, usize), usize)> = (0..nodes).map(|n| (open[n], n)).collect();
    let mut sequence = Vec::with_capacity(nodes);
    while let Some((_, node)) = queue.pop_first() {
        sequence.push(node);
        for &(child, is_breakable) in &children[node] {
            let waiting = queue.remove(&(open[child], child));
            let (required, breakable) = &mut open[child];
            *(if is_breakable { breakable } else { required }) -= 1;
            if waiting {
                queue.insert((open[child], child));
            }
        }
    }
    sequence
}

/// The longest way up of each node, without the edges that come later.
fn levels(nodes: usize, edges: &[Edge], later: impl Fn(&Edge) -> bool) -> Vec<u32> {
    let (mut levels, mut waits) = (vec![0; nodes], vec![0; nodes]);
    let mut children = vec![Vec::new(); nodes];
    for edge in edges.iter().filter(|e| !later(e)) {
        children[edge.parent].push(edge.child);
        waits[edge.child] += 1;
    }
    let mut ready: Vec<usize> = (0..nodes).filter(|&n| waits[n] == 0).collect();
    while let Some(node) = ready.pop() {
        for &child in &children[node] {
            levels[child] = levels[child].max(levels[node] + 1);
            waits[child] -= 1;
            if waits[child] == 0 {
                ready.push(child);
            }
        }
    }
    levels
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The least number of deferred edges, by trying every subset; `None` if no subset will do.
    fn brute(nodes: usize, edges: &[Edge]) -> Option<u32> {
        let sets = (0..1_u32 << edges.len()).filter(|set| {
            edges
                .iter()
                .enumerate()
                .all(|(i, e)| set >> i & 1 == 0 || e.breakable)
                && {
                    let kept: Vec<_> = edges
                        .iter()
                        .enumerate()
                        .filter(|(i, _)| set >> i & 1 == 0)
                        .map(|(_, e)| *e)
                        .collect();
                    let mut placed = vec![false; nodes];
                    for _ in 0..nodes {
                        for n in 0..nodes {
                            placed[n] |= kept.iter().filter(|e| e.child == n).all(|e| placed[e.parent]);
                        }
                    }
                    placed.iter().all(|p| *p)
                }
        });
        sets.map(u32::count_ones).min()
    }

    fn check(nodes: usize, edges: &[Edge], order: &Order) {
        for (i, e) in edges.iter().enumerate() {
            let later = order.deferred.contains(&i);
            assert!(!later || e.breakable, "{edges:?} {order:?}");
            assert!(
                later || order.levels[e.child] > order.levels[e.parent],
                "{edges:?} {order:?}"
            );
        }
        assert_eq!(order.levels.len(), nodes);
    }

    fn graph(nodes: usize, most: usize) -> impl Strategy<Value = Vec<Edge>> {
        let edge = (0..nodes, 0..nodes, proptest::bool::weighted(0.8));
        proptest::collection::vec(
            edge.prop_map(|(child, parent, breakable)| Edge {
                child,
                parent,
                breakable,
            }),
            0..most,
        )
    }

    proptest! {
        #[test]
        fn small_graphs_defer_as_few_as_brute_force(edges in graph(5, 10)) {
            let order = order(5, &edges);
            let best = brute(5, &edges);
            prop_assert_eq!(best.is_none(), !order.stuck.is_empty());
            if let Some(best) = best {
                check(5, &edges, &order);
                prop_assert_eq!(order.deferred.len() as u32, best);
            }
        }

        #[test]
        fn large_rings_are_ordered_too(edges in graph(30, 120)) {
            let order = order(30, &edges);
            if order.stuck.is_empty() {
                check(30, &edges, &order);
            }
        }
    }

    #[test]
    fn a_long_chain_needs_no_stack_and_no_late_reference() {
        let edges: Vec<_> = (1..100_000)
            .map(|n| Edge {
                child: n - 1,
                parent: n,
                breakable: true,
            })
            .collect();
        let order = order(100_000, &edges);
        assert!(order.deferred.is_empty());
        assert_eq!(order.levels[0], 99_999);
    }
}
