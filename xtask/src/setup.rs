//! What has to be fetched or built before the program or its tests run; each step only when its result is stale.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::checkout::Checkout;
use crate::stamp::{Renewed, Stamp};
use crate::step;

/// Installs the npm packages that the lock file of `folder` names.
///
/// # Errors
///
/// If npm fails.
pub(crate) fn packages(folder: &Path) -> Result<()> {
    let name = format!("npm packages of {}", folder_name(folder));
    let stamp = Stamp {
        // npm ci removes the folder first, so an interrupted one leaves no note.
        note: folder.join("node_modules/.fanfare-packages"),
        sources: ["package.json", "package-lock.json", ".npmrc"]
            .map(|file| folder.join(file))
            .to_vec(),
        products: vec![],
    };
    make(&name, &stamp, npm(folder).arg("ci"))
}

/// Builds the page into web/dist.
///
/// # Errors
///
/// If the build fails.
pub(crate) fn page(checkout: &Checkout) -> Result<()> {
    let web = checkout.web();
    let stamp = Stamp {
        // Not in dist, whose files are served; and new packages are a reason to build again.
        note: web.join("node_modules/.fanfare-page"),
        products: vec![web.join("dist")],
        sources: vec![web.clone()],
    };
    make(
        "page bundle",
        &stamp,
        npm(&web).args(["run", "--silent", "build"]),
    )
}

fn make(name: &str, stamp: &Stamp, command: &mut Command) -> Result<()> {
    let renewed = stamp
        .renew(|| step::run(name, command))
        .with_context(|| name.to_owned())?;
    if renewed == Renewed::UpToDate {
        step::skip(name);
    }
    Ok(())
}

/// npm, run in `folder`.
pub(crate) fn npm(folder: &Path) -> Command {
    let mut command = Command::new("npm");
    command.current_dir(folder);
    command
}

fn folder_name(folder: &Path) -> String {
    folder
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}
