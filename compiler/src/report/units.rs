//! Numbers as people read them.

/// A number of bytes with three digits and a binary unit.
pub fn bytes(count: u64) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut value = count as f64;
    let mut unit = 0;
    while value >= 1000.0 && unit + 1 < units.len() {
        value /= 1024.0;
        unit += 1;
    }
    match value {
        _ if unit == 0 => format!("{count} B"),
        ..10.0 => format!("{value:.2} {}", units[unit]),
        ..100.0 => format!("{value:.1} {}", units[unit]),
        _ => format!("{value:.0} {}", units[unit]),
    }
}

/// A duration, in the unit that reads best.
pub fn seconds(value: f64) -> String {
    let whole = value.round() as u64;
    match value {
        ..1e-3 => format!("{:.0} µs", value * 1e6),
        ..1.0 => format!("{:.0} ms", value * 1e3),
        ..100.0 => format!("{value:.2} s"),
        ..6000.0 => format!("{} min {:02} s", whole / 60, whole % 60),
        _ => format!("{} h {:02} min", whole / 3600, whole % 3600 / 60),
    }
}

/// `50 + 12 × 40`: numbers rounded, equal neighbours together.
pub(super) fn run_lengths(bits: &[f64]) -> String {
    let rounded: Vec<i64> = bits.iter().map(|bits| bits.round() as i64).collect();
    let runs: Vec<String> = rounded
        .chunk_by(|a, b| a == b)
        .map(|run| match run {
            [bits] => bits.to_string(),
            run => format!("{} × {}", run.len(), run[0]),
        })
        .collect();
    runs.join(" + ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_keep_three_digits() {
        assert_eq!(bytes(0), "0 B");
        assert_eq!(bytes(999), "999 B");
        assert_eq!(bytes(1000), "0.98 KiB");
        assert_eq!(bytes(20 << 20), "20.0 MiB");
        assert_eq!(bytes(5 << 30), "5.00 GiB");
        assert_eq!(seconds(0.0000421), "42 µs");
        assert_eq!(seconds(0.25), "250 ms");
        assert_eq!(seconds(12.345), "12.35 s");
        assert_eq!(seconds(125.0), "2 min 05 s");
        assert_eq!(seconds(7260.0), "2 h 01 min");
    }

    #[test]
    fn neighbours_are_counted() {
        assert_eq!(run_lengths(&[49.9, 40.0, 40.01, 39.99, 41.0]), "50 + 3 × 40 + 41");
        assert_eq!(run_lengths(&[]), "");
    }
}
