//! Variables that are a JSON list of objects with ids.

use serde::de::DeserializeOwned;

/// What such a list holds.
pub(crate) trait Listed: Sized {
    /// The variable.
    const VARIABLE: &'static str;
    /// What an object must have.
    const MEMBERS: &'static str;
    /// What two of may not be the same.
    const KIND: &'static str;
    /// An object as it is written; members that nobody knows are refused.
    type Given: DeserializeOwned;

    /// Checks an object. Where `strict`, addresses must be https.
    ///
    /// # Errors
    /// What is wrong, without values.
    fn complete(given: Self::Given, strict: bool) -> Result<Self, &'static str>;

    /// Whether both cannot stand in one list.
    fn is_twin(&self, other: &Self) -> bool;

    /// Reads the list.
    ///
    /// # Errors
    /// All problems, without values.
    fn read_all(text: &str, strict: bool) -> Result<Vec<Self>, Vec<String>> {
        let refused = |why: &str| format!("{} {why}", Self::VARIABLE);
        let given: Vec<Self::Given> = serde_json::from_str(text).map_err(|_| {
            let why = format!("must be a JSON list of objects with {}", Self::MEMBERS);
            vec![refused(&why)]
        })?;
        let mut problems = Vec::new();
        let mut all: Vec<Self> = Vec::new();
        for given in given {
            match Self::complete(given, strict) {
                Ok(one) if all.iter().any(|known| known.is_twin(&one)) => {
                    problems.push(refused(&format!("names {} twice", Self::KIND)));
                }
                Ok(one) => all.push(one),
                Err(why) => problems.push(refused(why)),
            }
        }
        if problems.is_empty() {
            Ok(all)
        } else {
            Err(problems)
        }
    }
}

/// Checks a name in paths and keys.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn check_id(id: &str) -> Result<(), &'static str> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if id.is_empty() || id.len() > 32 || !id.chars().all(plain) {
        return Err("has an id with other characters than a-z, 0-9 and -");
    }
    Ok(())
}

/// Whether it may be called: https, or on a laptop http.
pub(crate) fn is_address(url: &str, strict: bool) -> bool {
    let plain = !url.chars().any(|c| c.is_whitespace() || c.is_control());
    plain && (url.starts_with("https://") || !strict && url.starts_with("http://"))
}
