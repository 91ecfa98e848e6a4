//! Text of others in a picture: without what could break or disguise it, as long as there is room,
//! and how wide it is.

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthChar;

/// A grapheme of more characters than this is a tower of accents, not something to read.
const LONGEST_GRAPHEME: usize = 16;

/// The text without what no XML can hold (control characters), and without what would change how the
/// text around it reads (line breaks, marks of writing direction). Each is replaced visibly.
pub fn clean(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\0'..='\x1f' => char::from_u32(0x2400 + c as u32).unwrap_or('\u{fffd}'),
            '\x7f' => '\u{2421}',
            '\u{80}'..='\u{9f}'
            | '\u{61c}'
            | '\u{200e}'
            | '\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}'
            | '\u{feff}' => '\u{fffd}',
            _ if c as u32 & 0xfffe == 0xfffe => '\u{fffd}',
            _ => c,
        })
        .collect()
}

/// The cleaned text, at most so wide (in em), with an ellipsis for what is cut off. Cuts between
/// characters as people see them.
pub fn shorten(text: &str, most: f64) -> String {
    let text = clean(text);
    let mut kept = String::new();
    let mut wide = 0.0;
    let mut room = None;
    for grapheme in text.graphemes(true) {
        let grapheme = if grapheme.chars().count() > LONGEST_GRAPHEME {
            "\u{fffd}"
        } else {
            grapheme
        };
        if room.is_none() && wide + width(grapheme) + width("…") > most {
            room = Some(kept.len());
        }
        wide += width(grapheme);
        if wide > most {
            kept.truncate(room.unwrap_or(0));
            kept.push('…');
            return kept;
        }
        kept.push_str(grapheme);
    }
    kept
}

/// About how wide a text is in a font like Arial, in em; rather more than less: also where the font
/// draws a grapheme of several emoji one by one.
pub fn width(text: &str) -> f64 {
    text.chars()
        .map(|c| match (u8::try_from(c), c.width()) {
            (Ok(byte), _) if byte.is_ascii() => ascii(byte),
            (_, None | Some(0)) => 0.0,
            (_, Some(1)) => 0.67,
            (_, Some(_)) => 1.1,
        })
        .sum()
}

fn ascii(byte: u8) -> f64 {
    match byte {
        b'i' | b'j' | b'l' | b'\'' | b'|' => 0.27,
        b'I' | b'.' | b',' | b':' | b';' | b'!' | b' ' | b'/' | b'\\' | b'f' | b't' => 0.32,
        b'r' | b'(' | b')' | b'[' | b']' | b'{' | b'}' | b'-' | b'"' | b'*' | b'`' => 0.38,
        b'm' | b'M' => 0.87,
        b'W' | b'%' => 0.95,
        b'@' => 1.05,
        b'w' | b'A'..=b'Z' | b'&' => 0.74,
        _ => 0.59,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_break_or_disguise_is_replaced() {
        assert_eq!(clean("a\0b\x1b\x7f\u{85}c"), "a␀b␛␡\u{fffd}c");
        assert_eq!(clean("a\nb\u{2028}c"), "a␊b\u{fffd}c");
        assert_eq!(clean("moc.\u{202e}live@x"), "moc.\u{fffd}live@x");
        assert_eq!(clean("\u{ffff}\u{1fffe}"), "\u{fffd}\u{fffd}");
        assert_eq!(clean("שלום José 日本 👨‍👩‍👧"), "שלום José 日本 👨‍👩‍👧");
    }

    #[test]
    fn long_text_ends_between_graphemes() {
        assert_eq!(shorten("short", 10.0), "short");
        let long = shorten(&"x".repeat(1024), 10.0);
        assert!(long.ends_with("x…") && width(&long) <= 10.0, "{long}");
        // A family is one grapheme of five characters, an é here one of two.
        for unit in ["👨‍👩‍👧", "e\u{301}", "日"] {
            let cut = shorten(&unit.repeat(100), 15.0);
            let kept = cut.strip_suffix('…').expect("it was cut");
            assert_eq!(kept, unit.repeat(kept.len() / unit.len()));
            assert!(kept.len() >= 3 * unit.len() && width(&cut) <= 15.0, "{cut}");
        }
    }

    #[test]
    fn a_tower_of_accents_is_no_grapheme_to_show() {
        let tower = format!("a{}b", "\u{301}".repeat(500));
        assert_eq!(shorten(&tower, 10.0), "\u{fffd}b");
    }

    #[test]
    fn what_just_fits_is_not_cut() {
        for n in 1..40 {
            let text = "n".repeat(n);
            assert_eq!(shorten(&text, width(&text) + 1e-9), text);
        }
    }
}
