//! Links to find components of, and how fast that is with the links in memory. For
//! `scripts/bench identity`.
//!
//! `bare` is a hash map to dense numbers and a union-find forest: the least that the work takes
//! without any trick. `engine` is what the extension runs. `resolve` is the greedy pass, under rules.

use std::collections::HashMap;
use std::fs::File;
use std::hash::{BuildHasherDefault, Hasher};
use std::io::{BufReader, BufWriter, Read, Write};
use std::time::Instant;

use cdp_engine::graph::components::{Bigints, Forest};
use cdp_engine::graph::whole::Nodes;
use cdp_engine::graph::{Evidence, Identifiers, Link, TypeRule, resolve};

/// One multiplication: as good as is needed, and fast.
#[derive(Default)]
struct Multiply(u64);

impl Hasher for Multiply {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, _: &[u8]) {
        unreachable!("only integers are hashed")
    }
    fn write_i64(&mut self, number: i64) {
        let product = u128::from(number as u64) * 0x9E37_79B9_7F4A_7C15;
        self.0 = (product >> 64) as u64 ^ product as u64;
    }
}

fn bare(links: &[(i64, i64)]) -> usize {
    let mut numbers: HashMap<i64, u32, BuildHasherDefault<Multiply>> = HashMap::default();
    let mut parent: Vec<u32> = Vec::new();
    let mut number = |node: i64, parent: &mut Vec<u32>| {
        *numbers.entry(node).or_insert_with(|| {
            parent.push(parent.len() as u32);
            parent.len() as u32 - 1
        })
    };
    fn root(parent: &mut [u32], mut node: u32) -> u32 {
        while parent[node as usize] != node {
            let above = parent[parent[node as usize] as usize];
            parent[node as usize] = above;
            node = above;
        }
        node
    }
    for &(a, b) in links {
        let (a, b) = (number(a, &mut parent), number(b, &mut parent));
        let (a, b) = (root(&mut parent, a), root(&mut parent, b));
        parent[a.max(b) as usize] = a.min(b);
    }
    (0..parent.len() as u32)
        .filter(|&n| root(&mut parent, n) == n)
        .count()
}

fn engine(links: &[(i64, i64)]) -> usize {
    let mut forest = Bigints::new(usize::MAX);
    for batch in links.chunks(65_536) {
        forest.join(&batch.to_vec()).expect("no limit");
    }
    forest.name();
    let (mut names, mut from, mut components) = (Vec::new(), Some(0), 0);
    while let Some(at) = from {
        from = forest.names(at, &mut names);
        components += names.iter().filter(|(node, name)| node == name).count();
    }
    components
}

/// The greedy pass over the same links, under rules: of every six nodes one is a user id, of which a
/// profile holds one, two are e-mails, and three are devices, which do not bridge. A thousand links
/// are as old as one another, so that values decide between them.
fn resolved(links: &[(i64, i64)]) -> impl FnOnce() -> usize {
    let mut nodes = Nodes::default();
    let mut positions: HashMap<i64, u32, BuildHasherDefault<Multiply>> = HashMap::default();
    for &(a, b) in links {
        for node in [a, b] {
            positions.entry(node).or_insert_with(|| {
                let kind = [0, 1, 1, 2, 2, 2][(node % 6) as usize];
                nodes.push(node, kind, &format!("identifier-{node:x}"), false);
                nodes.len() as u32 - 1
            });
        }
    }
    let link = |(n, &(a, b)): (usize, &(i64, i64))| Link {
        a: positions[&a],
        b: positions[&b],
        evidence: Evidence::Observed,
        confirmed: n % 3 == 0,
        first_seen: (Random(n as u64).next() % (links.len() as u64 / 1000 + 1)) as i64,
    };
    let links: Vec<Link> = links.iter().enumerate().map(link).collect();
    let rule = |priority, max_per_profile, bridges| TypeRule {
        priority,
        max_per_profile,
        bridges,
        ..TypeRule::default()
    };
    let rules = [
        rule(1, Some(1), true),
        rule(2, None, true),
        rule(3, None, false),
    ];
    move || {
        let found = resolve(&nodes, &links, &[], &rules);
        let clusters = (0u32..).zip(&found.cluster);
        clusters.filter(|&(n, &cluster)| n == cluster).count()
    }
}

