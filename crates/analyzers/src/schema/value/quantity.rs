//! Values of annotations that the injector copies into a pod: they must be
//! [quantities](https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/).

const SUFFIXES: [&str; 16] = ["", "n", "u", "m", "k", "M", "G", "T", "P", "E", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];

/// The value of `sidecar.istio.io/proxyCPU`, `proxyMemory` and their limits: a number with a decimal, binary or
/// exponential suffix. The error is the problem's text of IST0125.
pub fn resource_quantity(text: &str) -> Result<(), String> {
    if text.chars().any(char::is_control) {
        return Err("value contains control characters".into());
    }
    let wrong =
        || "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'".to_owned();
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let end = unsigned.find(|character: char| !(character.is_ascii_digit() || character == '.'));
    let (number, suffix) = unsigned.split_at(end.unwrap_or(unsigned.len()));
    if !number.bytes().any(|byte| byte.is_ascii_digit()) || number.matches('.').count() > 1 {
        return Err(wrong());
    }
    let exponent = suffix.strip_prefix(['e', 'E']).is_some_and(|exponent| exponent.parse::<i16>().is_ok());
    let known = SUFFIXES.contains(&suffix);
    if known || exponent { Ok(()) } else { Err("unable to parse quantity's suffix".into()) }
}
