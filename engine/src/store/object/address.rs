//! Where a bucket is: the URL that a user gives, and the client that the environment's variables make of it.
//!
//! Key decision: a URL says which bucket and prefix and nothing else, so that it can be shown anywhere; endpoint and
//! credentials come from variables under their usual names. It asks nothing of the store.

use std::fmt;
use std::sync::Arc;

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey, S3ConditionalPut};
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey};
use object_store::{ClientConfigKey, ObjectStore, RetryConfig};

use super::answer::innermost;
use super::wire::Watching;
use crate::base::error::{Error, Result};

/// The longest prefix: with a name it must stay below the 1,024 bytes of a key.
const PREFIX_BYTES_MAX: usize = 512;
/// The client's own limit is no measure of ours, which grows with the size: see `Patience`.
const CLIENT_TIMEOUT: &str = "1hour";

/// The one way to write what a URL names; it asks neither the environment nor the store.
///
/// # Errors
/// `Invalid` as of [`super::Bucket::open`].
pub fn canonical(url: &str) -> Result<String> {
    Address::parse(url).map(|address| address.to_string())
}

/// Whether a place is named by a URL, not by a path.
pub fn is_url(text: &str) -> bool {
    text.contains("://")
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Amazon,
    Google,
    Azure,
}

/// A bucket and a prefix in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Address {
    kind: Kind,
    bucket: String,
    /// Without a slash at either end; empty for the whole bucket.
    prefix: String,
}

impl Address {
    /// Whether the store gives the last bytes of an object whose length is not known.
    pub(super) fn knows_tails(&self) -> bool {
        self.kind != Kind::Azure
    }

    /// Takes a URL apart; it is refused if there is anything in it but a bucket and a prefix.
    pub(super) fn parse(url: &str) -> Result<Self> {
        // Not shown: it may have credentials in it.
        let refused = |why: &str| {
            Error::invalid(format!("the vault's URL {why}"))
                .hint("it is s3://BUCKET/PREFIX, gs://BUCKET/PREFIX or az://CONTAINER/PREFIX; all else is said by the environment (docs/object-storage.md)")
        };
        let (scheme, rest) = url.split_once("://").ok_or_else(|| refused("has no scheme"))?;
        let kind = match scheme {
            "s3" => Kind::Amazon,
            "gs" => Kind::Google,
            "az" | "azure" => Kind::Azure,
            _ => return Err(refused("is of no store that is known")),
        };
        if rest.contains(['@', '?', '#', ':']) {
            return Err(refused("has credentials, a port or a query in it"));
        }
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let prefix = prefix.trim_end_matches('/');
        let plain = |c: char| c.is_ascii_alphanumeric() || "._-=+".contains(c);
        let part = |part: &str| !["", ".", ".."].contains(&part) && part.chars().all(plain);
        if bucket.is_empty() || !bucket.chars().all(plain) {
            return Err(refused("names no bucket"));
        }
        if prefix.len() > PREFIX_BYTES_MAX || !(prefix.is_empty() || prefix.split('/').all(part)) {
            return Err(refused(
                "has a prefix that is too long or has more in it than A-Z a-z 0-9 . _ - = + between single slashes",
            ));
        }
        Ok(Self {
            kind,
            bucket: bucket.to_owned(),
            prefix: prefix.to_owned(),
        })
    }

    /// The key of a name.
    pub(super) fn key(&self, name: &str) -> String {
        match self.prefix.as_str() {
            "" => name.to_owned(),
            prefix => format!("{prefix}/{name}"),
        }
    }

    /// The name of a key.
    pub(super) fn name<'k>(&self, key: &'k str) -> Option<&'k str> {
        match self.prefix.as_str() {
            "" => Some(key),
            prefix => key.strip_prefix(prefix)?.strip_prefix('/'),
        }
    }

    /// The variables that say who asks.
    pub(super) fn credentials(&self) -> &'static str {
        match self.kind {
            Kind::Amazon => {
                "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and, where they are temporary, AWS_SESSION_TOKEN"
            }
            Kind::Google => "GOOGLE_SERVICE_ACCOUNT or GOOGLE_APPLICATION_CREDENTIALS",
            Kind::Azure => {
                "AZURE_STORAGE_ACCOUNT_NAME with AZURE_STORAGE_ACCOUNT_KEY or AZURE_STORAGE_SAS_TOKEN"
            }
        }
    }

    /// The variables that say where it is.
    pub(super) fn endpoint(&self) -> &'static str {
        match self.kind {
            Kind::Amazon => "AWS_REGION and AWS_ENDPOINT_URL",
            Kind::Google => "GOOGLE_BASE_URL",
            Kind::Azure => "AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ENDPOINT",
        }
    }

    /// The client, which repeats nothing by itself: each request is counted by us.
    pub(super) fn store(
        &self,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Arc<dyn ObjectStore>> {
        let retry = RetryConfig {
            max_retries: 0,
            ..RetryConfig::default()
        };
        let variables = variables.into_iter();
        let built: object_store::Result<Arc<dyn ObjectStore>> = match self.kind {
            Kind::Amazon => {
                let timeout = AmazonS3ConfigKey::Client(ClientConfigKey::Timeout);
                let start = AmazonS3Builder::new().with_config(timeout, CLIENT_TIMEOUT);
                configured("AWS_", variables, start, AmazonS3Builder::with_config)
                    .with_bucket_name(&self.bucket)
                    .with_conditional_put(S3ConditionalPut::ETagMatch)
                    .with_disable_bulk_delete(true)
                    .with_retry(retry)
                    .with_http_connector(Watching)
                    .build()
                    .map(|store| Arc::new(store) as _)
            }
            Kind::Google => {
                let timeout = GoogleConfigKey::Client(ClientConfigKey::Timeout);
                let start = GoogleCloudStorageBuilder::new().with_config(timeout, CLIENT_TIMEOUT);
                configured(
                    "GOOGLE_",
                    variables,
                    start,
                    GoogleCloudStorageBuilder::with_config,
                )
                .with_bucket_name(&self.bucket)
                .with_retry(retry)
                .with_http_connector(Watching)
                .build()
                .map(|store| Arc::new(store) as _)
            }
            Kind::Azure => {
                let timeout = AzureConfigKey::Client(ClientConfigKey::Timeout);
                let start = MicrosoftAzureBuilder::new().with_config(timeout, CLIENT_TIMEOUT);
                configured("AZURE_", variables, start, MicrosoftAzureBuilder::with_config)
                    .with_container_name(&self.bucket)
                    .with_retry(retry)
                    .with_http_connector(Watching)
                    .build()
                    .map(|store| Arc::new(store) as _)
            }
        };
        built.map_err(|e| {
            Error::invalid(format!("{self}: {}", innermost(&e))).hint(format!(
                "set {}; {} where it is another server",
                self.credentials(),
                self.endpoint()
            ))
        })
    }
}

