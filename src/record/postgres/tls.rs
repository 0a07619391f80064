//! How a connection to PostgreSQL is protected: libpq's `sslmode`, with rustls.

use std::path::Path;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, ring};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::config::{Database, TlsMode};
use crate::outbound::system_roots;
use crate::record::StoreError;

/// What makes connections as `database` wants them.
///
/// # Errors
/// When the certificates to be trusted cannot be read.
pub(super) fn connector(database: &Database) -> Result<MakeRustlsConnect, StoreError> {
    let provider = Arc::new(ring::default_provider());
    let refused = |e: &dyn std::fmt::Display| StoreError::Certificates(e.to_string());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|e| refused(&e))?;
    let verifies = match database.tls {
        TlsMode::VerifyFull => true,
        TlsMode::Require => database.root_cert.is_some(),
        TlsMode::Disable | TlsMode::Prefer => false,
    };
    let config = if verifies {
        let roots = roots(database.root_cert.as_deref())?;
        builder.with_root_certificates(roots).with_no_client_auth()
    } else {
        builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Unverified::new(&provider)))
            .with_no_client_auth()
    };
    Ok(MakeRustlsConnect::new(config))
}

fn roots(file: Option<&Path>) -> Result<RootCertStore, StoreError> {
    let roots = match file {
        Some(file) => {
            let mut roots = RootCertStore::empty();
            let refused = |e: &dyn std::fmt::Display| {
                StoreError::Certificates(format!("{}: {e}", file.display()))
            };
            for certificate in CertificateDer::pem_file_iter(file).map_err(|e| refused(&e))? {
                let certificate = certificate.map_err(|e| refused(&e))?;
                roots.add(certificate).map_err(|e| refused(&e))?;
            }
            roots
        }
        None => system_roots(),
    };
    if roots.is_empty() {
        return Err(StoreError::Certificates("there are none".to_owned()));
    }
    Ok(roots)
}

/// Encrypts without asking who is there, as `sslmode=require` means in every PostgreSQL client.
#[derive(Debug)]
struct Unverified(WebPkiSupportedAlgorithms);

impl Unverified {
    fn new(provider: &CryptoProvider) -> Self {
        Self(provider.signature_verification_algorithms)
    }
}

impl ServerCertVerifier for Unverified {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(message, cert, signed, &self.0)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(message, cert, signed, &self.0)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_schemes()
    }
}
