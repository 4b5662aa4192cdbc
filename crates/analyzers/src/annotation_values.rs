//! What may stand in an annotation, and what Istio says when something else does.

use std::net::IpAddr;

use super::annotation_table::Value;
use super::quoted;
use mesh::{Shape, TreeBuilder, View, yaml};

/// What is wrong with a value, if anything.
pub(super) fn problem_with(expected: Value, value: &str) -> Option<String> {
    let result = match expected {
        Value::Anything => Ok(()),
        Value::InterceptionMode => interception_mode(value),
        Value::StatusPort => port(value.trim())
            .map_err(|parse| format!("excludeInboundPorts invalid: failed parsing port '{value}': {parse}")),
        Value::Unsigned => unsigned(value, u64::from(u32::MAX)).map(drop),
        Value::IncludedRanges | Value::IncludedInboundPorts if value == "*" => Ok(()),
        Value::IncludedRanges => ranges("includeIPRanges", value),
        Value::ExcludedRanges => ranges("excludeIPRanges", value),
        Value::IncludedInboundPorts => ports("includeInboundPorts", value),
        Value::ExcludedInboundPorts => ports("excludeInboundPorts", value),
        Value::ExcludedOutboundPorts => ports("excludeOutboundPorts", value),
        Value::Interfaces => interfaces(value),
        Value::Boolean => boolean(value),
        Value::ProxyConfig => proxy_config(value),
        Value::Quantity => quantity(value),
    };
    result.err()
}

fn interception_mode(value: &str) -> Result<(), String> {
    if matches!(value, "REDIRECT" | "TPROXY" | "NONE") {
        return Ok(());
    }
    Err(format!("interceptionMode invalid, use REDIRECT,TPROXY,NONE: {value}"))
}

fn port(text: &str) -> Result<(), String> {
    unsigned(text, 65535).map(drop)
}

/// A number as Go's `ParseUint` reads it: digits alone.
fn unsigned(text: &str, max: u64) -> Result<u64, String> {
    let text_quoted = quoted(text);
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(format!("strconv.ParseUint: parsing {text_quoted}: invalid syntax"));
    }
    let number = text.parse::<u64>().ok().filter(|number| *number <= max);
    number.ok_or_else(|| format!("strconv.ParseUint: parsing {text_quoted}: value out of range"))
}

fn ports(name: &str, value: &str) -> Result<(), String> {
    if value.trim().is_empty() {
        return Ok(());
    }
    value.split(',').map(str::trim).try_for_each(|item| {
        port(item).map_err(|parse| {
            format!("{name} invalid: failed parsing port '{item}': failed parsing port '{item}': {parse}")
        })
    })
}

fn ranges(name: &str, value: &str) -> Result<(), String> {
    if value.is_empty() {
        return Ok(());
    }
    value.split(',').try_for_each(|item| {
        prefix(item).map_err(|prefix| format!("{name} invalid: failed parsing cidr '{item}': {prefix}"))
    })
}

/// An address and the number of its leading bits.
fn prefix(text: &str) -> Result<(), String> {
    let fail = |why: &str| Err(format!("netip.ParsePrefix({}): {why}", quoted(text)));
    let Some((address, bits)) = text.rsplit_once('/') else { return fail("no '/'") };
    let Ok(address) = address.parse::<IpAddr>() else {
        return fail(&format!("ParseAddr({}): unable to parse IP", quoted(address)));
    };
    let is_number = !bits.is_empty() && bits.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number || bits.len() > 1 && bits.starts_with('0') {
        return fail(&format!("bad bits after slash: {}", quoted(bits)));
    }
    let max = if address.is_ipv4() { 32 } else { 128 };
    match bits.parse::<u32>() {
        Ok(bits) if bits <= max => Ok(()),
        _ => fail("prefix length out of range"),
    }
}

