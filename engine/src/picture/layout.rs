//! Where everything stands.
//!
//! The root is in the middle. Its branches go to both sides, in columns; what a link says stands on
//! the link, just before the node that it leads to, where no other label and no node can be. Places
//! are first measured outwards (`u`, from the middle) and mirrored for the left side.

use super::arcs::{self, Arc, Span};
use super::tree::{COLUMNS, Tree};
use super::{Picture, label, text};

/// Sizes, in pixels.
pub const VALUE_SIZE: f64 = 12.0;
pub const SMALL_SIZE: f64 = 9.5;
pub const LABEL_SIZE: f64 = 9.5;
const PILL: f64 = 36.0;
const PADDING: f64 = 12.0;
const GAP: f64 = 12.0;
const CURVE: f64 = 44.0;
const LINE: f64 = 14.0;
const INDENT: f64 = 28.0;
/// Where the line to what stands below leaves a node, from its inner edge.
pub const TRUNK: f64 = 14.0;
/// Fewer rows than this stay on one side.
const ONE_SIDED: f64 = 4.0 * (PILL + GAP);

/// A rectangle.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rect {
    pub x: f64,
    pub y: f64,
    pub w: f64,
    pub h: f64,
}

impl Rect {
    pub fn overlaps(&self, other: &Rect) -> bool {
        self.x < other.x + other.w
            && other.x < self.x + self.w
            && self.y < other.y + other.h
            && other.y < self.y + self.h
    }
}

/// A line of text of a link.
pub struct Label {
    pub link: u32,
    pub text: String,
    pub is_verdict: bool,
    pub rect: Rect,
    /// Whether the text ends, and does not begin, at the rectangle's own end.
    pub at_end: bool,
}

/// A link that enters a node.
pub struct Entry {
    pub link: u32,
    pub path: String,
}

/// The picture, laid out.
pub struct Layout {
    pub pills: Vec<Rect>,
    pub entries: Vec<Entry>,
    pub arcs: Vec<Arc>,
    pub labels: Vec<Label>,
    /// Links whose label found no room.
    pub unlabelled: usize,
    pub root: u32,
}

/// Text of a link that enters a node, and where.
struct Port {
    link: u32,
    verdict: Option<String>,
    evidence: String,
    /// From the node's middle.
    offset: f64,
}

impl Port {
    fn new(picture: &Picture, link: u32) -> Self {
        let shown = &picture.links[link as usize];
        Self {
            link,
            verdict: label::verdict(picture, shown),
            evidence: label::evidence(shown),
            offset: 0.0,
        }
    }

    fn width(&self) -> f64 {
        let verdict = self.verdict.as_deref().unwrap_or_default();
        text::width(&self.evidence).max(text::width(verdict) * 1.08) * LABEL_SIZE
    }

    /// How far the text reaches below the line.
    fn below(&self) -> f64 {
        self.verdict.as_ref().map_or(4.0, |_| LINE)
    }
}

/// What a node needs, before it has a place.
struct Block {
    width: f64,
    height: f64,
    ports: Vec<Port>,
    /// From the node's middle, with the labels.
    up: f64,
    down: f64,
}

pub fn layout(picture: &Picture) -> Layout {
    let tree = Tree::new(picture);
    let blocks = (0..picture.nodes.len() as u32)
        .map(|n| block(picture, &tree, n))
        .collect();
    Placing {
        picture,
        tree: &tree,
        blocks,
        y: vec![0.0; picture.nodes.len()],
        indent: vec![0.0; picture.nodes.len()],
        side: vec![0.0; picture.nodes.len()],
        u: vec![0.0; picture.nodes.len()],
        zone: vec![0.0; picture.nodes.len()],
    }
    .run()
}

fn block(picture: &Picture, tree: &Tree, node: u32) -> Block {
    let mut ports: Vec<Port> = tree.entries[node as usize]
        .iter()
        .map(|&link| Port::new(picture, link))
        .collect();
    let mut at = 0.0;
    for n in 0..ports.len() {
        at += if n == 0 {
            0.0
        } else {
            ports[n - 1].below() + LINE
        };
        ports[n].offset = at;
    }
    for port in &mut ports {
        port.offset -= at / 2.0;
    }
    let height = PILL.max(at + 20.0);
    let down = ports.last().map_or(0.0, |last| last.offset + last.below());
    let up = ports.first().map_or(0.0, |first| LINE - first.offset);
    let value = text::width(&label::value(picture, node)) * VALUE_SIZE;
    let above = text::width(&label::above(picture, node)) * SMALL_SIZE;
    Block {
        width: value.max(above) + 2.0 * PADDING,
        height,
        ports,
        up: up.max(height / 2.0) + GAP / 2.0,
        down: down.max(height / 2.0) + GAP / 2.0,
    }
}

