//! Connections to PostgreSQL, encrypted unless the server is this machine or the URL says not.

use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::{Client, Config, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::database::chain;
use crate::tls;

/// Connects and serves the connection in the background until the client is dropped.
///
/// # Errors
/// A sentence for the operator.
pub(crate) async fn connect(config: &Config) -> Result<Client, String> {
    if config.get_ssl_mode() == SslMode::Disable || is_local(config) {
        let (client, connection) = config.connect(NoTls).await.map_err(|e| hint(&e))?;
        tokio::spawn(connection);
        return Ok(client);
    }
    let mut config = config.clone();
    // The default of the protocol would go on unencrypted when the server has no TLS.
    config.ssl_mode(SslMode::Require);
    let tls = MakeRustlsConnect::new(tls::client_config()?);
    let (client, connection) = config.connect(tls).await.map_err(|e| hint(&e))?;
    tokio::spawn(connection);
    Ok(client)
}

/// Whether no byte leaves this machine.
fn is_local(config: &Config) -> bool {
    config.get_ssl_mode() != SslMode::Require
        && config.get_hosts().iter().all(|host| match host {
            #[cfg(unix)]
            Host::Unix(_) => true,
            Host::Tcp(name) => {
                name == "localhost"
                    || name
                        .parse::<std::net::IpAddr>()
                        .is_ok_and(|address| address.is_loopback())
            }
        })
}

fn hint(error: &tokio_postgres::Error) -> String {
    let why = chain(error);
    if why.contains("TLS") || why.contains("certificate") {
        return format!(
            "{why} (sslmode=disable in the URL connects without encryption; SSL_CERT_FILE names \
             the certificates to trust)"
        );
    }
    why
}
