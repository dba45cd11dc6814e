//! TLS: an authority of the server's own, and a certificate for every host it plays.
//!
//! Key decision: both are made at the start of a server and never written unless asked for, so that no key
//! lies about; they are valid from 2020 to 2049 because a client judges them by its own clock, not the org's.
//! Not here: the connections (`wire`), which host is meant (`host`).

use std::io;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs::default_provider;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

/// Every name of the server.
const NAMES: [&str; 9] = [
    "localhost",
    "127.0.0.1",
    "::1",
    "login.localhost",
    "test.localhost",
    "login.salesforce.com",
    "test.salesforce.com",
    "*.my.salesforce.com",
    "*.sandbox.my.salesforce.com",
];

/// An authority's certificate in PEM, and what accepts connections under it.
pub(crate) struct Tls {
    pub authority: String,
    pub acceptor: TlsAcceptor,
}

impl Tls {
    pub fn new() -> io::Result<Self> {
        let key = KeyPair::generate().map_err(io::Error::other)?;
        let mut params = dated("Simulated Org Authority", &[])?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let authority = params.self_signed(&key).map_err(io::Error::other)?.pem();
        Ok(Self {
            authority,
            acceptor: acceptor(&Issuer::new(params, key))?,
        })
    }
}

fn acceptor(issuer: &Issuer<'_, KeyPair>) -> io::Result<TlsAcceptor> {
    let key = KeyPair::generate().map_err(io::Error::other)?;
    let mut params = dated("Simulated Org", &NAMES)?;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    let certificate = params.signed_by(&key, issuer).map_err(io::Error::other)?;
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|b| {
            b.with_no_client_auth()
                .with_single_cert(vec![certificate.der().clone()], key)
        })
        .map_err(io::Error::other)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// Parameters with a name, alternative names and dates.
fn dated(name: &str, others: &[&str]) -> io::Result<CertificateParams> {
    let others: Vec<String> = others.iter().map(|n| (*n).to_owned()).collect();
    let mut params = CertificateParams::new(others).map_err(io::Error::other)?;
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2049, 12, 31);
    Ok(params)
}