fn interfaces(value: &str) -> Result<(), String> {
    if value.is_empty() {
        return Ok(());
    }
    value.split(',').map(str::trim).try_for_each(|name| {
        let mut characters = name.chars();
        let is_valid = characters.next().is_some_and(|first| first.is_ascii_alphabetic())
            && characters.all(|other| other.is_ascii_alphanumeric() || "_.-".contains(other));
        match name {
            "" => Err("empty interface name".to_owned()),
            _ if name.len() > 15 => Err(format!("interface name {} too long (max 15 chars)", quoted(name))),
            _ if !is_valid => Err(format!("interface name {} contains invalid characters", quoted(name))),
            _ => Ok(()),
        }
    })
}

fn boolean(value: &str) -> Result<(), String> {
    if matches!(value, "1" | "t" | "T" | "TRUE" | "true" | "True" | "0" | "f" | "F" | "FALSE" | "false" | "False") {
        return Ok(());
    }
    Err(format!("strconv.ParseBool: parsing {}: invalid syntax", quoted(value)))
}

/// A Kubernetes [quantity](https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/).
fn quantity(value: &str) -> Result<(), String> {
    const FORM: &str = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";
    const SUFFIXES: [&str; 16] = ["", "n", "u", "m", "k", "M", "G", "T", "P", "E", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
    if value.chars().any(char::is_control) {
        return Err("value contains control characters".into());
    }
    let unsigned = value.strip_prefix(['+', '-']).unwrap_or(value);
    let end = unsigned.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(unsigned.len());
    let (number, suffix) = unsigned.split_at(end);
    let is_number =
        number.bytes().filter(|byte| *byte == b'.').count() <= 1 && number.bytes().any(|b| b.is_ascii_digit());
    if !is_number {
        return Err(FORM.into());
    }
    let exponent = suffix.strip_prefix(['e', 'E']).map(|digits| digits.strip_prefix(['+', '-']).unwrap_or(digits));
    let is_exponent =
        exponent.is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()));
    if is_exponent || SUFFIXES.contains(&suffix) {
        return Ok(());
    }
    let letters = suffix.trim_start_matches(|c| "eEinumkKMGTP".contains(c));
    let digits = letters.strip_prefix(['+', '-']).unwrap_or(letters);
    if digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err("unable to parse quantity's suffix".into());
    }
    Err(FORM.into())
}

/// A part of [`ProxyConfig`](https://istio.io/latest/docs/reference/config/istio.mesh.v1alpha1/#ProxyConfig).
fn proxy_config(value: &str) -> Result<(), String> {
    let fail = |why: &str| Err(format!("failed to convert to apply proxy config: {why}"));
    let mut builder = TreeBuilder::default();
    let document = yaml::split(value).into_iter().next().and_then(|piece| {
        let mut documents = yaml::parse(piece, &mut builder);
        (!documents.is_empty()).then(|| documents.remove(0))
    });
    let tree = match document {
        None => return Ok(()),
        Some(Err(error)) => return fail(&error.to_string()),
        Some(Ok(tree)) => tree,
    };
    match tree.root().shape() {
        Some(Shape::Null) | None => Ok(()),
        Some(Shape::Map) => match wrong_type(tree.root()) {
            Some(field) => fail(&format!("invalid value for field {field}")),
            None => invalid_proxy_config(tree.root()).map_or(Ok(()), Err),
        },
        Some(_) => fail("not a mapping"),
    }
}

