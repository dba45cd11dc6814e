//! JWT bearer: an assertion that the app's private key signs stands for a user who has approved the app.
//!
//! Key decision: it lives three minutes and is made anew at each sign-in, so that nothing but the key is kept (Salesforce
//! Help, "OAuth 2.0 JWT Bearer Flow for Server-to-Server Integration"; RFC 7515, 7523). It makes no keys.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeyPair;
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use halite_engine::base::error::{Error, Kind, Result};
use halite_engine::base::stamp::Stamp;
use serde_json::json;
use zeroize::Zeroizing;

/// How long an assertion is good for, in seconds.
const LIFE: i64 = 180;
/// Bits of a key at the least.
const BITS: usize = 2048;

/// What is signed: who asks, for whom, to whom.
pub struct Claims<'a> {
    /// Consumer key.
    pub issuer: &'a str,
    /// The user's name.
    pub subject: &'a str,
    /// The address of the login host.
    pub audience: &'a str,
}

/// The signed assertion.
///
/// # Errors
/// `Auth` for a key that is none.
pub fn assertion(claims: &Claims<'_>, pem: &str, now: Stamp) -> Result<Zeroizing<String>> {
    let key = key(pem)?;
    let expires = now.millis() / 1000 + LIFE;
    let payload = json!({
        "iss": claims.issuer, "sub": claims.subject, "aud": claims.audience, "exp": expires,
    });
    let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"RS256","typ":"JWT"}"#);
    let message = format!("{header}.{}", URL_SAFE_NO_PAD.encode(payload.to_string()));
    let mut signature = vec![0; key.public_modulus_len()];
    key.sign(
        &RSA_PKCS1_SHA256,
        &SystemRandom::new(),
        message.as_bytes(),
        &mut signature,
    )
    .map_err(|_| Error::new(Kind::Auth, "the key does not sign"))?;
    Ok(Zeroizing::new(format!(
        "{message}.{}",
        URL_SAFE_NO_PAD.encode(signature)
    )))
}

fn key(pem: &str) -> Result<KeyPair> {
    let wrong = |why: &str| {
        Error::new(Kind::Auth, format!("the key file holds no key to sign with: {why}"))
            .hint("give an RSA private key in PEM that is not encrypted: `openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048`")
    };
    let body = |label: &str| {
        let (_, rest) = pem.split_once(&format!("-----BEGIN {label}-----"))?;
        let (body, _) = rest.split_once(&format!("-----END {label}-----"))?;
        let text: Zeroizing<String> = Zeroizing::new(body.split_ascii_whitespace().collect());
        STANDARD.decode(text.as_bytes()).ok().map(Zeroizing::new)
    };
    let key = if let Some(der) = body("PRIVATE KEY") {
        KeyPair::from_pkcs8(&der)
    } else if let Some(der) = body("RSA PRIVATE KEY") {
        KeyPair::from_der(&der)
    } else if pem.contains("ENCRYPTED") {
        return Err(wrong("it is encrypted"));
    } else {
        return Err(wrong("there is no PRIVATE KEY block"));
    };
    let key = key.map_err(|_| wrong("it is not RSA, or is damaged"))?;
    if key.public_modulus_len() * 8 < BITS || key.public_key().as_ref().is_empty() {
        return Err(wrong("it is shorter than 2048 bits"));
    }
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
    use aws_lc_rs::rsa::KeySize;
    use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};

    fn pem(label: &str, der: &[u8]) -> String {
        format!(
            "-----BEGIN {label}-----\n{}\n-----END {label}-----\n",
            STANDARD.encode(der)
        )
    }

    #[test]
    fn an_assertion_says_who_asks_and_is_signed() {
        let pair = KeyPair::generate(KeySize::Rsa2048).unwrap();
        let der: Pkcs8V1Der<'_> = pair.as_der().unwrap();
        let claims = Claims {
            issuer: "app",
            subject: "ada@example.com",
            audience: "https://test.salesforce.com",
        };
        let now = "2026-01-05T08:00:00Z".parse().unwrap();
        let text = assertion(&claims, &pem("PRIVATE KEY", der.as_ref()), now).unwrap();
        let (message, signature) = text.rsplit_once('.').unwrap();
        let public: PublicKeyX509Der<'_> = pair.public_key().as_der().unwrap();
        let verified = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, public.as_ref())
            .verify(message.as_bytes(), &URL_SAFE_NO_PAD.decode(signature).unwrap());
        assert!(verified.is_ok());
        let (_, payload) = message.split_once('.').unwrap();
        let payload: serde_json::Value =
            serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap();
        let expected = json!({"iss": "app", "sub": "ada@example.com", "aud": "https://test.salesforce.com",
            "exp": 1_767_600_000 + 180});
        assert_eq!(payload, expected);
    }

    #[test]
    fn what_is_no_key_is_refused_and_not_quoted() {
        for text in [
            String::new(),
            pem("PUBLIC KEY", b"hush"),
            pem("PRIVATE KEY", b"hush"),
            pem("ENCRYPTED PRIVATE KEY", b"hush"),
            "-----BEGIN PRIVATE KEY-----hush".to_owned(),
        ] {
            let error = key(&text).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("hush"));
        }
    }
}
