//! The similarity of Jaro and Winkler, without memory of its own.

/// The Jaro-Winkler similarity of two texts, from 0 to 1: that of strsim to the bit, and faster for two
/// texts of 64 ASCII characters or fewer, which names are.
pub fn jaro_winkler(a: &str, b: &str) -> f64 {
    let (x, y) = (a.as_bytes(), b.as_bytes());
    if x.len() > 64 || y.len() > 64 || !a.is_ascii() || !b.is_ascii() {
        return strsim::jaro_winkler(a, b);
    }
    let jaro = jaro(x, y);
    if jaro <= 0.7 {
        return jaro;
    }
    let prefix = x.iter().zip(y).take(4).take_while(|(x, y)| x == y).count();
    jaro + 0.1 * prefix as f64 * (1.0 - jaro)
}

/// The same whichever of the two comes first. Of the plain one that is not so: which characters it takes for
/// common depends on where it begins to look.
pub fn jaro_winkler_either_way(a: &str, b: &str) -> f64 {
    match (a.len(), a) <= (b.len(), b) {
        true => jaro_winkler(a, b),
        false => jaro_winkler(b, a),
    }
}

/// Of at most 64 bytes each: a set of them is a number.
fn jaro(x: &[u8], y: &[u8]) -> f64 {
    if x.is_empty() || y.is_empty() {
        return f64::from(u8::from(x.len() == y.len()));
    }
    let reach = (x.len().max(y.len()) / 2).saturating_sub(1);
    // Where each byte stands in y.
    let mut places = [0_u64; 128];
    for (at, byte) in y.iter().enumerate() {
        places[usize::from(byte & 127)] |= 1 << at;
    }
    let (mut of_x, mut of_y) = (0_u64, 0_u64);
    for (at, byte) in x.iter().enumerate() {
        let within = u64::MAX << at.saturating_sub(reach) & u64::MAX >> (63 - (at + reach).min(63));
        let free = places[usize::from(byte & 127)] & within & !of_y;
        of_x |= u64::from(free != 0) << at;
        // The lowest of them.
        of_y |= free & free.wrapping_neg();
    }
    let common = f64::from(of_x.count_ones());
    if common == 0.0 {
        return 0.0;
    }
    let mut misplaced = 0_u32;
    while of_x != 0 {
        misplaced +=
            u32::from(x[of_x.trailing_zeros() as usize] != y[of_y.trailing_zeros() as usize]);
        of_x &= of_x - 1;
        of_y &= of_y - 1;
    }
    let moved = f64::from(misplaced / 2);
    (common / x.len() as f64 + common / y.len() as f64 + (common - moved) / common) / 3.0
}
