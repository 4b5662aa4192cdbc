//! Kubernetes' quantities, such as `250m` of a CPU or `1.5Gi` of memory, as numbers.
//!
//! See <https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/>.

const SUFFIXES: [(&str, f64); 16] = [
    ("", 1.0),
    ("n", 1e-9),
    ("u", 1e-6),
    ("m", 1e-3),
    ("k", 1e3),
    ("M", 1e6),
    ("G", 1e9),
    ("T", 1e12),
    ("P", 1e15),
    ("E", 1e18),
    ("Ki", 1024.0),
    ("Mi", 1_048_576.0),
    ("Gi", 1_073_741_824.0),
    ("Ti", 1_099_511_627_776.0),
    ("Pi", 1_125_899_906_842_624.0),
    ("Ei", 1_152_921_504_606_846_976.0),
];

/// What a quantity says, in its base unit; `None` for what is none, or is negative.
pub fn quantity(text: &str) -> Option<f64> {
    let end = text.find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | '+' | '-'))).unwrap_or(text.len());
    let (number, suffix) = text.split_at(end);
    let factor = match SUFFIXES.iter().find(|(known, _)| *known == suffix) {
        Some((_, factor)) => *factor,
        None => 10_f64.powi(suffix.strip_prefix(['e', 'E'])?.parse().ok()?),
    };
    let value = number.parse::<f64>().ok()? * factor;
    (value.is_finite() && value >= 0.0).then_some(value)
}

/// An amount of memory.
pub fn bytes(text: &str) -> Option<u64> {
    quantity(text).map(whole)
}

/// An amount of CPU, in thousandths of a core.
pub fn millicores(text: &str) -> Option<u64> {
    quantity(text).map(|cores| whole(cores * 1000.0))
}

/// The nearest whole number; 0 for what is below or no number.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a conversion that stays within its type")]
pub fn whole(number: f64) -> u64 {
    number.round() as u64
}

/// The share that a part has of a whole; `None` where the whole is nothing.
#[expect(clippy::cast_precision_loss, reason = "a share needs no more digits")]
pub fn share(part: u64, of: u64) -> Option<f64> {
    (of > 0).then(|| part as f64 / of as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_read_in_all_their_forms() {
        let read = ["2", "250m", "1.5", "123456789n", "1e-1"].map(millicores);
        assert_eq!(read, [Some(2000), Some(250), Some(1500), Some(123), Some(100)]);
        assert_eq!(["1Gi", "128Mi", "1k", "7"].map(bytes), [Some(1 << 30), Some(128 << 20), Some(1000), Some(7)]);
        for wrong in ["", "x", "1Xi", "-1", "1e", "1e999", "--1"] {
            assert_eq!(quantity(wrong), None, "{wrong:?}");
        }
    }
}