/// SplitMix64: a stream of numbers from a seed, and a permutation of all 64-bit numbers.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        ((u128::from(self.next()) * limit as u128) >> 64) as usize
    }

    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// So many links: clusters whose sizes follow a power law (a tree each, and half as many links again
/// as nodes), a chain of 20,000 nodes, three hubs with a hundredth of the links each; shuffled.
/// Nodes are numbers from 0 on, in the order of their clusters.
fn generate(count: usize, random: &mut Random) -> Vec<(u32, u32)> {
    let mut links = Vec::with_capacity(count);
    let mut nodes: u32 = 0;
    for _ in 0..3 {
        let hub = nodes;
        let leaves = (count / 100) as u32;
        links.extend((1..=leaves).map(|leaf| (hub, hub + leaf)));
        nodes += leaves + 1;
    }
    let chain = 20_000.min(count / 10) as u32;
    links.extend((1..chain).map(|n| (nodes + n - 1, nodes + n)));
    nodes += chain;
    while links.len() < count {
        let size = (2.0 * random.unit().powf(-1.0 / 1.625)).min(10_000.0) as u32;
        for n in 1..size {
            links.push((nodes + random.below(n as usize) as u32, nodes + n));
        }
        for n in 0..size {
            if random.below(2) == 0 {
                links.push((nodes + random.below(size as usize) as u32, nodes + n));
            }
        }
        nodes += size;
    }
    links.truncate(count);
    for n in (1..links.len()).rev() {
        links.swap(n, random.below(n + 1));
    }
    links
}

const HEAD: &[u8; 19] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
const ROW: usize = 26;

/// Writes links as COPY (FORMAT binary) reads them: two columns of type bigint.
fn write(links: &[(u32, u32)], file: &str, name: impl Fn(u32) -> i64) -> std::io::Result<()> {
    let mut out = BufWriter::new(File::create(file)?);
    out.write_all(HEAD)?;
    for &(a, b) in links {
        out.write_all(&2_i16.to_be_bytes())?;
        for node in [a, b] {
            out.write_all(&8_i32.to_be_bytes())?;
            out.write_all(&name(node).to_be_bytes())?;
        }
    }
    out.write_all(&(-1_i16).to_be_bytes())
}

fn read(file: &str) -> std::io::Result<Vec<(i64, i64)>> {
    let mut file = BufReader::new(File::open(file)?);
    let size = file.get_ref().metadata()?.len() as usize;
    file.read_exact(&mut [0; HEAD.len()])?;
    let number = |bytes: &[u8]| i64::from_be_bytes(bytes.try_into().expect("eight bytes"));
    let mut links = Vec::with_capacity(size.saturating_sub(HEAD.len()) / ROW);
    let mut row = [0; ROW];
    while links.len() < links.capacity() {
        file.read_exact(&mut row)?;
        links.push((number(&row[6..14]), number(&row[18..26])));
    }
    Ok(links)
}

fn main() -> std::io::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match &arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["generate", count, kind @ ("dense" | "sparse"), file] => {
            let count = count.parse().expect("a number of links");
            let links = generate(count, &mut Random(count as u64));
            match *kind {
                "dense" => write(&links, file, i64::from),
                // 62 bits, so that nothing is negative; no two are the same at such numbers.
                _ => write(&links, file, |node| {
                    (Random(node.into()).next() >> 2) as i64
                }),
            }
        }
        ["measure", way, file] => {
            let links = read(file)?;
            let prepared = (*way == "resolve").then(|| resolved(&links));
            let start = Instant::now();
            let components = match (*way, prepared) {
                ("bare", _) => bare(&links),
                ("engine", _) => engine(&links),
                (_, Some(resolve)) => resolve(),
                _ => panic!("bare, engine or resolve"),
            };
            let seconds = start.elapsed().as_secs_f64();
            println!("{seconds:.3} {} {components} {}", links.len(), peak_kb());
            Ok(())
        }
        _ => {
            panic!(
                "usage: components generate LINKS dense|sparse FILE | measure bare|engine|resolve FILE"
            )
        }
    }
}

/// The most memory that the process has had.
fn peak_kb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().strip_suffix(" kB")?.parse().ok())
        .unwrap_or(0)
}