struct Placing<'a> {
    picture: &'a Picture,
    tree: &'a Tree,
    blocks: Vec<Block>,
    /// The middle of each node.
    y: Vec<f64>,
    /// How far a listed node is moved outwards.
    indent: Vec<f64>,
    /// 1 to the right, -1 to the left.
    side: Vec<f64>,
    /// The inner edge of each node.
    u: Vec<f64>,
    /// The room for labels before it.
    zone: Vec<f64>,
}

impl Placing<'_> {
    fn run(mut self) -> Layout {
        let root = self.tree.root;
        if !self.picture.nodes.is_empty() {
            for (side, branches) in self.sides() {
                let total: f64 = branches.iter().map(|&b| self.height(b)).sum();
                let mut top = -total / 2.0;
                for &branch in &branches {
                    top += self.place(branch, top, side);
                }
                self.centre(side, &branches);
            }
            self.columns(1.0);
            self.columns(-1.0);
        }
        let mut layout = Layout {
            pills: (0..self.picture.nodes.len())
                .map(|n| self.pill(n))
                .collect(),
            entries: Vec::new(),
            arcs: Vec::new(),
            labels: Vec::new(),
            unlabelled: 0,
            root,
        };
        for node in 0..self.picture.nodes.len() as u32 {
            self.enter(node, &mut layout);
        }
        self.arcs(&mut layout);
        layout
    }

    fn is_listed(&self, node: u32) -> bool {
        self.tree.depth[node as usize] > COLUMNS
    }

    fn children(&self, node: u32) -> Vec<u32> {
        self.tree.children[node as usize].clone()
    }

    /// Branches that links tie together go to one side; then the sides are made about equal.
    fn sides(&self) -> [(f64, Vec<u32>); 2] {
        let branches = self.children(self.tree.root);
        let mut group: Vec<usize> = (0..branches.len()).collect();
        let of = |node: u32| {
            let branch = self.tree.branch(node)?;
            branches.iter().position(|&b| b == branch)
        };
        for link in &self.picture.links {
            if let (Some(a), Some(b)) = (of(link.a), of(link.b)) {
                let (to, from) = (group[a].min(group[b]), group[a].max(group[b]));
                group
                    .iter_mut()
                    .filter(|g| **g == from)
                    .for_each(|g| *g = to);
            }
        }
        let mut groups: Vec<(f64, Vec<u32>)> = vec![(0.0, Vec::new()); branches.len()];
        for (n, &branch) in branches.iter().enumerate() {
            groups[group[n]].0 += self.height(branch);
            groups[group[n]].1.push(branch);
        }
        let total: f64 = groups.iter().map(|g| g.0).sum();
        if total <= ONE_SIDED {
            return [(1.0, branches), (-1.0, Vec::new())];
        }
        // The strongest stay together on the right, until it is full.
        groups.sort_by(|x, y| y.0.total_cmp(&x.0).then(x.1.cmp(&y.1)));
        let mut sides = [(0.0, Vec::new()), (0.0, Vec::new())];
        for (height, members) in groups {
            let lighter = usize::from(sides[1].0 < sides[0].0);
            sides[lighter].0 += height;
            sides[lighter].1.extend(members);
        }
        let [(_, mut right), (_, mut left)] = sides;
        let order = |list: &mut Vec<u32>| {
            list.sort_by_key(|b| branches.iter().position(|known| known == b));
        };
        order(&mut right);
        order(&mut left);
        [(1.0, right), (-1.0, left)]
    }

    /// The lines above a listed node.
    fn heading(&self, node: u32) -> f64 {
        let port = self.blocks[node as usize].ports.first();
        port.map_or(8.0, |p| if p.verdict.is_some() { 32.0 } else { 20.0 })
    }

    fn own_height(&self, node: u32) -> f64 {
        let block = &self.blocks[node as usize];
        if self.is_listed(node) {
            self.heading(node) + block.height
        } else {
            block.up + block.down
        }
    }

    fn lists_children(&self, node: u32) -> bool {
        self.tree.depth[node as usize] >= COLUMNS
    }

    /// The height of a node with all that hangs from it.
    fn height(&self, node: u32) -> f64 {
        let children: f64 = self.children(node).iter().map(|&c| self.height(c)).sum();
        if self.lists_children(node) {
            self.own_height(node) + children
        } else {
            self.own_height(node).max(children)
        }
    }

    /// Gives a node and all that hangs from it their rows; the height used.
    fn place(&mut self, node: u32, top: f64, side: f64) -> f64 {
        let n = node as usize;
        self.side[n] = side;
        let height = self.height(node);
        let children = self.children(node);
        if self.lists_children(node) {
            let mut below = top + self.own_height(node);
            self.y[n] = if self.is_listed(node) {
                below - self.blocks[n].height / 2.0
            } else {
                top + self.blocks[n].up
            };
            let step = if children.len() > 1 { INDENT } else { 0.0 };
            for child in children {
                self.indent[child as usize] = self.indent[n] + step;
                below += self.place(child, below, side);
            }
            return height;
        }
        let inner: f64 = children.iter().map(|&c| self.height(c)).sum();
        let mut at = top + (height - inner) / 2.0;
        for &child in &children {
            at += self.place(child, at, side);
        }
        let middle = match (children.first(), children.last()) {
            (Some(&first), Some(&last)) => (self.y[first as usize] + self.y[last as usize]) / 2.0,
            _ => top + self.blocks[n].up,
        };
        let (least, most) = (top + self.blocks[n].up, top + height - self.blocks[n].down);
        self.y[n] = middle.max(least).min(most.max(least));
        height
    }

    /// Moves a side so that the root, at 0, is in the middle of its branches.
    fn centre(&mut self, side: f64, branches: &[u32]) {
        let (Some(&first), Some(&last)) = (branches.first(), branches.last()) else {
            return;
        };
        let middle = (self.y[first as usize] + self.y[last as usize]) / 2.0;
        for n in 0..self.y.len() {
            if n != self.tree.root as usize && self.side[n] == side {
                self.y[n] -= middle;
            }
        }
    }

    /// The columns of one side: as wide as what stands in them.
    fn columns(&mut self, side: f64) {
        let of_column = |placing: &Self, column: usize| -> Vec<usize> {
            (0..placing.blocks.len())
                .filter(|&n| n != placing.tree.root as usize && placing.side[n] == side)
                .filter(|&n| placing.tree.depth[n].min(COLUMNS) == column)
                .collect()
        };
        let mut edge = self.blocks[self.tree.root as usize].width / 2.0;
        for column in 1..=COLUMNS {
            let nodes = of_column(self, column);
            let labels = nodes
                .iter()
                .filter(|&&n| !self.is_listed(n as u32))
                .flat_map(|&n| &self.blocks[n].ports)
                .map(Port::width);
            let zone = labels.fold(0.0, f64::max) + 14.0;
            let inner = edge + CURVE + zone;
            for &n in &nodes {
                self.zone[n] = zone;
                self.u[n] = inner + self.indent[n];
                edge = edge.max(self.u[n] + self.blocks[n].width);
            }
        }
    }

    fn pill(&self, n: usize) -> Rect {
        let block = &self.blocks[n];
        let x = if n == self.tree.root as usize {
            -block.width / 2.0
        } else {
            mirrored(self.side[n], self.u[n], block.width)
        };
        Rect {
            x,
            y: self.y[n] - block.height / 2.0,
            w: block.width,
            h: block.height,
        }
    }

    /// The outer edge of a node, towards a side.
    fn outer(&self, n: usize, side: f64) -> f64 {
        if n == self.tree.root as usize {
            side * self.blocks[n].width / 2.0
        } else {
            self.side[n] * (self.u[n] + self.blocks[n].width)
        }
    }

    /// The links that enter a node, and their labels.
    fn enter(&self, node: u32, layout: &mut Layout) {
        let n = node as usize;
        if self.is_listed(node) {
            self.enter_listed(n, layout);
            return;
        }
        let side = self.side[n];
        for port in &self.blocks[n].ports {
            let link = &self.picture.links[port.link as usize];
            let other = if link.a == node { link.b } else { link.a } as usize;
            let (from, y) = (self.outer(other, side), self.y[n] + port.offset);
            let (to, end) = (side * (self.u[n] - self.zone[n]), side * self.u[n]);
            let bend = (from + to) / 2.0;
            let start = self.y[other];
            layout.entries.push(Entry {
                link: port.link,
                path: format!(
                    "M{} {}C{} {},{} {},{} {}L{} {}",
                    number(from),
                    number(start),
                    number(bend),
                    number(start),
                    number(bend),
                    number(y),
                    number(to),
                    number(y),
                    number(end),
                    number(y)
                ),
            });
            let lines = match &port.verdict {
                Some(verdict) => [
                    Some((verdict, true, -LINE)),
                    Some((&port.evidence, false, 0.0)),
                ],
                None => [Some((&port.evidence, false, -LINE)), None],
            };
            for (words, is_verdict, up) in lines.into_iter().flatten() {
                let w = label_width(words, is_verdict);
                layout.labels.push(Label {
                    link: port.link,
                    text: words.clone(),
                    is_verdict,
                    rect: Rect {
                        x: mirrored(side, self.u[n] - 6.0 - w, w),
                        y: y + up,
                        w,
                        h: LINE,
                    },
                    at_end: side > 0.0,
                });
            }
        }
    }

    /// A node below its parent: the line comes from above, and the label stands between.
    fn enter_listed(&self, n: usize, layout: &mut Layout) {
        let Some(port) = self.blocks[n].ports.first() else {
            return;
        };
        let (side, pill) = (self.side[n], self.pill(n));
        let parent = self.tree.parent[n].unwrap_or(self.tree.root) as usize;
        let from = self.pill(parent);
        let trunk = side * (self.u[parent] + TRUNK);
        let alone = self.indent[n] == self.indent[parent];
        let mut path = format!("M{} {}", number(trunk), number(from.y + from.h));
        if alone {
            path.push_str(&format!("L{} {}", number(trunk), number(pill.y)));
        } else {
            path.push_str(&format!(
                "L{} {}L{} {}",
                number(trunk),
                number(self.y[n]),
                number(side * self.u[n]),
                number(self.y[n])
            ));
        }
        layout.entries.push(Entry {
            link: port.link,
            path,
        });
        let start = self.u[n] + if alone { TRUNK + 8.0 } else { 4.0 };
        let lines = [
            port.verdict.as_ref().map(|words| (words, true)),
            Some((&port.evidence, false)),
        ];
        let mut y = pill.y - self.heading(n as u32) + 4.0;
        for (words, is_verdict) in lines.into_iter().flatten() {
            let w = label_width(words, is_verdict);
            layout.labels.push(Label {
                link: port.link,
                text: words.clone(),
                is_verdict,
                rect: Rect {
                    x: mirrored(side, start, w),
                    y,
                    w,
                    h: LINE - 2.0,
                },
                at_end: side < 0.0,
            });
            y += LINE - 2.0;
        }
    }

    fn arcs(&self, layout: &mut Layout) {
        let ends = |link: u32| {
            let shown = &self.picture.links[link as usize];
            let (a, b) = (shown.a as usize, shown.b as usize);
            let side = if a == self.tree.root as usize {
                self.side[b]
            } else {
                self.side[a]
            };
            let end = |n: usize| (self.outer(n, side), self.y[n]);
            let past = (0..self.blocks.len())
                .filter(|&n| self.side[n] == side && self.stands_between(n, a, b))
                .map(|n| side * self.outer(n, side));
            let past = past.fold(f64::NEG_INFINITY, f64::max);
            Span {
                link,
                side,
                past: past.max(side * end(a).0).max(side * end(b).0),
                ends: (end(a), end(b)),
            }
        };
        layout.arcs = arcs::bend(self.tree.arcs.iter().map(|&link| ends(link)).collect());
        arcs::label(self.picture, layout);
    }

    /// Whether a node is in the column of `a` or `b`, between them.
    fn stands_between(&self, n: usize, a: usize, b: usize) -> bool {
        let column = |n: usize| self.tree.depth[n].min(COLUMNS);
        let (low, high) = (self.y[a].min(self.y[b]), self.y[a].max(self.y[b]));
        (column(n) == column(a) || column(n) == column(b)) && low <= self.y[n] && self.y[n] <= high
    }
}

/// A stretch from `u` outwards, as it lies on its side.
fn mirrored(side: f64, u: f64, width: f64) -> f64 {
    if side > 0.0 { u } else { -u - width }
}

pub fn label_width(words: &str, is_verdict: bool) -> f64 {
    text::width(words) * LABEL_SIZE * if is_verdict { 1.08 } else { 1.0 }
}

/// A coordinate, as written.
pub fn number(value: f64) -> String {
    let tenths = (value * 10.0).round() as i64;
    if tenths % 10 == 0 {
        (tenths / 10).to_string()
    } else {
        let sign = if tenths < 0 { "-" } else { "" };
        format!("{sign}{}.{}", tenths.abs() / 10, tenths.abs() % 10)
    }
}
