//! docs/openapi/*.yaml: what no table of the core tells.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use yaml_rust2::YamlLoader;

use super::node::Node;
use super::schema::Named;

/// Where the files are.
pub(crate) const DIRECTORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/openapi");

/// One file: operations that belong together.
#[derive(Debug)]
pub(crate) struct Domain {
    /// The file's name, which is the tag.
    pub(crate) tag: String,
    pub(crate) title: String,
    pub(crate) description: String,
    /// By the names of their routes.
    pub(crate) operations: Vec<(String, Node)>,
}

/// Every file.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) domains: Vec<Domain>,
    pub(crate) schemas: Named,
    /// The names of schemas in the order in which they were written, with their domain.
    pub(crate) order: Vec<String>,
}

impl Source {
    /// Reads all files.
    ///
    /// # Errors
    /// What is wrong with a file, with its name.
    pub(crate) fn read() -> Result<Self, String> {
        let mut files = BTreeMap::new();
        let entries = fs::read_dir(DIRECTORY).map_err(|error| error.to_string())?;
        for entry in entries {
            let path = entry.map_err(|error| error.to_string())?.path();
            if path.extension().is_some_and(|end| end == "yaml") {
                let tag = path.file_stem().unwrap_or_default();
                let tag = tag.to_string_lossy().into_owned();
                let node = load(&path).map_err(|why| format!("docs/openapi/{tag}.yaml: {why}"))?;
                files.insert(tag, node);
            }
        }
        let mut source = Self {
            domains: Vec::new(),
            schemas: Named::new(),
            order: Vec::new(),
        };
        for (tag, node) in files {
            source
                .add(&tag, &node)
                .map_err(|why| format!("docs/openapi/{tag}.yaml: {why}"))?;
        }
        let place = |domain: &Domain| ORDER.iter().position(|tag| *tag == domain.tag);
        source
            .domains
            .sort_by_key(|domain| (place(domain).unwrap_or(ORDER.len()), domain.tag.clone()));
        Ok(source)
    }

    fn add(&mut self, tag: &str, node: &Node) -> Result<(), String> {
        for (key, _) in node.members() {
            if !["title", "description", "operations", "schemas"].contains(&key.as_str()) {
                return Err(format!("`{key}` has no place at the top"));
            }
        }
        for (name, schema) in node.get("schemas").map_or(&[][..], Node::members) {
            if self.schemas.insert(name.clone(), schema.clone()).is_some() {
                return Err(format!("schema {name} is written twice"));
            }
            self.order.push(name.clone());
        }
        let operations = node.get("operations").map_or(&[][..], Node::members);
        self.domains.push(Domain {
            tag: tag.to_owned(),
            title: node.text_of("title").ok_or("has no title")?.to_owned(),
            description: node
                .text_of("description")
                .ok_or("has no description")?
                .to_owned(),
            operations: operations.to_vec(),
        });
        Ok(())
    }
}

/// The way of somebody who comes to know the product; domains that are not listed follow by name.
const ORDER: [&str; 12] = [
    "accounts",
    "auth",
    "mfa",
    "oauth",
    "organizations",
    "api_keys",
    "resources",
    "usage",
    "billing",
    "jobs",
    "health",
    "scheduler",
];

fn load(path: &Path) -> Result<Node, String> {
    let text = fs::read_to_string(path).map_err(|error| error.to_string())?;
    let documents = YamlLoader::load_from_str(&text).map_err(|error| error.to_string())?;
    let [document] = documents.as_slice() else {
        return Err("must hold one document".to_owned());
    };
    Node::from_yaml(document)
}
