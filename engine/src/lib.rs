//! The storage engine: keeps every state of a Salesforce org, deduplicated, and reads any of them back.
