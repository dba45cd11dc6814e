//! Speaks to a Salesforce org over its public APIs, and knows no bytes of the vault.