/// Hands each variable that the store's client knows to its builder.
fn configured<B, K: std::str::FromStr>(
    prefix: &str,
    variables: impl Iterator<Item = (String, String)>,
    builder: B,
    set: impl Fn(B, K, String) -> B,
) -> B {
    variables
        .filter(|(name, _)| name.starts_with(prefix))
        .fold(builder, |builder, (name, value)| {
            match name.to_ascii_lowercase().parse() {
                Ok(key) => set(builder, key, value),
                Err(_) => builder,
            }
        })
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self.kind {
            Kind::Amazon => "s3",
            Kind::Google => "gs",
            Kind::Azure => "az",
        };
        match self.prefix.as_str() {
            "" => write!(f, "{scheme}://{}", self.bucket),
            prefix => write!(f, "{scheme}://{}/{prefix}", self.bucket),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_say_bucket_and_prefix_in_one_way() {
        for (url, shown, key) in [
            ("s3://b", "s3://b", "root"),
            ("s3://b/", "s3://b", "root"),
            ("s3://b.c/p/", "s3://b.c/p", "p/root"),
            ("gs://b/p/q_1", "gs://b/p/q_1", "p/q_1/root"),
            ("azure://c/p", "az://c/p", "p/root"),
        ] {
            let address = Address::parse(url).unwrap();
            assert_eq!(
                (address.to_string().as_str(), address.key("root").as_str()),
                (shown, key)
            );
            assert_eq!(address.name(key), Some("root"));
        }
        let address = Address::parse("s3://b/p").unwrap();
        assert_eq!((address.name("pq/root"), address.name("q/root")), (None, None));
    }

    #[test]
    fn urls_with_more_in_them_are_refused_and_not_shown() {
        for url in [
            "s3://",
            "s3:///p",
            "http://b/p",
            "s3://user:secret@b/p",
            "s3://b:80/p",
            "s3://b/p?secret",
            "s3://b/p#secret",
            "s3://b/../p",
            "s3://b//p",
            "s3://b/p q",
            "s3://b/%2e",
        ] {
            let e = Address::parse(url).unwrap_err();
            assert_eq!(e.kind(), crate::base::error::Kind::Invalid, "{url}");
            assert!(!e.to_string().contains("secret"), "{e}");
        }
        assert!(is_url("s3://b") && !is_url("/tmp/x") && !is_url("s3"));
    }

    #[test]
    fn each_store_is_made_of_its_own_variables() {
        let variables = |names: &[(&str, &str)]| -> Vec<(String, String)> {
            let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
            names.iter().map(owned).collect()
        };
        let azure = [
            ("AZURE_STORAGE_ACCOUNT_NAME", "acme"),
            ("AZURE_STORAGE_ACCOUNT_KEY", "c2VjcmV0"),
            ("AWS_ALLOW_HTTP", "perhaps"),
        ];
        for (url, names) in [
            ("az://c/p", &azure[..]),
            ("gs://b/p", &[("GOOGLE_SKIP_SIGNATURE", "true")]),
            (
                "s3://b/p",
                &[
                    ("AWS_SKIP_SIGNATURE", "true"),
                    ("AWS_CONDITIONAL_PUT", "disabled"),
                ],
            ),
        ] {
            Address::parse(url).unwrap().store(variables(names)).unwrap();
        }
        let nameless = Address::parse("az://c/p").unwrap().store([]).unwrap_err();
        assert!(
            nameless.to_string().contains("AZURE_STORAGE_ACCOUNT_NAME"),
            "{nameless}"
        );
        let refused = Address::parse("az://c/p").unwrap();
        let refused = refused.store(variables(&[azure[0], ("AZURE_STORAGE_ACCOUNT_KEY", "hidden!")]));
        let refused = refused.unwrap_err();
        assert!(!format!("{refused:?}").contains("hidden"), "{refused:?}");
    }

    #[test]
    fn wrong_variables_are_told_without_their_values() {
        let address = Address::parse("s3://b").unwrap();
        let variables = [
            ("AWS_SECRET_ACCESS_KEY".to_owned(), "hidden".to_owned()),
            ("AWS_ACCESS_KEY_ID".to_owned(), "hidden".to_owned()),
            ("AWS_ALLOW_HTTP".to_owned(), "perhaps".to_owned()),
        ];
        let e = address.store(variables).unwrap_err();
        assert!(e.message().starts_with("s3://b: "), "{e}");
        assert!(!format!("{e:?}").contains("hidden"), "{e:?}");
    }
}
