//! Migrations of SQLite and PostgreSQL. The files are inside the tool; on D1 wrangler applies
//! the same ones (migrations/README.md).
//!
//! Each file runs in one transaction together with its row in `edgekeep_migrations`, behind a
//! lock, so that several tools at once do each file once.

mod target;

use std::fmt;

use edgekeep_core::time::Millis;

use target::Target;

/// One file of either dialect.
#[derive(Debug, Clone, Copy)]
pub struct Migration {
    /// `0001_init`
    pub name: &'static str,
    /// The way there.
    pub up: &'static str,
    /// The way back.
    pub down: &'static str,
}

/// The files of the repository, in order.
mod files {
    use super::Migration;
    include!(concat!(env!("OUT_DIR"), "/migrations.rs"));
}

/// Everything a new SQLite database is made of: schema, then plans.
pub(crate) fn sqlite_scripts() -> impl Iterator<Item = &'static str> {
    files::SQLITE
        .iter()
        .map(|file| file.up)
        .chain([files::SEED])
}

/// Why a command stopped, in words for the operator; the database is as it was before the file
/// that is named.
#[derive(Debug)]
pub struct MigrateError(String);

impl fmt::Display for MigrateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for MigrateError {}

impl MigrateError {
    fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

/// A migration and when it was applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Its name.
    pub name: String,
    /// When it was applied; `None` while it is pending.
    pub applied_at: Option<Millis>,
    /// Whether this build has its file.
    pub known: bool,
}

/// A database whose schema is managed.
#[derive(Debug)]
pub struct Migrator {
    target: Target,
    files: &'static [Migration],
}

impl Migrator {
    /// Connects to `sqlite:FILE` or `postgres://…`.
    ///
    /// # Errors
    /// Why it could not be reached.
    pub async fn open(url: &str) -> Result<Self, MigrateError> {
        let target = Target::open(url).await?;
        let files = match target {
            Target::Sqlite(_) => files::SQLITE,
            Target::Postgres(_) => files::POSTGRES,
        };
        Ok(Self { target, files })
    }

    /// Manages other files than those of the repository.
    #[must_use]
    pub fn with_files(mut self, files: &'static [Migration]) -> Self {
        self.files = files;
        self
    }

    /// The files, in order.
    pub fn files(&self) -> &'static [Migration] {
        self.files
    }

    /// Where every migration stands, those unknown to this build last.
    ///
    /// # Errors
    /// The database's own.
    pub async fn status(&mut self) -> Result<Vec<Standing>, MigrateError> {
        let mut applied = self.target.applied().await?;
        let mut list = Vec::new();
        for file in self.files {
            let at = applied.iter().position(|(name, _)| name == file.name);
            let applied_at = at.map(|index| applied.remove(index).1);
            list.push(Standing {
                name: file.name.to_owned(),
                applied_at,
                known: true,
            });
        }
        list.extend(applied.into_iter().map(|(name, at)| Standing {
            name,
            applied_at: Some(at),
            known: false,
        }));
        Ok(list)
    }

    /// Applies what is pending and returns its names.
    ///
    /// # Errors
    /// The file that failed and why; those before it stay applied.
    pub async fn up(&mut self, now: Millis) -> Result<Vec<&'static str>, MigrateError> {
        let mut done = Vec::new();
        for file in self.files {
            let applied = self.target.begin().await?;
            if applied.iter().any(|name| name == file.name) {
                self.target.rollback().await?;
                continue;
            }
            let later = applied.iter().find(|name| {
                name.as_str() > file.name && self.files.iter().any(|known| known.name == *name)
            });
            let step = match later {
                Some(later) => Err(format!(
                    "it comes before {later}, which is applied already: rename it to come last"
                )),
                None => self.target.apply(file.up, file.name, Some(now)).await,
            };
            self.finish(step, file.name).await?;
            done.push(file.name);
        }
        Ok(done)
    }

    /// Takes back the last `count` migrations and returns their names.
    ///
    /// # Errors
    /// The file that failed and why; those taken back before it stay so.
    pub async fn down(&mut self, count: usize) -> Result<Vec<&'static str>, MigrateError> {
        let mut done = Vec::new();
        for _ in 0..count {
            let applied = self.target.begin().await?;
            let Some(last) = applied.iter().max() else {
                self.target.rollback().await?;
                break;
            };
            let Some(file) = self.files.iter().find(|file| file.name == last) else {
                self.target.rollback().await?;
                return Err(MigrateError::new(format!(
                    "{last} was applied by a newer build: go back with that build's tool"
                )));
            };
            let step = self.target.apply(file.down, file.name, None).await;
            self.finish(step, &format!("down/{}", file.name)).await?;
            done.push(file.name);
        }
        Ok(done)
    }

    /// Runs `migrations/seed.sql`, which may run any number of times.
    ///
    /// # Errors
    /// The database's own.
    pub async fn seed(&mut self) -> Result<(), MigrateError> {
        self.target.begin().await?;
        let step = self.target.run(files::SEED).await;
        let step = step.map_err(|why| format!("{why} (has `edgekeep migrate up` run here?)"));
        self.finish(step, "seed").await
    }

    async fn finish(&mut self, step: Result<(), String>, name: &str) -> Result<(), MigrateError> {
        let ended = match step {
            Ok(()) => self.target.commit().await,
            Err(why) => Err(why),
        };
        if let Err(why) = ended {
            // The connection may be gone; then the server has rolled back by itself.
            let _ = self.target.rollback().await;
            return Err(MigrateError::new(format!(
                "{name}.sql failed and left nothing behind: {why}"
            )));
        }
        Ok(())
    }
}
