//! `nashguard verify`: says whether a certificate holds, and if not, which inequality fails.

use nashguard::Result;
use nashguard::certificate::Certificate;
use std::path::Path;
use std::process::ExitCode;

pub fn run(path: &Path) -> Result<ExitCode> {
    let (name, text) = crate::read(path)?;
    let certificate = Certificate::from_json(&text).map_err(|e| e.within(&name))?;
    let progress = crate::show::progress("checking");
    let verdict = certificate.check();
    progress.finish_and_clear();
    let (line, code) = match verdict {
        Ok(proven) => (format!("valid: {proven}\n"), ExitCode::SUCCESS),
        Err(reason) => (format!("invalid: {reason}\n"), ExitCode::FAILURE),
    };
    crate::print(&line).map(|()| code)
}
