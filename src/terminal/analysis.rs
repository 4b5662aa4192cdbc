//! What `meshtriage run` does besides for `istioctl.analyze`: files as inputs, and istioctl's remarks on standard error.

use std::{io::Write as _, path::Path};

use anyhow::Context as _;

use super::files;
use crate::{
    analyzers::{
        K8S0100,
        remarks::{self, Target},
    },
    config,
    report::{Finding, Format},
    steps::{self, Analyze, AnalyzeInput, AnalyzedFile, Inputs, Invalid, MeshImpact, MeshImpactInput, Prepared},
};

/// What `istioctl analyze` says beside its messages: documents that could not be read, and for people, how it ended.
pub(super) fn remark(args: &config::Run, findings: &[Finding], format: Format, failing: bool, unparsed: bool) {
    let (unread, printed): (Vec<_>, Vec<_>) = findings.iter().partition(|finding| finding.code == K8S0100.id);
    let mut err = std::io::stderr().lock();
    if unparsed && !unread.is_empty() {
        let _ = writeln!(err, "Error(s) adding files");
        for finding in unread {
            let at = finding.subject.file.as_deref().unwrap_or(&finding.subject.name);
            let (file, line) = match at.rsplit_once(':') {
                Some((file, line)) if line.parse::<usize>().is_ok() => (file, format!("line {line}: ")),
                _ => (at, String::new()),
            };
            let _ = writeln!(err, "\terrors parsing content \"{file}\": {line}{}", finding.message);
        }
    }
    if matches!(format, Format::Text | Format::Raw) {
        let target = target(args, printed.is_empty());
        if let Some(closing) = remarks::closing(&target, printed.is_empty(), failing, unparsed) {
            let _ = writeln!(err, "{closing}");
        }
    }
}

/// The files are named only where nothing was found in them.
fn target(args: &config::Run, nothing_found: bool) -> Target {
    if nothing_found && !args.files.is_empty() {
        return Target::Files(args.files.iter().map(|path| path.display().to_string()).collect());
    }
    let mut namespaces = args.input.iter().filter(|(name, _)| name == "namespace").map(|(_, value)| value);
    match (namespaces.next(), namespaces.next()) {
        (Some(one), None) => Target::Namespace(one.clone()),
        _ => Target::AllNamespaces,
    }
}

/// The inputs of an analysis, with the files that are named: `mesh_config` and `mesh_networks` may be files too.
pub(super) fn prepare(
    args: &config::Run,
    pairs: Vec<(String, String)>,
) -> anyhow::Result<Result<Box<dyn Prepared>, Vec<Invalid>>> {
    let mut input: AnalyzeInput = match Inputs::Pairs(pairs).read() {
        Ok(input) => input,
        Err(invalid) => return Ok(Err(invalid)),
    };
    for text in [&mut input.mesh_config, &mut input.mesh_networks].into_iter().flatten() {
        if Path::new(text.as_str()).is_file() {
            *text = read(Path::new(text.as_str()))?;
        }
    }
    for path in files::listed(&args.files)? {
        let name = path.display().to_string();
        // istioctl goes on without such a file, and an analysis of nothing else finds nothing.
        let content = if files::is_standard_input(&path) {
            files::standard_input()?
        } else if remarks::is_recognized(&name) {
            read(&path)?
        } else {
            let _ = writeln!(std::io::stderr(), "{}", remarks::skipped_file(&name));
            String::new()
        };
        input.files.push(AnalyzedFile { name, content });
    }
    input.alone = !args.files.is_empty() && !args.cluster.is_given();
    Ok(steps::prepared::<Analyze>(input))
}

/// The inputs of an impact, with the files that are named as what is proposed.
pub(super) fn prepare_impact(
    args: &config::Run,
    pairs: Vec<(String, String)>,
) -> anyhow::Result<Result<Box<dyn Prepared>, Vec<Invalid>>> {
    let mut input: MeshImpactInput = match Inputs::Pairs(pairs).read() {
        Ok(input) => input,
        Err(invalid) => return Ok(Err(invalid)),
    };
    for path in files::listed(&args.files)? {
        let content = if files::is_standard_input(&path) { files::standard_input()? } else { read(&path)? };
        input.files.push(AnalyzedFile { name: path.display().to_string(), content });
    }
    Ok(steps::prepared::<MeshImpact>(input))
}

pub(super) fn read(path: &Path) -> anyhow::Result<String> {
    let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    String::from_utf8(bytes).with_context(|| format!("{} is not UTF-8", path.display()))
}
