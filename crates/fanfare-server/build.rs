//! Lists the files of the page and of the official browser client, which the program has in itself.
//!
//! Without them, on a checkout where `cargo xtask serve` has not made them, the lists are empty.

use std::{
    env, fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
};

fn main() -> io::Result<()> {
    let web =
        PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it")).join("../../web");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it")).join("embedded.rs");
    let mut out = fs::File::create(out)?;
    list(&mut out, "PAGE", &web.join("dist"))?;
    list(
        &mut out,
        "CLIENT",
        &web.join("node_modules/socket.io-client/dist"),
    )
}

/// Writes a list of the files under `root`, by path relative to it.
fn list(out: &mut fs::File, name: &str, root: &Path) -> io::Result<()> {
    println!("cargo::rerun-if-changed={}", root.display());
    let mut files = Vec::new();
    if root.is_dir() {
        collect(root, &mut files)?;
    }
    files.sort();
    writeln!(out, "pub(crate) static {name}: &[(&str, &[u8])] = &[")?;
    for file in files {
        let path = file.strip_prefix(root).expect("it was found there");
        let path = path.to_string_lossy().replace('\\', "/");
        writeln!(
            out,
            "    ({path:?}, include_bytes!({:?})),",
            file.canonicalize()?
        )?;
    }
    writeln!(out, "];")
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            collect(&entry.path(), files)?;
        } else {
            files.push(entry.path());
        }
    }
    Ok(())
}
