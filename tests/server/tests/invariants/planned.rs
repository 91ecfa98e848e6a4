//! What a plan says that changed rules would do is what applying them does.

use std::collections::{BTreeMap, BTreeSet};

use cdp_server_tests::sql::fails;

use super::*;

/// A changed declaration: section, name, attributes that are set, attributes that are taken away.
type Edit = (&'static str, &'static str, &'static str, &'static str);

const EDITS: [Edit; 29] = [
    (
        "identifier_types",
        "user_id",
        r#"{"max_per_profile": 2}"#,
        "{}",
    ),
    ("identifier_types", "user_id", "{}", "{max_per_profile}"),
    (
        "identifier_types",
        "user_id",
        r#"{"blocked_values": ["u2"]}"#,
        "{}",
    ),
    (
        "identifier_types",
        "user_id",
        r#"{"builtin_blocked": false}"#,
        "{}",
    ),
    ("identifier_types", "user_id", r#"{"paths": []}"#, "{}"),
    ("identifier_types", "user_id", r#"{"priority": 95}"#, "{}"),
    (
        "identifier_types",
        "email",
        r#"{"max_per_profile": 1}"#,
        "{}",
    ),
    (
        "identifier_types",
        "email",
        "{}",
        "{max_per_profile,max_degree}",
    ),
    (
        "identifier_types",
        "email",
        r#"{"max_degree": {"user_id": 1}}"#,
        "{}",
    ),
    (
        "identifier_types",
        "email",
        r#"{"blocked_values": ["a@x.org"]}"#,
        "{}",
    ),
    (
        "identifier_types",
        "email",
        r#"{"blocked_patterns": [".*"]}"#,
        "{}",
    ),
    ("identifier_types", "email", r#"{"bridges": false}"#, "{}"),
    (
        "identifier_types",
        "email",
        r#"{"normaliser": "none"}"#,
        "{}",
    ),
    (
        "identifier_types",
        "email",
        r#"{"pattern": "^[ab]@"}"#,
        "{}",
    ),
    ("identifier_types", "email", r#"{"priority": 5}"#, "{}"),
    (
        "identifier_types",
        "phone",
        r#"{"default_region": "PT"}"#,
        "{max_degree}",
    ),
    (
        "identifier_types",
        "anonymous_id",
        r#"{"bridges": true}"#,
        "{}",
    ),
    (
        "identifier_types",
        "anonymous_id",
        r#"{"priority": 1}"#,
        "{}",
    ),
    (
        "identifier_types",
        "anonymous_id",
        r#"{"max_degree": {"user_id": 1}}"#,
        "{}",
    ),
    (
        "identifier_types",
        "anonymous_id",
        r#"{"time_sliced": true}"#,
        "{max_degree}",
    ),
    (
        "identifier_types",
        "email",
        r#"{"keep": "last", "max_per_profile": 1}"#,
        "{}",
    ),
    (
        "identifier_types",
        "nick",
        r#"{"priority": 15, "max_per_profile": 1, "paths": ["traits.nick"]}"#,
        "{}",
    ),
    (
        "identifier_types",
        "city",
        r#"{"priority": 97, "normaliser": "casefold", "paths": ["traits.city"]}"#,
        "{}",
    ),
    ("sources", "late", r#"{"max_backdate": "1 hour"}"#, "{}"),
    ("sources", "app", r#"{"max_backdate": "2 days"}"#, "{}"),
    ("traits", "city", r#"{"survivorship": "first"}"#, "{}"),
    ("traits", "zip", r#"{"type": "text"}"#, "{}"),
    ("segments", "adult", r#"{"rule": "age >= 30"}"#, "{}"),
    (
        "segments",
        "new",
        r#"{"rule": "in segment 'local' or nick is set"}"#,
        "{}",
    ),
];

/// Said by hand before the plan.
const WORDS: [&str; 4] = [
    "cdp.link('user_id', 'u1', 'user_id', 'u2')",
    "cdp.link('email', 'a@x.org', 'email', 'C@x.org')",
    "cdp.unlink('user_id', 'u3', 'email', 'b@x.org')",
    "cdp.revoke_source('app')",
];

const EDITED: &str = "\
CREATE FUNCTION pg_temp.edited(doc jsonb, section text, name text, patch jsonb, minus text[])
RETURNS jsonb LANGUAGE sql AS $$
    SELECT jsonb_set($1, ARRAY[$2],
        (SELECT jsonb_agg(CASE i ->> 'name' WHEN $3 THEN (i - $5) || $4 ELSE i END)
           FROM jsonb_array_elements($1 -> $2) i)
        || CASE WHEN EXISTS (SELECT FROM jsonb_array_elements($1 -> $2) i WHERE i ->> 'name' = $3)
                THEN '[]' ELSE jsonb_build_array($4 || jsonb_build_object('name', $3)) END)
$$";

/// Ids of profiles with the number of identifiers of each.
type Side = Vec<(i64, usize)>;

/// The profile of each node.
fn clusters(client: &mut Client) -> BTreeMap<i64, i64> {
    let sql = "SELECT node_id, profile_id FROM cdp.clusters";
    let rows = client.query(sql, &[]).expect("clusters can be read");
    rows.iter().map(|row| (row.get(0), row.get(1))).collect()
}

/// Segments with their members.
type Members = BTreeSet<(String, i64)>;

/// Who is in which segment.
fn members(client: &mut Client) -> Members {
    let sql = "SELECT segment, profile_id FROM cdp.segment_members";
    let rows = client.query(sql, &[]).expect("members can be read");
    rows.iter().map(|row| (row.get(0), row.get(1))).collect()
}

fn profiles(clusters: &BTreeMap<i64, i64>) -> BTreeMap<i64, BTreeSet<i64>> {
    let mut profiles: BTreeMap<i64, BTreeSet<i64>> = BTreeMap::new();
    for (&node, &profile) in clusters {
        profiles.entry(profile).or_default().insert(node);
    }
    profiles
}

/// What became of profiles, in the obvious way: what shares identifiers is taken together until
/// nothing more does.
fn groups(
    before: &BTreeMap<i64, i64>,
    after: &BTreeMap<i64, i64>,
) -> Vec<(&'static str, Side, Side)> {
    let (was, is) = (profiles(before), profiles(after));
    let mut waiting: BTreeSet<(bool, i64)> = was
        .keys()
        .map(|id| (false, *id))
        .chain(is.keys().map(|id| (true, *id)))
        .collect();
    let mut found = Vec::new();
    while let Some(first) = waiting.pop_first() {
        let mut group = vec![first];
        let mut next = 0;
        while next < group.len() {
            let (later, id) = group[next];
            let (own, others) = if later { (&is, &was) } else { (&was, &is) };
            for (other, nodes) in others {
                if !nodes.is_disjoint(&own[&id]) && waiting.remove(&(!later, *other)) {
                    group.push((!later, *other));
                }
            }
            next += 1;
        }
        group.sort_unstable();
        let side = |of: bool, all: &BTreeMap<i64, BTreeSet<i64>>| -> Side {
            let ids = group.iter().filter(|(later, _)| *later == of);
            ids.map(|(_, id)| (*id, all[id].len())).collect()
        };
        let (a, b) = (side(false, &was), side(true, &is));
        let same = |a: i64, b: i64| a == b && was[&a] == is[&b];
        let what = match (a.len(), b.len()) {
            (0, _) => "new",
            (_, 0) => "gone",
            (1, 1) if same(a[0].0, b[0].0) => "unchanged",
            (1, 1) => "changed",
            (_, 1) => "merged",
            (1, _) => "split",
            _ => "rearranged",
        };
        found.push((what, a, b));
    }
    found
}

/// What the plan should have said, by what came of it.
fn expected(
    (before, after): (&BTreeMap<i64, i64>, &BTreeMap<i64, i64>),
    (were, are): (&Members, &Members),
    (segments_before, segments_after): (&[String], &[String]),
) -> BTreeSet<String> {
    let groups = groups(before, after);
    let count = |what: &str, side: fn(&(&str, Side, Side)) -> usize| -> usize {
        let of = groups.iter().filter(|g| what == "all" || g.0 == what);
        of.map(side).sum()
    };
    let mut out = BTreeSet::new();
    for what in [
        "all",
        "unchanged",
        "merged",
        "split",
        "rearranged",
        "changed",
        "gone",
        "new",
    ] {
        let (was, is) = (count(what, |g| g.1.len()), count(what, |g| g.2.len()));
        out.insert(format!("profiles {what} {was} {is}"));
    }
    let shown = |side: &Side| -> String {
        let named: Vec<String> = side.iter().map(|(id, n)| format!("{id}:{n}")).collect();
        named.join(" ")
    };
    let mut largest = None;
    for (what, a, b) in groups.iter().filter(|g| g.0 != "unchanged") {
        out.insert(format!(
            "sample {what} {} {} [{}] [{}]",
            a.len(),
            b.len(),
            shown(a),
            shown(b)
        ));
        let was = a.iter().map(|p| p.1).max();
        for (id, size) in b {
            let candidate = (*size, std::cmp::Reverse(*id), was);
            largest = largest.max(Some(candidate));
        }
    }
    if let Some((size, std::cmp::Reverse(id), was)) = largest {
        let was = was.map_or("-".to_owned(), |was| was.to_string());
        out.insert(format!("largest identifiers {was} {size} {id}"));
    }
    for name in segments_before.iter().chain(segments_after) {
        let of = |all: &Members, known: &[String]| {
            let count = all.iter().filter(|m| m.0 == *name).count();
            match known.contains(name) {
                true => count.to_string(),
                false => "-".to_owned(),
            }
        };
        let crossed = |a: &Members, b: &Members| a.difference(b).filter(|m| m.0 == *name).count();
        out.insert(format!(
            "segment {name} {} {} +{} -{}",
            of(were, segments_before),
            of(are, segments_after),
            crossed(are, were),
            crossed(were, are)
        ));
    }
    out
}

/// A plan's rows as lines; of samples, the profiles.
const PLANNED: &str = "\
SELECT concat_ws(' ', effect, name, coalesce(before::text, '-'), coalesce(after::text, '-'),
    CASE effect
    WHEN 'segment' THEN format('+%s -%s', coalesce(detail ->> 'enter', '0'), coalesce(detail ->> 'leave', '0'))
    WHEN 'largest' THEN detail ->> 'profile_id'
    WHEN 'sample' THEN (
        SELECT string_agg('[' || coalesce((
            SELECT string_agg(format('%s:%s', p ->> 'profile_id', p ->> 'identifiers'), ' ' ORDER BY (p ->> 'profile_id')::bigint)
              FROM jsonb_array_elements(detail -> side) p), '') || ']', ' ' ORDER BY side DESC)
          FROM unnest('{before,after}'::text[]) side)
    END)
  FROM planned ORDER BY 1";

/// What stands of identifiers and links.
const STANDING: &str = "\
SELECT 'identifiers blocked ' || count(*) FROM cdp.inert_identifiers WHERE blocked
UNION ALL SELECT 'identifiers shared ' || count(*) FROM cdp.inert_identifiers WHERE NOT blocked
UNION ALL SELECT 'links ' || d || ' ' || (
    SELECT count(*) FROM (SELECT decision FROM cdp.links UNION ALL SELECT decision FROM cdp.asserted_links) l
     WHERE CASE d WHEN 'accepted' THEN decision = 0 ELSE decision > 0 END)
  FROM unnest('{accepted,refused}'::text[]) d";

fn segments_declared(client: &mut Client) -> Vec<String> {
    column(client, "SELECT name FROM cdp.segments ORDER BY name")
}

fn sequences(client: &mut Client) -> Vec<String> {
    column(
        client,
        "SELECT format('%s %s', sequencename, last_value) FROM pg_sequences \
          WHERE schemaname = 'cdp' AND sequencename IN ('node_id_seq', 'set_id_seq') ORDER BY 1",
    )
}

/// Random messages, random changes of rules: nothing is changed by planning, and what is planned is what
/// comes of it, ids and sizes of segments included.
#[test]
fn a_plan_says_what_applying_does() {
    let edits = prop::collection::vec(prop::sample::select(&EDITS[..]), 1..4);
    let words = prop::sample::subsequence(&WORDS[..], 0..2);
    check(16, (stream(50), words, edits), |(stream, words, edits)| {
        let mut db = Db::new();
        let rows = stream.rows();
        db.arrive(&rows.iter().collect::<Vec<_>>())?;
        db.drain(&[1_000])?;
        let client = db.client();
        run(client, EDITED);
        for word in words {
            run(client, &format!("SELECT {word}"));
        }
        let document = edits
            .iter()
            .fold("cdp.config()".to_owned(), |document, edit| {
                let (section, name, patch, minus) = edit;
                format!(
                    "pg_temp.edited({document}, '{section}', '{name}', $p${patch}$p$, '{minus}')"
                )
            });
        run(
            client,
            &format!("CREATE TEMP TABLE document AS SELECT {document} AS document"),
        );

        let stored = tables(client, &[]);
        let drawn = sequences(client);
        let planned = client.batch_execute(
            "CREATE TEMP TABLE planned AS \
             SELECT e.* FROM document, cdp.plan_effects(document, 1000) e",
        );
        if let Err(error) = planned {
            // What cannot be planned cannot be applied.
            let (_, said) = fails(client, "SELECT cdp.apply(document) FROM document");
            prop_assert_eq!(describe(&error), said);
            return Ok(());
        }
        if let Some(difference) = difference(&stored, &tables(client, &[])) {
            return Err(TestCaseError::fail(format!(
                "planning changed\n{difference}"
            )));
        }
        prop_assert_eq!(drawn, sequences(client));

        let before = (clusters(client), members(client), segments_declared(client));
        run(client, "SELECT cdp.apply(document) FROM document");
        let after = (clusters(client), members(client), segments_declared(client));
        let all: Vec<String> = column(client, PLANNED);
        let (standing, said): (BTreeSet<String>, BTreeSet<String>) = all
            .into_iter()
            .partition(|line| line.starts_with("identifiers ") || line.starts_with("links "));
        prop_assert_eq!(
            said,
            expected(
                (&before.0, &after.0),
                (&before.1, &after.1),
                (&before.2, &after.2)
            )
        );
        for line in column::<String>(client, STANDING) {
            let (what, count) = line.rsplit_once(' ').expect("a count");
            let told = standing.iter().find(|told| told.starts_with(what));
            let told = told
                .and_then(|told| told.rsplit_once(' '))
                .map(|told| told.1);
            prop_assert_eq!(told, Some(count), "{}", what);
        }
        // Whoever is merged or parted is told why.
        let unexplained: Vec<String> = column(
            client,
            "SELECT detail::text FROM planned WHERE effect = 'sample' \
             AND name IN ('merged', 'split', 'rearranged', 'gone') \
             AND jsonb_array_length(detail -> 'because') = 0",
        );
        prop_assert_eq!(unexplained, Vec::<String>::new());
        db.check_rebuild()
    });
}