/// A field that proto-JSON cannot decode.
fn wrong_type(config: View<'_>) -> Option<&'static str> {
    let is_text = |view: View<'_>| !view.is_set() || view.text_if_any().is_some();
    let is_integer = |view: View<'_>| !view.is_set() || view.integer_if_any().is_some();
    let is_map = |view: View<'_>| !view.is_set() || view.is_map();
    let find = |fields: &[&'static str], fits: &dyn Fn(View<'_>) -> bool| {
        fields.iter().copied().find(|field| !fits(config.field(field)))
    };
    find(&["configPath", "binaryPath", "serviceCluster", "discoveryAddress", "drainDuration"], &is_text)
        .or_else(|| find(&["concurrency", "proxyAdminPort", "statusPort"], &is_integer))
        .or_else(|| find(&["proxyMetadata", "tracing", "image", "gatewayTopology"], &is_map))
}

fn invalid_proxy_config(config: View<'_>) -> Option<String> {
    for field in ["configPath", "binaryPath", "discoveryAddress"] {
        if config.field(field).text_if_any() == Some("") {
            return Some(format!("{field} must be non-empty"));
        }
    }
    for field in ["proxyAdminPort", "statusPort"] {
        let port = config.field(field).integer_if_any();
        if port.is_some_and(|port| !(0..=65535).contains(&port)) {
            return Some(format!("invalid {field}"));
        }
    }
    let duration = config.field("drainDuration").text_if_any()?;
    let seconds = duration.strip_suffix('s').filter(|number| number.parse::<f64>().is_ok());
    match seconds {
        None => Some(format!("failed to convert to apply proxy config: invalid duration {}", quoted(duration))),
        Some(number) if number.contains('.') => Some("drain duration must be whole seconds".into()),
        Some(number) if number.parse::<i64>().is_ok_and(|seconds| seconds > 0) => None,
        Some(_) => Some("invalid drain duration: duration must be greater than 1ms".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(expected: Value, value: &str, problem: Option<&str>) {
        assert_eq!(problem_with(expected, value).as_deref(), problem, "{expected:?} {value:?}");
    }

    #[test]
    fn values_that_istio_takes() {
        for (expected, value) in [
            (Value::InterceptionMode, "TPROXY"),
            (Value::StatusPort, " 15020 "),
            (Value::Unsigned, "4294967295"),
            (Value::IncludedRanges, "*"),
            (Value::IncludedRanges, "10.1.2.3/8,fd00::/64"),
            (Value::ExcludedRanges, ""),
            (Value::IncludedInboundPorts, "*"),
            (Value::ExcludedOutboundPorts, "80, 443"),
            (Value::Interfaces, "eth0,net1"),
            (Value::Boolean, "T"),
            (Value::Quantity, "100m"),
            (Value::Quantity, "1.5Gi"),
            (Value::Quantity, "1e3"),
            (Value::ProxyConfig, "concurrency: 2\ndrainDuration: 5s\nsomeFutureField: {}"),
        ] {
            check(expected, value, None);
        }
    }

    #[test]
    fn values_that_istio_refuses() {
        check(Value::Unsigned, "bar", Some("strconv.ParseUint: parsing \"bar\": invalid syntax"));
        check(Value::Unsigned, "4294967296", Some("strconv.ParseUint: parsing \"4294967296\": value out of range"));
        check(
            Value::ExcludedRanges,
            "*",
            Some("excludeIPRanges invalid: failed parsing cidr '*': netip.ParsePrefix(\"*\"): no '/'"),
        );
        check(
            Value::ExcludedInboundPorts,
            "80,x",
            Some(
                "excludeInboundPorts invalid: failed parsing port 'x': failed parsing port 'x': strconv.ParseUint: \
                 parsing \"x\": invalid syntax",
            ),
        );
        check(Value::Interfaces, "a,,b", Some("empty interface name"));
        check(Value::Interfaces, "0eth", Some("interface name \"0eth\" contains invalid characters"));
        check(Value::Boolean, "yes", Some("strconv.ParseBool: parsing \"yes\": invalid syntax"));
        check(Value::Quantity, "1mm", Some("unable to parse quantity's suffix"));
        check(Value::Quantity, "1\n", Some("value contains control characters"));
        for config in ["[1", "- a", "concurrency: many", "drainDuration: 5", "drainDuration: 1.5s", "statusPort: 70000"]
        {
            assert!(problem_with(Value::ProxyConfig, config).is_some(), "{config}");
        }
    }
}
