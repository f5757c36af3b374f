//! Trust in certificates: the machine's own store, or `SSL_CERT_FILE`.

use rustls::{ClientConfig, RootCertStore};

/// A TLS client that trusts what the machine trusts.
///
/// # Errors
/// A sentence for the operator, when the machine has no certificates at all.
pub(crate) fn client_config() -> Result<ClientConfig, String> {
    let mut roots = RootCertStore::empty();
    // Single files that cannot be read do not matter as long as there are others.
    let found = rustls_native_certs::load_native_certs();
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        return Err(
            "this machine has no root certificates: install ca-certificates or set \
                    SSL_CERT_FILE"
                .to_owned(),
        );
    }
    let provider = rustls::crypto::ring::default_provider();
    ClientConfig::builder_with_provider(provider.into())
        .with_safe_default_protocol_versions()
        .map(|config| config.with_root_certificates(roots).with_no_client_auth())
        .map_err(|error| error.to_string())
}
