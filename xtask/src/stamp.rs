//! Whether what was made from files still belongs to them.
//!
//! Decided by content: a fresh checkout gives every file a new time, and a copied one may give it an old one.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::{fs, io};

use anyhow::Result;

/// A note beside something made, that says what it was made from.
#[derive(Debug)]
pub(crate) struct Stamp {
    /// Where the note is. It should vanish with what it speaks of.
    pub(crate) note: PathBuf,
    /// Files, and folders with all that is in them but dot files, `node_modules` and `dist`.
    pub(crate) sources: Vec<PathBuf>,
    /// What was made, in the same manner.
    pub(crate) products: Vec<PathBuf>,
}

/// What [`Stamp::renew`] did.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Renewed {
    Made,
    UpToDate,
}

impl Stamp {
    /// Calls `make`, unless neither sources nor products have changed since that was last done.
    ///
    /// A source that changes while `make` runs counts as changed.
    ///
    /// # Errors
    ///
    /// What `make` returns; and if a file cannot be read, or the note not written.
    pub(crate) fn renew(&self, make: impl FnOnce() -> Result<()>) -> Result<Renewed> {
        let sources = digest(&self.sources)?;
        let note = |products| format!("sources {sources:016x}\nproducts {products:016x}\n");
        let noted = fs::read_to_string(&self.note).ok();
        if noted == Some(note(digest(&self.products)?)) {
            return Ok(Renewed::UpToDate);
        }
        make()?;
        fs::write(&self.note, note(digest(&self.products)?))?;
        Ok(Renewed::Made)
    }
}

/// Two builds of this program by different compilers may disagree; that costs one needless step.
fn digest(paths: &[PathBuf]) -> io::Result<u64> {
    let mut hasher = DefaultHasher::new();
    for path in paths {
        add(path, &mut hasher)?;
    }
    Ok(hasher.finish())
}

fn add(path: &Path, hasher: &mut DefaultHasher) -> io::Result<()> {
    path.file_name().hash(hasher);
    if path.is_dir() {
        let mut inside: Vec<PathBuf> = fs::read_dir(path)?
            .map(|entry| entry.map(|entry| entry.path()))
            .collect::<io::Result<_>>()?;
        inside.retain(|path| !is_left_out(path));
        inside.sort();
        inside.len().hash(hasher);
        inside.iter().try_for_each(|path| add(path, hasher))
    } else if path.exists() {
        fs::read(path)?.hash(hasher);
        Ok(())
    } else {
        "missing".hash(hasher);
        Ok(())
    }
}

fn is_left_out(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.starts_with('.') || name == "node_modules" || name == "dist"
}

#[cfg(test)]
mod tests {
    use std::{env, process};

    use super::*;

    /// A folder of this test's own, gone with the value.
    struct Scratch(PathBuf);

    impl Scratch {
        fn new(test: &str) -> Self {
            let path = env::temp_dir().join(format!("xtask-{test}-{}", process::id()));
            fs::create_dir_all(path.join("dist")).unwrap();
            fs::create_dir_all(path.join("src")).unwrap();
            fs::write(path.join("src/page.ts"), "one").unwrap();
            fs::write(path.join("dist/page.js"), "one").unwrap();
            Self(path)
        }

        fn renew(&self) -> Renewed {
            self.stamp().renew(|| Ok(())).unwrap()
        }

        fn stamp(&self) -> Stamp {
            Stamp {
                note: self.0.join(".stamp"),
                sources: vec![self.0.clone()],
                products: vec![self.0.join("dist")],
            }
        }

        fn write(&self, file: &str, text: &str) {
            fs::write(self.0.join(file), text).unwrap();
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn what_was_never_made_is_made() {
        let scratch = Scratch::new("unmade");
        assert_eq!(scratch.renew(), Renewed::Made);
    }

    #[test]
    fn the_same_content_at_a_later_time_is_up_to_date() {
        let scratch = Scratch::new("same");
        scratch.renew();
        scratch.write("src/page.ts", "one");
        assert_eq!(scratch.renew(), Renewed::UpToDate);
    }

    #[test]
    fn a_changed_source_is_a_reason() {
        let scratch = Scratch::new("source");
        scratch.renew();
        scratch.write("src/page.ts", "two");
        assert_eq!(scratch.renew(), Renewed::Made);
    }

    #[test]
    fn a_new_source_and_a_renamed_one_are_reasons() {
        let scratch = Scratch::new("renamed");
        scratch.renew();
        scratch.write("src/style.css", "");
        assert_eq!(scratch.renew(), Renewed::Made);
        fs::rename(scratch.0.join("src/page.ts"), scratch.0.join("src/room.ts")).unwrap();
        assert_eq!(scratch.renew(), Renewed::Made);
    }

    #[test]
    fn a_product_that_is_gone_is_a_reason() {
        let scratch = Scratch::new("product");
        scratch.renew();
        fs::remove_dir_all(scratch.0.join("dist")).unwrap();
        assert_eq!(scratch.renew(), Renewed::Made);
    }

    #[test]
    fn a_source_changed_while_making_is_a_reason() {
        let scratch = Scratch::new("meanwhile");
        let edit = || {
            scratch.write("src/page.ts", "two");
            Ok(())
        };
        scratch.stamp().renew(edit).unwrap();
        assert_eq!(scratch.renew(), Renewed::Made);
    }

    #[test]
    fn what_failed_is_tried_again() {
        let scratch = Scratch::new("failed");
        let fail = || Err(anyhow::anyhow!("no"));
        assert!(scratch.stamp().renew(fail).is_err());
        assert_eq!(scratch.renew(), Renewed::Made);
    }
}
